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

// The figures, by the names of their files.
const (
	accuracyFigure     = "accuracy"
	perClassFigure     = "per-class-accuracy"
	predictedFigure    = "predictions-per-class"
	pseudoFigure       = "pseudo-label-accuracy"
	pseudoClassFigure  = "pseudo-labels-per-class"
	lossFigure         = "training-loss"
	fitFigure          = "training-accuracy"
	reliabilityFigure  = "reliability"
	confidenceFigure   = "confidence"
	confusionFigure    = "confusion-zero-shot"
	confusionFigureNow = "confusion-learned"
)

func figureNames() []string {
	return []string{
		accuracyFigure, perClassFigure, predictedFigure, pseudoFigure, pseudoClassFigure, lossFigure,
		fitFigure, reliabilityFigure, confidenceFigure, confusionFigure, confusionFigureNow,
	}
}

// maxRows is how many classes a chart names; of more, the two ends are shown.
const maxRows = 40

// figures draws what the run has data for.
func (r *run) figures() map[string]figure.Figure {
	all := []func() (figure.Figure, bool){
		r.accuracyFigure, r.perClassFigure, r.predictedFigure, r.pseudoFigure, r.pseudoClassFigure,
		r.lossFigure, r.fitFigure, r.reliabilityFigure, r.confidenceFigure,
		func() (figure.Figure, bool) { return r.confusionFigure(false) },
		func() (figure.Figure, bool) { return r.confusionFigure(true) },
	}
	charts := map[string]figure.Figure{}
	for _, make := range all {
		if chart, ok := make(); ok {
			charts[chart.Name] = chart
		}
	}
	return charts
}

// accuracyFigure sets the three accuracies side by side with their intervals.
func (r *run) accuracyFigure() (figure.Figure, bool) {
	before := r.metrics.ZeroShot.Top1
	n := r.labelled()
	if before == nil || n == 0 {
		return figure.Figure{}, false
	}
	rows := []accuracyRow{{name: "Zero-shot", share: *before, color: figure.ZeroShot}}
	if learned := r.metrics.Learned; learned != nil && learned.Top1 != nil {
		if len(learned.Seeds) > 1 && learned.SeedsMean != nil {
			row := accuracyRow{name: "One " + learned.Noun(), share: *learned.SeedsMean, color: figure.Learned}
			for _, seed := range learned.Seeds {
				if seed.Top1 != nil {
					row.seeds = append(row.seeds, seed)
				}
			}
			rows = append(rows, row)
		}
		rows = append(rows, accuracyRow{name: ensembleName(len(learned.Seeds)), share: *learned.Top1, color: figure.Learned})
	}
	for i := range rows {
		rows[i].interval = evaluate.Proportion(int(math.Round(rows[i].share*float64(n))), n)
	}
	keys := []figure.Key{{Label: "accuracy with its 95" + thin + "% interval", Color: figure.Ink, Shape: figure.Dot}}
	if len(rows) == 3 {
		keys = append(keys, figure.Key{Label: "a seed", Color: figure.Learned, Shape: figure.Ring})
	}
	return figure.Figure{
		Name: accuracyFigure, Title: "Accuracy before and after learning",
		Alt:  fmt.Sprintf("Zero-shot %s of %d test pictures, learned %s.", percent(before), n, percentOf(rows[len(rows)-1].share)),
		Keys: keys, Width: figure.Full, Height: 46 + 42*float64(len(rows)),
		Draw: func(p *plot.Plot, width float64) { drawAccuracies(p, rows, width) },
	}, true
}

type accuracyRow struct {
	name     string
	share    float64
	interval evaluate.Interval
	seeds    []evaluate.Seed
	color    figure.Color
}

func drawAccuracies(p *plot.Plot, rows []accuracyRow, width float64) {
	low, high := 1.0, 0.0
	for _, row := range rows {
		low, high = min(low, row.interval.From), max(high, row.interval.To)
		for _, seed := range row.seeds {
			low, high = min(low, *seed.Top1), max(high, *seed.Top1)
		}
	}
	step := max(0.01, figure.Step(high-low, int(width/90)))
	low, high = max(0, math.Floor(low/step)*step), min(1, math.Ceil(high/step)*step)
	lines, marks, values := make(figure.Segments, len(rows)), make(figure.Points, len(rows)), make(figure.Labels, len(rows))
	names := make([]string, len(rows))
	var seeds figure.Points
	for i, row := range rows {
		y := float64(len(rows) - 1 - i)
		names[len(rows)-1-i] = row.name
		lines[i] = figure.Segment{X1: row.interval.From, X2: row.interval.To, Y1: y, Y2: y, Color: row.color, Width: 2, Title: "95 % interval: " + span(row.interval) + " %"}
		marks[i] = figure.Point{X: row.share, Y: y, Radius: 6, Color: row.color, Title: row.name + ": " + percentOf(row.share)}
		for _, seed := range row.seeds {
			seeds = append(seeds, figure.Point{X: *seed.Top1, Y: y - 0.27, Radius: 3.5, Hollow: true, Color: row.color, Title: fmt.Sprintf("seed %d: %s", seed.Seed, percent(seed.Top1))})
		}
		values[i] = figure.Label{X: row.share, Y: y, DY: 14, Text: percentOf(row.share), Color: figure.Ink, Align: draw.XCenter, Bold: true}
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = low, high, -0.6, float64(len(rows))-0.3
	p.X.Tick.Marker, p.Y.Tick.Marker = figure.Percent(low, high, step), figure.Names(names)
	p.X.Label.Text = "test pictures classified correctly"
	p.Add(figure.Grid{Vertical: true}, lines, seeds, marks, values)
}

// classRow is a class before and after.
type classRow struct {
	Class         string
	Count         int
	Before, After *float64 // recall
	Change        float64
	WasPredicted  int
	NowPredicted  int
	Picks         int
	RightPicks    *int
}

// classRows returns the classes as they are numbered.
func (r *run) classRows() []classRow {
	rows := make([]classRow, 0, len(r.classes))
	for i, class := range r.metrics.ZeroShot.PerClass {
		row := classRow{Class: class.Class, Before: class.Recall, WasPredicted: class.Predicted}
		if class.Count != nil {
			row.Count = *class.Count
		}
		if r.learned() && i < len(r.metrics.Learned.PerClass) {
			after := r.metrics.Learned.PerClass[i]
			row.After, row.NowPredicted = after.Recall, after.Predicted
		}
		if row.Before != nil && row.After != nil {
			row.Change = *row.After - *row.Before
		}
		if pseudo := r.metrics.PseudoLabels; pseudo != nil && i < len(pseudo.PerClass) {
			row.Picks, row.RightPicks = pseudo.PerClass[i].Count, pseudo.PerClass[i].Correct
		}
		rows = append(rows, row)
	}
	return rows
}

// byChange sorts classes with test pictures by what learning changed, the
// largest gain first.
func byChange(rows []classRow) []classRow {
	rows = slices.DeleteFunc(slices.Clone(rows), func(row classRow) bool { return row.Before == nil || row.After == nil })
	sort.SliceStable(rows, func(i, j int) bool {
		if rows[i].Change != rows[j].Change {
			return rows[i].Change > rows[j].Change
		}
		return *rows[i].After > *rows[j].After
	})
	return rows
}

// ends keeps the first and last of too many rows, and says how many are left
// out between them.
func ends[T any](rows []T) (kept []T, first, left int) {
	if len(rows) <= maxRows {
		return rows, len(rows), 0
	}
	first = maxRows / 2
	return append(slices.Clone(rows[:first]), rows[len(rows)-first:]...), first, len(rows) - maxRows
}

func (r *run) perClassFigure() (figure.Figure, bool) {
	all := byChange(r.classRows())
	if len(all) == 0 {
		return figure.Figure{}, false
	}
	rows, first, left := ends(all)
	layout := rowLayout{rows: len(rows), first: first, left: left}
	better, worse := 0, 0
	for _, row := range all {
		switch {
		case row.Change > 0:
			better++
		case row.Change < 0:
			worse++
		}
	}
	return figure.Figure{
		Name: perClassFigure, Title: "Accuracy of each class before and after learning",
		Alt: fmt.Sprintf("%d of %d classes gain, %d lose, sorted by change.", better, len(all), worse),
		Keys: []figure.Key{
			{Label: "zero-shot", Color: figure.ZeroShot, Shape: figure.Ring},
			{Label: "learned", Color: figure.Learned, Shape: figure.Dot},
			{Label: "learned, worse", Color: figure.Wrong, Shape: figure.Dot},
		},
		Width: figure.Full, Height: 50 + 20*layout.height(),
		Draw: func(p *plot.Plot, width float64) { drawPerClass(p, rows, layout, width) },
	}, true
}

// rowLayout places rows from the top, with a gap where some are left out.
type rowLayout struct{ rows, first, left int }

func (l rowLayout) height() float64 {
	if l.left > 0 {
		return float64(l.rows) + 1.5
	}
	return float64(l.rows)
}

// y is the place of row i.
func (l rowLayout) y(i int) float64 {
	y := l.height() - 1 - float64(i)
	if i >= l.first {
		y -= l.height() - float64(l.rows)
	}
	return y
}

// axis names the rows.
func (l rowLayout) axis(p *plot.Plot, name func(int) string, width float64) {
	characters := int(width / 17)
	var ticks plot.ConstantTicks
	for i := range l.rows {
		ticks = append(ticks, plot.Tick{Value: l.y(i), Label: figure.Elide(name(i), characters)})
	}
	if l.left > 0 {
		ticks = append(ticks, plot.Tick{Value: l.y(l.first-1) - 1.25, Label: fmt.Sprintf("… %d more …", l.left)})
	}
	p.Y.Tick.Marker = ticks
	p.Y.Min, p.Y.Max = -0.7, l.height()-0.3
}

func drawPerClass(p *plot.Plot, rows []classRow, layout rowLayout, width float64) {
	top := 0.2
	for _, row := range rows {
		top = max(top, *row.Before, *row.After)
	}
	top = min(1, math.Ceil(top*10-1e-9)/10)
	p.X.Min, p.X.Max = -0.02*top, top*(1+70/width) // the changes stand to the right
	lines, changes := make(figure.Segments, len(rows)), make(figure.Labels, len(rows))
	before, after := make(figure.Points, len(rows)), make(figure.Points, len(rows))
	for i, row := range rows {
		y := layout.y(i)
		color, ink := figure.Learned, figure.Learned
		switch {
		case row.Change < 0:
			color, ink = figure.Wrong, figure.Wrong
		case row.Change == 0:
			ink = figure.Muted
		}
		title := fmt.Sprintf("%s: %s → %s of %s", row.Class, percent(row.Before), percent(row.After), plural(row.Count, "picture", "pictures"))
		lines[i] = figure.Segment{X1: *row.Before, X2: *row.After, Y1: y, Y2: y, Color: color.Fade(0.55), Width: 3, Title: title}
		before[i] = figure.Point{X: *row.Before, Y: y, Radius: 5, Hollow: true, Color: figure.ZeroShot, Title: title}
		after[i] = figure.Point{X: *row.After, Y: y, Radius: 5, Color: color, Title: title}
		changes[i] = figure.Label{X: p.X.Max, Y: y, Text: signed(row.Change*100, 0), Color: ink, Align: draw.XRight}
	}
	p.X.Tick.Marker = figure.Percent(0, top, max(0.05, figure.Step(top, int(width/75))))
	p.X.Label.Text = "test pictures of the class classified correctly; right: change in points"
	if width < figure.Half {
		p.X.Label.Text = "accuracy; right: change in points"
	}
	layout.axis(p, func(i int) string { return rows[i].Class }, width)
	p.Add(figure.Grid{Vertical: true}, lines, before, after, changes)
}

// predictedFigure shows how the predictions spread over the classes: what can
// be seen without labels.
func (r *run) predictedFigure() (figure.Figure, bool) {
	if r.labelled() > 0 || !r.learned() {
		return figure.Figure{}, false
	}
	all := r.classRows()
	sort.SliceStable(all, func(i, j int) bool { return all[i].WasPredicted > all[j].WasPredicted })
	rows, first, left := ends(all)
	layout := rowLayout{rows: len(rows), first: first, left: left}
	return figure.Figure{
		Name: predictedFigure, Title: "Pictures predicted as each class, before and after learning",
		Alt: fmt.Sprintf("Predictions of %d pictures over %d classes.", len(r.predictions), len(all)),
		Keys: []figure.Key{
			{Label: "zero-shot", Color: figure.ZeroShot, Shape: figure.Ring},
			{Label: "learned", Color: figure.Learned, Shape: figure.Dot},
		},
		Width: figure.Full, Height: 50 + 20*layout.height(),
		Draw: func(p *plot.Plot, width float64) { drawPredicted(p, rows, layout, width) },
	}, true
}

func drawPredicted(p *plot.Plot, rows []classRow, layout rowLayout, width float64) {
	lines := make(figure.Segments, len(rows))
	before, after := make(figure.Points, len(rows)), make(figure.Points, len(rows))
	top := 1
	for i, row := range rows {
		y, was, now := layout.y(i), float64(row.WasPredicted), float64(row.NowPredicted)
		title := fmt.Sprintf("%s: %d → %d", row.Class, row.WasPredicted, row.NowPredicted)
		lines[i] = figure.Segment{X1: was, X2: now, Y1: y, Y2: y, Color: figure.Learned.Fade(0.55), Width: 3, Title: title}
		before[i] = figure.Point{X: was, Y: y, Radius: 5, Hollow: true, Color: figure.ZeroShot, Title: title}
		after[i] = figure.Point{X: now, Y: y, Radius: 5, Color: figure.Learned, Title: title}
		top = max(top, row.WasPredicted, row.NowPredicted)
	}
	p.X.Min, p.X.Max = -0.02*float64(top), float64(top)*1.04
	p.X.Tick.Marker = figure.Numbers(0, float64(top), int(width/90), true)
	p.X.Label.Text = "test pictures predicted as the class"
	layout.axis(p, func(i int) string { return rows[i].Class }, width)
	p.Add(figure.Grid{Vertical: true}, lines, before, after)
}

func ensembleName(seeds int) string {
	if seeds == 1 {
		return "Learned"
	}
	return fmt.Sprintf("Ensemble of %d", seeds)
}
