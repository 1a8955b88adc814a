package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg/draw"

	"github.com/upl-host/upl-host/host/report/figure"
	"github.com/upl-host/upl-host/sdk/sdktest"
)

// outcome is what a classifier makes of the data set.
type outcome struct {
	name       string
	accuracy   float64
	confidence float64 // the mean
	times      []int   // that each class is predicted
}

func ensembleTable(d *data) *table {
	t := newTable("rule", "accuracy", "mean confidence", "a class is predicted", "classes never predicted")
	for _, o := range d.outcomes() {
		t.outcome(o.name+" alone", o)
	}
	return t
}

func (t *table) outcome(name string, o outcome) {
	never := 0
	for _, n := range o.times {
		if n == 0 {
			never++
		}
	}
	t.add(name, percent(o.accuracy), percent(o.confidence),
		fmt.Sprintf("%d to %d times", slices.Min(o.times), slices.Max(o.times)), strconv.Itoa(never))
}

// outcomes are those of the models.
func (d *data) outcomes() []outcome {
	var all []outcome
	for m, p := range d.models {
		all = append(all, d.outcome("model "+strconv.Itoa(m), p))
	}
	return all
}

func (d *data) outcome(name string, p sdktest.Matrix) outcome {
	first := firsts(p)
	o := outcome{name: name, times: tally(first, p.C)}
	for i, c := range first {
		if c == d.labels[i] {
			o.accuracy++
		}
		o.confidence += float64(row(p, i)[c])
	}
	o.accuracy /= float64(len(first))
	o.confidence /= float64(len(first))
	return o
}

// ensemble runs the policy on the models.
func (e exhibit) ensemble(ctx context.Context, d *data, params string, t *table) (figure.Figure, error) {
	combined, _, err := sdktest.Combine(ctx, e.policy, d.input(params))
	if err != nil {
		return figure.Figure{}, err
	}
	o := d.outcome(e.policy.Name, sdktest.Matrix{Values: combined, C: d.mean.C})
	t.outcome(called(e.policy.Name, params), o)
	return d.combination(o, e.title(params)), nil
}

// Where the counts stand, right of accuracy and confidence, which begin at low.
const (
	low       = 0.5
	countsAt  = 1.2
	countsTo  = 1.6
	countEdge = 1.66
)

func (d *data) combination(o outcome, title string) figure.Figure {
	summary := fmt.Sprintf("accuracy %s, mean confidence %s; %d pictures of %d classes",
		percent(o.accuracy), percent(o.confidence), len(d.labels), len(d.classes))
	return figure.Figure{
		Title: title, Alt: summary, YLabel: summary,
		Keys: []figure.Key{
			{Label: "accuracy", Color: figure.Learned, Shape: figure.Dot},
			{Label: "mean confidence", Color: figure.Learned, Shape: figure.Ring},
			{Label: "of a model alone", Color: figure.ZeroShot, Shape: figure.Box},
			{Label: "pictures of the class in truth", Color: figure.Ink, Shape: figure.Line},
		},
		Width: figure.Full, Height: 50 + 24*float64(len(d.classes)),
		Draw: func(p *plot.Plot, _ float64) { d.drawCombination(p, o) },
	}
}

func (d *data) drawCombination(p *plot.Plot, o outcome) {
	models := d.outcomes()
	most := slices.Max(o.times)
	for _, m := range models {
		most = max(most, slices.Max(m.times))
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = low, countEdge, -0.6, float64(len(d.classes))-0.4
	p.X.Width, p.Y.Width = 0, 0
	p.X.Label.Text = " " // room for the captions
	at := func(n int) float64 { return countsAt + (countsTo-countsAt)*float64(n)/float64(most) }
	all := figure.Percent(low, 1, 0.1)
	for _, tick := range figure.Numbers(0, float64(most), 4, true) {
		tick.Value = countsAt + (countsTo-countsAt)*tick.Value/float64(most)
		all = append(all, tick)
	}
	p.X.Tick.Marker = all
	p.Add(figure.Grid{Vertical: true})
	p.Y.Tick.Marker = d.addAccuracies(p, append(models, o))
	d.addCounts(p, models, o, at)
	p.Add(figure.Labels{
		{X: (low + 1) / 2, Y: p.Y.Min, DY: -30, Text: "accuracy and mean confidence", Color: figure.Muted, Align: draw.XCenter},
		{X: (countsAt + countsTo) / 2, Y: p.Y.Min, DY: -30, Text: "pictures predicted as the class", Color: figure.Muted, Align: draw.XCenter},
	})
}

// addAccuracies sets accuracy beside confidence, the models from the top and the
// combination below them.
func (d *data) addAccuracies(p *plot.Plot, outcomes []outcome) plot.ConstantTicks {
	var lines figure.Segments
	var points figure.Points
	var values figure.Labels
	var names plot.ConstantTicks
	step := float64(len(d.classes)) / float64(len(outcomes))
	for i, o := range outcomes {
		y := float64(len(d.classes)) - 0.5 - step*(float64(i)+0.5)
		color := figure.ZeroShot
		if i == len(outcomes)-1 {
			color = figure.Learned
		}
		lines = append(lines, figure.Segment{X1: o.accuracy, X2: o.confidence, Y1: y, Y2: y, Color: color.Fade(0.55), Width: 3})
		points = append(points,
			figure.Point{X: o.accuracy, Y: y, Radius: 6, Color: color},
			figure.Point{X: o.confidence, Y: y, Radius: 6, Color: color, Hollow: true})
		values = append(values,
			figure.Label{X: o.accuracy, Y: y, DY: 15, Text: percent(o.accuracy), Color: figure.Ink, Align: draw.XCenter},
			figure.Label{X: o.confidence, Y: y, DY: -15, Text: percent(o.confidence), Color: figure.Muted, Align: draw.XCenter})
		names = append(names, plot.Tick{Value: y, Label: o.name})
	}
	p.Add(lines, points, values)
	return names
}

// addCounts sets how often each class is predicted beside how often it is right.
func (d *data) addCounts(p *plot.Plot, models []outcome, o outcome, at func(int) float64) {
	var bars figure.Bars
	var points figure.Points
	var truth figure.Segments
	var names figure.Labels
	for c, n := range o.times {
		y := float64(d.rows[c])
		names = append(names, figure.Label{X: countsAt, Y: y, DX: -8, Text: d.classes[c], Color: figure.Muted, Align: draw.XRight})
		if n > 0 {
			bars = append(bars, figure.Bar{X1: countsAt, X2: at(n), Y1: y - 0.3, Y2: y + 0.3, Color: figure.Learned.Fade(0.75)})
		}
		for _, m := range models {
			points = append(points, figure.Point{X: at(m.times[c]), Y: y, Radius: 3.5, Color: figure.ZeroShot, Hollow: true})
		}
		truth = append(truth, figure.Segment{X1: at(d.counts[c]), X2: at(d.counts[c]), Y1: y - 0.42, Y2: y + 0.42, Color: figure.Ink, Width: 2})
	}
	p.Add(bars, points, truth, names)
}
