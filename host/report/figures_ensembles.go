package report

import (
	"fmt"

	"gonum.org/v1/plot"

	"github.com/upl-host/upl-host/host/report/figure"
)

// promptsFigure shows what more prompts, or whatever a seed learns, are worth: the
// ensembles of the first n seeds, and each seed alone.
func (r *run) promptsFigure() (figure.Figure, string) {
	switch learned := r.metrics.Learned; {
	case r.labelled() == 0:
		return figure.Figure{}, noLabels
	case learned == nil:
		return figure.Figure{}, nothingLearned
	case len(learned.Seeds) < 2:
		return figure.Figure{}, "there is one " + learned.Noun()
	case len(learned.Ensembles) == 0 || learned.Ensembles[0].Top1 == nil || learned.Ensembles[0].Size == 0: // the last: a file of another Format
		return figure.Figure{}, "metrics.json has no ensembles of the first seeds"
	}
	learned, data := r.metrics.Learned, figure.NewTable("seeds", "ensemble", "last_seed", "last_seed_alone")
	for i, e := range learned.Ensembles {
		data.Add(e.Size, e.Top1, learned.Seeds[i].Seed, learned.Seeds[i].Top1)
	}
	last := learned.Ensembles[len(learned.Ensembles)-1]
	return figure.Figure{
		Name: promptsFigure, Title: "Accuracy of the ensemble of the first N " + learned.Noun() + "s",
		Alt:    fmt.Sprintf("From %s with one %s to %s with %d.", percent(learned.Ensembles[0].Top1), learned.Noun(), percent(last.Top1), last.Size),
		YLabel: "test pictures classified correctly", Width: figure.Half, Height: 240, Data: data,
		Keys: []figure.Key{
			{Label: "ensemble of the first N", Color: figure.Learned, Shape: figure.Dot},
			{Label: "the N-th alone", Color: figure.ZeroShot, Shape: figure.Ring},
			{Label: "zero-shot", Color: figure.Muted, Shape: figure.Dash},
		},
		Draw: func(p *plot.Plot, width float64) { r.drawPrompts(p, width) },
	}, drawn
}

func (r *run) drawPrompts(p *plot.Plot, width float64) {
	learned, zero := r.metrics.Learned, *r.metrics.ZeroShot.Top1
	curve := figure.Curve{Color: figure.Learned.Fade(0.7), Width: 1.75}
	var ensembles, alone figure.Points
	values := []float64{zero}
	for i, e := range learned.Ensembles {
		n := float64(e.Size)
		seed := learned.Seeds[i]
		curve.X, curve.Y = append(curve.X, n), append(curve.Y, *e.Top1)
		ensembles = append(ensembles, figure.Point{X: n, Y: *e.Top1, Radius: 4.5, Color: figure.Learned, Title: fmt.Sprintf("%s: %s", plural(e.Size, learned.Noun(), learned.Noun()+"s"), percent(e.Top1))})
		alone = append(alone, figure.Point{X: n, Y: *seed.Top1, Radius: 4, Hollow: true, Color: figure.ZeroShot, Title: fmt.Sprintf("seed %d: %s", seed.Seed, percent(seed.Top1))})
		values = append(values, *e.Top1, *seed.Top1)
	}
	n := float64(len(learned.Ensembles))
	p.X.Min, p.X.Max = 1-0.04*n, n+0.04*n
	p.X.Tick.Marker = figure.Numbers(1, n, int(width/45), true)
	p.X.Label.Text = "number of " + learned.Noun() + "s N"
	figure.ShareAxis(&p.Y, values)
	p.Add(figure.Grid{Horizontal: true},
		figure.Segments{{X1: p.X.Min, X2: p.X.Max, Y1: zero, Y2: zero, Color: figure.Muted, Width: 1.25, Dashed: true, Title: "zero-shot: " + percentOf(zero)}},
		alone, curve, ensembles)
}

// roundsFigure shows what selecting and learning again is worth.
func (r *run) roundsFigure() (figure.Figure, string) {
	if len(r.metrics.Rounds) < 2 {
		return figure.Figure{}, "the run has one round"
	}
	if r.labelled() == 0 {
		return figure.Figure{}, noLabels
	}
	data := figure.NewTable("round", "top1", "pseudo_labels", "pseudo_label_accuracy")
	tests := roundSeries{name: "test pictures, learned", color: figure.Learned, shape: figure.Dot}
	picks := roundSeries{name: "pseudo labels", color: figure.Wrong, shape: figure.Square}
	for _, round := range r.metrics.Rounds {
		picked := *round.PseudoLabels
		tests.add(round.Round, round.Learned.Top1)
		picks.add(round.Round, picked.Accuracy)
		data.Add(round.Round, round.Learned.Top1, picked.Count, picked.Accuracy)
	}
	series := []roundSeries{tests, picks}
	f := figure.Figure{
		Name: roundsFigure, Title: "Accuracy over the rounds", Alt: fmt.Sprintf("Of %d rounds.", len(r.metrics.Rounds)),
		YLabel: "right", Width: figure.Half, Height: 240, Data: data,
		Draw: func(p *plot.Plot, width float64) { drawRounds(p, series, len(r.metrics.Rounds), width) },
	}
	for _, s := range series {
		if len(s.values) > 0 {
			f.Keys = append(f.Keys, figure.Key{Label: s.name, Color: s.color, Shape: s.shape})
			f.Alt += fmt.Sprintf(" %s: from %s to %s.", s.name, percentOf(s.values[0]), percentOf(s.values[len(s.values)-1]))
		}
	}
	return f, drawn
}

// roundSeries is a share over the rounds in which it is known.
type roundSeries struct {
	name           string
	color          figure.Color
	shape          figure.Shape
	rounds, values []float64
}

func (s *roundSeries) add(round int, share *float64) {
	if share != nil {
		s.rounds, s.values = append(s.rounds, float64(round)), append(s.values, *share)
	}
}

func drawRounds(p *plot.Plot, series []roundSeries, rounds int, width float64) {
	n := float64(rounds)
	p.X.Min, p.X.Max = 1-0.04*n, n+0.04*n
	p.X.Tick.Marker = figure.Numbers(1, n, int(width/45), true)
	p.X.Label.Text = "round"
	var values []float64
	for _, s := range series {
		values = append(values, s.values...)
	}
	figure.ShareAxis(&p.Y, values)
	p.Add(figure.Grid{Horizontal: true})
	for _, s := range series {
		var marks figure.Points
		for i, v := range s.values {
			marks = append(marks, figure.Point{X: s.rounds[i], Y: v, Radius: 4.5, Color: s.color, Shape: s.shape, Title: fmt.Sprintf("%s, round %.0f: %s", s.name, s.rounds[i], percentOf(v))})
		}
		p.Add(figure.Curve{X: s.rounds, Y: s.values, Color: s.color.Fade(0.7), Width: 1.75, Title: s.name}, marks)
	}
}

// pairsFigure shows the mistakes that are made most often.
func (r *run) pairsFigure() (figure.Figure, string) {
	if r.labelled() == 0 {
		return figure.Figure{}, noLabels
	}
	all := r.confusedPairs()
	if len(all) == 0 {
		return figure.Figure{}, "there is no mistake"
	}
	data := figure.NewTable("label", "predicted", "zero_shot", "final", "of")
	for _, pair := range all {
		data.Add(pair.Label, pair.Predicted, pair.Before, pair.After, pair.Total)
	}
	pairs := all[:min(len(all), maxConfused)]
	f := figure.Figure{
		Name: pairsFigure, Title: "The mistakes made most often",
		Alt:   fmt.Sprintf("First of all %s, taken for %s %s.", pairs[0].Label, pairs[0].Predicted, plural(pairs[0].After, "time", "times")),
		Width: figure.Half, Height: 50 + 22*float64(len(pairs)), Data: data,
		Keys: []figure.Key{{Label: r.finalName(), Color: figure.Wrong.Fade(0.75), Shape: figure.Box}},
		Draw: func(p *plot.Plot, width float64) { r.drawPairs(p, pairs, width) },
	}
	if r.learned() {
		f.Keys = append(f.Keys, figure.Key{Label: "zero-shot", Color: figure.ZeroShot, Shape: figure.Ring})
	}
	return f, drawn
}

// finalName is what the last classifier is called.
func (r *run) finalName() string {
	classifiers := r.classifiers()
	return classifiers[len(classifiers)-1].name
}

func (r *run) drawPairs(p *plot.Plot, pairs []confusedPair, width float64) {
	layout := rowLayout{rows: len(pairs), first: len(pairs)}
	var bars figure.Bars
	var before figure.Points
	top := 1
	for i, pair := range pairs {
		y, title := layout.y(i), fmt.Sprintf("%s taken for %s: %d of %d", pair.Label, pair.Predicted, pair.After, pair.Total)
		bars = append(bars, figure.Bar{X2: float64(pair.After), Y1: y - 0.32, Y2: y + 0.32, Color: figure.Wrong.Fade(0.75), Title: title})
		top = max(top, pair.After)
		if r.learned() {
			before = append(before, figure.Point{X: float64(pair.Before), Y: y, Radius: 4.5, Hollow: true, Color: figure.ZeroShot, Title: fmt.Sprintf("zero-shot: %d", pair.Before)})
			top = max(top, pair.Before)
		}
	}
	p.X.Min, p.X.Max = -0.03*float64(top), float64(top)*1.05
	p.X.Tick.Marker = figure.Numbers(0, float64(top), 4, true)
	p.X.Label.Text = "test pictures"
	each := int(width / 24)
	layout.axis(p, func(i int) string {
		return figure.Elide(pairs[i].Label, each) + " → " + figure.Elide(pairs[i].Predicted, each)
	}, 2*width)
	p.Add(figure.Grid{Vertical: true}, bars, before)
}
