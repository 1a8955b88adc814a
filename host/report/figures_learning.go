package report

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg/draw"

	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/host/report/figure"
)

// pseudoFigure is the paper's Fig. 4: how right pseudo labels are at each
// confidence; without labels, how many there are.
func (r *run) pseudoFigure() (figure.Figure, string) {
	pseudo := r.metrics.PseudoLabels
	if pseudo == nil || pseudo.Count == 0 {
		return figure.Figure{}, noPicks
	}
	all := r.allPicks()
	f := figure.Figure{Name: pseudoFigure, Width: figure.Half, Height: 260, Data: picksTable(pseudo.ByConfidence, all)}
	if pseudo.Accuracy == nil {
		f.Title, f.YLabel = "Confidence of the pseudo labels", "pseudo labels"
		f.Alt = fmt.Sprintf("Counts of %d pseudo labels over their confidence.", pseudo.Count)
		f.Draw = func(p *plot.Plot, _ float64) { drawPickCounts(p, pseudo.ByConfidence) }
		return f, drawn
	}
	f.Title, f.YLabel = "Accuracy of pseudo labels by their confidence", "pseudo labels that are right"
	f.Alt = fmt.Sprintf("Of %d pseudo labels %s are right.", pseudo.Count, percent(pseudo.Accuracy))
	f.Keys = []figure.Key{
		{Label: "accuracy, with 95" + thin + "% interval and count", Color: figure.Learned.Fade(0.6), Shape: figure.Box},
		{Label: "as right as confident", Color: figure.Muted, Shape: figure.Dash},
	}
	if all != nil {
		f.Keys = append(f.Keys, figure.Key{Label: "every picture of the split", Color: figure.Wrong, Shape: figure.Diamond})
	}
	f.Draw = func(p *plot.Plot, _ float64) {
		drawPickAccuracy(p, pseudo.ByConfidence)
		drawAllAccuracy(p, all)
	}
	return f, drawn
}

func confidenceAxis(p *plot.Plot, label string) {
	p.X.Min, p.X.Max = 0, 1
	p.X.Tick.Marker = figure.Percent(0, 1, 0.2)
	p.X.Label.Text = label
}

func drawPickAccuracy(p *plot.Plot, bins []evaluate.PicksByConfidence) {
	var bars figure.Bars
	var whiskers figure.Segments
	var counts figure.Labels
	for _, bin := range bins {
		n := bin.Known()
		if n == 0 || bin.Correct == nil {
			continue
		}
		share, interval := float64(*bin.Correct)/float64(n), evaluate.Proportion(*bin.Correct, n)
		title := fmt.Sprintf("confidence %.0f to %.0f %%: %d of %d right", bin.From*100, bin.To*100, *bin.Correct, n)
		gap := (bin.To - bin.From) * 0.08
		bars = append(bars, figure.Bar{X1: bin.From + gap, X2: bin.To - gap, Y1: 0, Y2: share, Color: figure.Learned.Fade(0.6), Title: title})
		middle := (bin.From + bin.To) / 2
		whiskers = append(whiskers, figure.Segment{X1: middle, X2: middle, Y1: interval.From, Y2: interval.To, Color: figure.Ink.Fade(0.7), Width: 1.25, Title: title})
		counts = append(counts, figure.Label{X: middle, Y: interval.To, DY: 12, Text: count(n), Color: figure.Muted, Align: draw.XCenter, Size: 10.5})
	}
	confidenceAxis(p, "confidence of the pseudo label")
	p.Y.Min, p.Y.Max = 0, 1.12
	p.Y.Tick.Marker = figure.Percent(0, 1, 0.2)
	p.Add(figure.Grid{Horizontal: true}, bars, figure.Segments{{X2: 1, Y2: 1, Color: figure.Muted, Width: 1.25, Dashed: true}}, whiskers, counts)
}

// allPicks are the zero-shot predictions of all unlabeled pictures by confidence,
// as if each were a pseudo label; nil where they were not measured.
func (r *run) allPicks() []evaluate.PicksByConfidence {
	if r.metrics.Unlabeled == nil || len(r.metrics.Unlabeled.Models) == 0 {
		return nil
	}
	models := r.metrics.Unlabeled.Models
	return models[len(models)-1].ByConfidence
}

func picksTable(picks, all []evaluate.PicksByConfidence) figure.Table {
	data := figure.NewTable("pictures", "from", "to", "count", "labelled", "correct")
	for _, part := range []struct {
		name string
		bins []evaluate.PicksByConfidence
	}{{"pseudo labels", picks}, {"all", all}} {
		for _, bin := range part.bins {
			data.Add(part.name, bin.From, bin.To, bin.Count, bin.Known(), bin.Correct)
		}
	}
	return data
}

func drawAllAccuracy(p *plot.Plot, bins []evaluate.PicksByConfidence) {
	curve := figure.Curve{Color: figure.Wrong.Fade(0.7), Width: 1.5}
	var marks figure.Points
	for _, bin := range bins {
		if bin.Precision == nil {
			continue
		}
		x := (bin.From + bin.To) / 2
		curve.X, curve.Y = append(curve.X, x), append(curve.Y, *bin.Precision)
		marks = append(marks, figure.Point{
			X: x, Y: *bin.Precision, Radius: 4, Color: figure.Wrong, Shape: figure.Diamond,
			Title: fmt.Sprintf("all pictures, confidence %.0f to %.0f %%: %d of %d right", bin.From*100, bin.To*100, *bin.Correct, bin.Known()),
		})
	}
	p.Add(curve, marks)
}

func drawPickCounts(p *plot.Plot, bins []evaluate.PicksByConfidence) {
	bars := make(figure.Bars, len(bins))
	var counts figure.Labels
	top := 1
	for i, bin := range bins {
		gap := (bin.To - bin.From) * 0.08
		bars[i] = figure.Bar{X1: bin.From + gap, X2: bin.To - gap, Y2: float64(bin.Count), Color: figure.Learned.Fade(0.6)}
		if bin.Count > 0 {
			counts = append(counts, figure.Label{X: (bin.From + bin.To) / 2, Y: float64(bin.Count), DY: 8, Text: count(bin.Count), Color: figure.Muted, Align: draw.XCenter, Size: 10.5})
		}
		top = max(top, bin.Count)
	}
	confidenceAxis(p, "confidence of the pseudo label")
	p.Y.Min, p.Y.Max = 0, float64(top)*1.1
	p.Y.Tick.Marker = figure.Numbers(0, float64(top), 5, true)
	p.Add(figure.Grid{Horizontal: true}, bars, counts)
}

// pseudoClassFigure counts the pseudo labels of each class, right and wrong.
func (r *run) pseudoClassFigure() (figure.Figure, string) {
	pseudo := r.metrics.PseudoLabels
	if pseudo == nil || len(pseudo.PerClass) == 0 {
		return figure.Figure{}, noPicks
	}
	all := append([]evaluate.ClassPicks(nil), pseudo.PerClass...)
	right := func(c evaluate.ClassPicks) int {
		if c.Correct == nil {
			return 0
		}
		return *c.Correct
	}
	sort.SliceStable(all, func(i, j int) bool {
		if right(all[i]) != right(all[j]) {
			return right(all[i]) > right(all[j])
		}
		return all[i].Count > all[j].Count
	})
	data := figure.NewTable("class", "count", "labelled", "correct")
	for _, row := range all {
		data.Add(row.Class, row.Count, row.Known(), row.Correct)
	}
	rows, first, left := ends(all)
	layout := rowLayout{rows: len(rows), first: first, left: left}
	f := figure.Figure{
		Name: pseudoClassFigure, Title: "Pseudo labels of each class",
		Data:  data,
		Alt:   fmt.Sprintf("%d pseudo labels over %d classes, %d of them without any.", pseudo.Count, len(all), len(pseudo.EmptyClasses)),
		Width: figure.Half, Height: 50 + 15*layout.height(),
		Draw: func(p *plot.Plot, width float64) { drawPicks(p, rows, layout, width) },
	}
	if pseudo.Accuracy != nil {
		f.Keys = []figure.Key{{Label: "right", Color: figure.Right, Shape: figure.Box}, {Label: "wrong", Color: figure.Wrong.Fade(0.75), Shape: figure.Box}}
	}
	return f, drawn
}

func drawPicks(p *plot.Plot, rows []evaluate.ClassPicks, layout rowLayout, width float64) {
	var bars figure.Bars
	var empty figure.Labels
	top := 1
	for i, row := range rows {
		y := layout.y(i)
		bar := func(from, to int, color figure.Color, what string) {
			if to > from {
				bars = append(bars, figure.Bar{X1: float64(from), X2: float64(to), Y1: y - 0.36, Y2: y + 0.36, Color: color, Title: fmt.Sprintf("%s: %d %s", row.Class, to-from, what)})
			}
		}
		if row.Correct == nil {
			bar(0, row.Count, figure.Learned.Fade(0.6), "pseudo labels")
		} else {
			bar(0, *row.Correct, figure.Right, "right")
			bar(*row.Correct, row.Known(), figure.Wrong.Fade(0.75), "wrong")
			bar(row.Known(), row.Count, figure.ZeroShot.Fade(0.5), "of unknown label")
		}
		if row.Count == 0 {
			empty = append(empty, figure.Label{Y: y, DX: 4, Text: "none", Color: figure.Wrong, Size: 11})
		}
		top = max(top, row.Count)
	}
	p.X.Min, p.X.Max = 0, float64(top)
	p.X.Tick.Marker = figure.Numbers(0, float64(top), 4, true)
	p.X.Label.Text = "pseudo labels"
	layout.axis(p, func(i int) string { return rows[i].Class }, width)
	p.Add(figure.Grid{Vertical: true}, bars, empty)
}

// taught is what was learned from: pseudo labels, or true ones.
func (r *run) taught() (one, many string) {
	if r.metrics.Learned.Supervised() {
		return "true label", "true labels"
	}
	return "pseudo label", "pseudo labels"
}

func (r *run) lossFigure() (figure.Figure, string) {
	_, labels := r.taught()
	return r.curves(figure.Figure{
		Name: lossFigure, Title: "Training loss of each seed", YLabel: "cross-entropy with the " + labels + " (nats)",
	}, "loss", func(t training) []float64 { return t.Losses }, false)
}

func (r *run) fitFigure() (figure.Figure, string) {
	label, _ := r.taught()
	return r.curves(figure.Figure{
		Name: fitFigure, Title: "Training pictures predicted as their " + label + ", of each seed", YLabel: "predicted as their " + label,
	}, "accuracy", func(t training) []float64 { return t.Right }, true)
}

// curves draws one line a seed over the epochs, and, where the seeds are too
// many to be told apart, their mean.
func (r *run) curves(f figure.Figure, column string, values func(training) []float64, share bool) (figure.Figure, string) {
	if len(r.training) == 0 {
		return f, "no training curves"
	}
	if !slices.ContainsFunc(r.training, func(t training) bool { return len(t.Epochs) > 1 }) {
		return f, "one epoch makes no curve"
	}
	f.Data = figure.NewTable("seed", "epoch", column)
	for _, t := range r.training {
		for i, v := range values(t) {
			f.Data.Add(t.Seed, t.Epochs[i], v)
		}
	}
	n := len(r.training)
	if n > figure.Seeds {
		f.Keys = []figure.Key{
			{Label: fmt.Sprintf("each of %d seeds", n), Color: figure.Seed(0, n), Shape: figure.Line},
			{Label: "mean", Color: figure.Ink, Shape: figure.Line},
		}
	} else {
		for i, t := range r.training {
			f.Keys = append(f.Keys, figure.Key{Label: "seed " + t.Seed, Color: figure.Seed(i, n), Shape: figure.Line})
		}
	}
	last := values(r.training[0])
	f.Alt = fmt.Sprintf("Over the epochs seed %s goes from %.2f to %.2f.", r.training[0].Seed, last[0], last[len(last)-1])
	f.Width, f.Height = figure.Half, 240
	f.Draw = func(p *plot.Plot, width float64) { drawCurves(p, r.training, values, share, width) }
	return f, drawn
}

func drawCurves(p *plot.Plot, seeds []training, values func(training) []float64, share bool, width float64) {
	first, last, low, high := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, t := range seeds {
		for i, v := range values(t) {
			first, last = min(first, t.Epochs[i]), max(last, t.Epochs[i])
			low, high = min(low, v), max(high, v)
		}
	}
	if least := max(0.01*math.Abs(high), 1e-6); high-low < least { // as good as flat
		low, high = low-least/2, high+least/2
	}
	step := figure.Step(high-low, 5)
	low, high = math.Floor(low/step)*step, math.Ceil(high/step+1e-9)*step
	p.X.Min, p.X.Max = first, max(last, first+1)
	p.X.Tick.Marker = figure.Numbers(first, p.X.Max, int(width/60), true)
	p.X.Label.Text = "epoch"
	p.Y.Min, p.Y.Max = low, high
	p.Y.Tick.Marker = figure.Numbers(low, high, 5, false)
	if share {
		p.Y.Min, p.Y.Max = max(0, low), min(1, high)
		p.Y.Tick.Marker = figure.Percent(p.Y.Min, p.Y.Max, max(0.01, step))
	}
	p.Add(figure.Grid{Horizontal: true})
	n := len(seeds)
	for i, t := range seeds {
		w := 1.75
		if n > figure.Seeds {
			w = 1
		}
		p.Add(figure.Curve{X: t.Epochs, Y: values(t), Color: figure.Seed(i, n), Width: w, Title: "seed " + t.Seed})
	}
	if n > figure.Seeds {
		epochs, mean := meanCurve(seeds, values)
		p.Add(figure.Curve{X: epochs, Y: mean, Color: figure.Ink, Width: 2, Title: "mean of the seeds"})
	}
}

// meanCurve is the mean over seeds, as far as all of them go.
func meanCurve(seeds []training, values func(training) []float64) (epochs, mean []float64) {
	length := len(seeds[0].Epochs)
	for _, t := range seeds {
		length = min(length, len(t.Epochs))
	}
	mean = make([]float64, length)
	for _, t := range seeds {
		for i := range mean {
			mean[i] += values(t)[i] / float64(len(seeds))
		}
	}
	return seeds[0].Epochs[:length], mean
}
