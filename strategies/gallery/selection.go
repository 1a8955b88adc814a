package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg/draw"

	"github.com/upl-host/upl-host/host/report/figure"
	"github.com/upl-host/upl-host/sdk/sdktest"
	"github.com/upl-host/upl-host/sdk/session"
)

// pick is a class that a policy has given to a picture, perhaps one of several.
type pick struct{ row, class int }

// selected is what a policy has selected.
type selected struct {
	picks    []pick
	pictures int
	right    int // pictures whose class is among those they were given
	sets     bool
}

func selectionTable() *table {
	return newTable("rule", "pictures picked", "right", "a class has", "classes without")
}

// selection runs the policy on the mean of the models.
func (e exhibit) selection(ctx context.Context, d *data, params string, t *table) (figure.Figure, error) {
	in := d.input(params)
	in.Ensemble = d.mean
	result, err := sdktest.Select(ctx, e.policy, in)
	if err != nil {
		return figure.Figure{}, err
	}
	s := judge(d, result)
	picked := strconv.Itoa(s.pictures)
	if s.sets {
		picked += fmt.Sprintf(", sets of %.2f", float64(len(s.picks))/float64(s.pictures))
	} else if more := len(s.picks) - s.pictures; more > 0 {
		picked += fmt.Sprintf(", %d picks", len(s.picks))
	}
	counts := s.counts(len(d.classes))
	t.add(called(e.policy.Name, params), picked, percent(float64(s.right)/float64(s.pictures)),
		fmt.Sprintf("%d to %d", slices.Min(counts), slices.Max(counts)), strconv.Itoa(len(s.missing(d))))
	return s.figure(d, e.title(params)), nil
}

// judge takes a selection apart. A soft label counts as its largest class.
func judge(d *data, result session.Selection) selected {
	s := selected{sets: len(result.Candidates) > 0}
	for _, l := range result.Labels {
		s.picks = append(s.picks, pick{l.Row, l.Class})
	}
	for _, set := range result.Candidates {
		for _, c := range set.Classes {
			s.picks = append(s.picks, pick{set.Row, c})
		}
	}
	for _, l := range result.Soft {
		best := l.P[0]
		for _, c := range l.P {
			if c.P > best.P {
				best = c
			}
		}
		s.picks = append(s.picks, pick{l.Row, int(best.Class)})
	}
	pictures, right := map[int]bool{}, map[int]bool{}
	for _, p := range s.picks {
		pictures[p.row] = true
		if d.labels[p.row] == p.class {
			right[p.row] = true
		}
	}
	s.pictures, s.right = len(pictures), len(right)
	return s
}

// counts are the picks of each class.
func (s *selected) counts(classes int) []int {
	counts := make([]int, classes)
	for _, p := range s.picks {
		counts[p.class]++
	}
	return counts
}

// missing names the classes without a pick.
func (s *selected) missing(d *data) []string {
	var names []string
	for c, n := range s.counts(len(d.classes)) {
		if n == 0 {
			names = append(names, d.classes[c])
		}
	}
	return names
}

// summary is what the picture amounts to.
func (s *selected) summary(d *data) string {
	text := fmt.Sprintf("%d of %d pictures picked, %s of them right", s.pictures, len(d.labels), percent(float64(s.right)/float64(s.pictures)))
	if s.sets {
		text = fmt.Sprintf("%d of %d pictures have a set, of %.2f classes; %s of the sets hold the right one", s.pictures, len(d.labels),
			float64(len(s.picks))/float64(s.pictures), percent(float64(s.right)/float64(s.pictures)))
	} else if len(s.picks) > s.pictures {
		text = fmt.Sprintf("%d of %d pictures picked, %d times; %s have their right class", s.pictures, len(d.labels), len(s.picks), percent(float64(s.right)/float64(s.pictures)))
	}
	if missing := s.missing(d); len(missing) > 0 {
		text += "; none for " + strings.Join(missing, ", ")
	}
	return text
}

// Where the counts stand, right of the probabilities.
const (
	barsFrom  = 1.13
	barsWidth = 0.37
	edge      = 1.56
)

func (s *selected) figure(d *data, title string) figure.Figure {
	right, wrong := "picked, right", "picked, wrong"
	if s.sets {
		right, wrong = "in the set, the right class", "in the set, another class"
	}
	return figure.Figure{
		Title: title, Alt: s.summary(d), YLabel: s.summary(d),
		Keys: []figure.Key{
			{Label: right, Color: figure.Right, Shape: figure.Dot},
			{Label: wrong, Color: figure.Wrong, Shape: figure.Dot},
			{Label: "not picked, at the class predicted", Color: figure.ZeroShot.Fade(0.5), Shape: figure.Dot},
		},
		Width: figure.Full, Height: 50 + 30*float64(len(d.classes)),
		Draw: func(p *plot.Plot, _ float64) { s.draw(d, p) },
	}
}

func (s *selected) draw(d *data, p *plot.Plot) {
	lines := make(figure.Segments, 0, len(d.classes)+1)
	for c := range len(d.classes) + 1 {
		y := float64(c) - 0.5
		lines = append(lines, figure.Segment{X1: 0, X2: 1, Y1: y, Y2: y, Color: figure.Rule, Width: 1})
	}
	most := slices.Max(s.counts(len(d.classes)))
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, edge, -0.5, float64(len(d.classes))-0.5
	p.X.Width, p.Y.Width = 0, 0
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks(most), figure.Names(d.names())
	p.X.Label.Text = " " // room for the captions
	captions := figure.Labels{
		{X: 0.5, Y: p.Y.Min, DY: -30, Text: "probability of the class, mean of three models", Color: figure.Muted, Align: draw.XCenter},
		{X: barsFrom + barsWidth/2, Y: p.Y.Min, DY: -30, Text: "picks of the class", Color: figure.Muted, Align: draw.XCenter},
	}
	bars, numbers := s.bars(d, most)
	p.Add(figure.Grid{Vertical: true}, lines, s.dots(d), bars, numbers, captions)
}

// ticks are those of the probabilities, then of the counts.
func ticks(most int) plot.ConstantTicks {
	all := figure.Percent(0, 1, 0.2)
	for _, tick := range figure.Numbers(0, float64(most), 4, true) {
		tick.Value = barsFrom + barsWidth*tick.Value/float64(max(most, 1))
		all = append(all, tick)
	}
	return all
}

// dots are the pictures, each in the strip of its class, those picked on top.
func (s *selected) dots(d *data) figure.Points {
	var below, above figure.Points
	asPredicted := map[pick]bool{}
	for _, p := range s.picks {
		asPredicted[p] = true
	}
	var marks []pick
	for i, c := range d.first {
		if !asPredicted[pick{i, c}] {
			marks = append(marks, pick{i, c})
		}
	}
	marks = append(marks, s.picks...)
	slices.SortStableFunc(marks, func(a, b pick) int { return cmp.Compare(row(d.mean, b.row)[b.class], row(d.mean, a.row)[a.class]) })
	seen := make([]int, len(d.classes))
	for _, m := range marks {
		p := figure.Point{
			X: float64(row(d.mean, m.row)[m.class]), Y: float64(d.rows[m.class]) + 0.8*(spread(seen[m.class])-0.5),
			Radius: 2.8, Color: figure.Wrong,
		}
		seen[m.class]++
		switch {
		case !asPredicted[m]:
			p.Radius, p.Color = 2, figure.ZeroShot.Fade(0.5)
			below = append(below, p)
			continue
		case d.labels[m.row] == m.class:
			p.Color = figure.Right
		}
		above = append(above, p)
	}
	return append(below, above...)
}

// spread is van der Corput's sequence: neighbours in a strip are far apart.
func spread(i int) float64 {
	x := 0.0
	for base := 0.5; i > 0; base /= 2 {
		x += base * float64(i&1)
		i >>= 1
	}
	return x
}

// bars are the picks of each class: those that are right, and on them the others.
func (s *selected) bars(d *data, most int) (figure.Bars, figure.Labels) {
	all, right := s.counts(len(d.classes)), make([]int, len(d.classes))
	for _, p := range s.picks {
		if d.labels[p.row] == p.class {
			right[p.class]++
		}
	}
	at := func(n int) float64 { return barsFrom + barsWidth*float64(n)/float64(max(most, 1)) }
	var bars figure.Bars
	var numbers figure.Labels
	for c, n := range all {
		y := float64(d.rows[c])
		if right[c] > 0 {
			bars = append(bars, figure.Bar{X1: barsFrom, X2: at(right[c]), Y1: y - 0.3, Y2: y + 0.3, Color: figure.Right})
		}
		if n > right[c] {
			bars = append(bars, figure.Bar{X1: at(right[c]), X2: at(n), Y1: y - 0.3, Y2: y + 0.3, Color: figure.Wrong})
		}
		numbers = append(numbers, figure.Label{X: at(n), Y: y, DX: 5, Text: strconv.Itoa(n), Color: figure.Ink, Align: draw.XLeft})
	}
	return bars, numbers
}
