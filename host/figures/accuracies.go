package figures

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"gonum.org/v1/plot"

	"github.com/upl-host/upl-host/host/report/figure"
)

const (
	noAccuracies = "no run has an accuracy: no labels"
	interval     = "mean over the seeds, 95\u202f% interval"
	rowStep      = 26.0 // pixels between two rows
	markStep     = 9.0  // between two series of a row
)

// byMethod sets the methods side by side, each with its largest K.
func byMethod(cells []cell) (figure.Figure, string) {
	cells = largestK(measured(cells))
	if len(cells) == 0 {
		return figure.Figure{}, noAccuracies
	}
	place := methodName(cells)
	if len(distinct(cells, place)) < 2 {
		return figure.Figure{}, "the runs have one method"
	}
	t := tabulate(cells, modelOf, place)
	t.ownLooks()
	return rowsFigure("Accuracy of each method", t, cells, place, t.data("model", "method")), ""
}

// methodName is a method, with its strategy where it was run with several.
func methodName(cells []cell) setting {
	several := map[string]bool{}
	for _, method := range distinct(cells, methodOf) {
		several[method] = len(distinct(filter(cells, func(c cell) bool { return c.method == method }), strategyOf)) > 1
	}
	return func(c cell) string {
		if several[c.method] && c.strategy != "" {
			return c.method + ", " + c.strategy
		}
		return c.method
	}
}

// byStrategy sets the selection strategies side by side, each with its largest K,
// for the methods that were run with several.
func byStrategy(cells []cell) (figure.Figure, string) {
	all := measured(cells)
	cells = largestK(severalStrategies(all))
	switch {
	case len(all) == 0:
		return figure.Figure{}, noAccuracies
	case len(distinct(cells, strategyOf)) < 2:
		return figure.Figure{}, "the runs have fewer than two strategies"
	}
	t := tabulate(cells, varying(cells, modelOf, methodOf), strategyOf)
	if len(distinct(cells, modelOf)) > 1 {
		t.ownLooks() // a method's is not enough
	}
	t.looks = apart(t.looks)
	return rowsFigure("Accuracy by strategy of selection", t, cells, strategyOf, t.data("series", "strategy")), ""
}

// severalStrategies keeps the methods without labels that were run with more
// than one strategy.
func severalStrategies(cells []cell) []cell {
	cells = filter(cells, func(c cell) bool { return c.strategy != "" && !c.labelled })
	return filter(cells, func(c cell) bool {
		return len(distinct(filter(cells, func(d cell) bool { return d.method == c.method }), strategyOf)) > 1
	})
}

// largestK keeps of each setting the cells with the most pictures a class.
func largestK(cells []cell) []cell {
	key := func(c cell) [3]string { return [3]string{c.model, c.method, c.strategy} }
	most := map[[3]string]int{}
	for _, c := range cells {
		most[key(c)] = max(most[key(c)], c.k)
	}
	return filter(cells, func(c cell) bool { return c.k == most[key(c)] })
}

// rowsFigure draws a row a place. Where there is one series, each row has the look that
// its method has in the other figures.
func rowsFigure(title string, t table, cells []cell, place setting, data figure.Table) figure.Figure {
	step := max(rowStep, markStep*float64(len(t.series)+1))
	if len(t.series) == 1 {
		t.rowLooks = apart(tabulate(cells, place, func(cell) string { return "" }).looks)
	}
	f := figure.Figure{
		Title: title, Width: figure.Half, Height: 44 + step*float64(len(t.places)), Data: data,
		Draw: func(p *plot.Plot, width float64) { drawRows(p, t, step, width) },
	}
	for i, s := range t.series {
		color, shape := look(t.looks[i])
		label := s
		if t.rowLooks != nil {
			label, color, shape = interval, figure.Ink, figure.Dot
		}
		f.Keys = append(f.Keys, figure.Key{Label: figure.Elide(label, 40), Color: color, Shape: shape})
	}
	best := [2]string{}
	for at, g := range t.groups {
		if b, there := t.groups[best]; !there || g.mean > b.mean {
			best = at
		}
	}
	f.Alt = fmt.Sprintf("%d rows; the best mean is %s.", len(t.places), percent(t.groups[best].mean))
	return f
}

func drawRows(p *plot.Plot, t table, step, width float64) {
	n := len(t.places)
	ticks := make(plot.ConstantTicks, n)
	var whiskers figure.Segments
	var seeds, means figure.Points
	for i, place := range t.places {
		y := float64(n - 1 - i)
		ticks[i] = plot.Tick{Value: y, Label: figure.Elide(place, int(width/15))}
		for s, name := range t.series {
			g, there := t.groups[[2]string{name, place}]
			if !there {
				continue
			}
			color, shape := look(t.looks[s])
			if t.rowLooks != nil {
				color, shape = look(t.rowLooks[i])
			}
			at := y + markStep/step*(float64(len(t.series)-1)/2-float64(s))
			title := fmt.Sprintf("%s %s: %s over %d", name, place, percent(g.mean), len(g.values))
			if g.to > g.from {
				whiskers = append(whiskers, figure.Segment{X1: max(0, g.from), X2: min(1, g.to), Y1: at, Y2: at, Color: color.Fade(0.8), Width: 1.5, Title: title})
			}
			for _, v := range g.values {
				seeds = append(seeds, figure.Point{X: v, Y: at, Radius: 2, Color: color.Fade(0.45)})
			}
			means = append(means, figure.Point{X: g.mean, Y: at, Radius: 4.5, Color: color, Shape: shape, Title: title})
		}
	}
	figure.ShareAxis(&p.X, t.reach())
	p.X.Label.Text = "test pictures classified correctly"
	p.Y.Min, p.Y.Max = -0.6, float64(n)-0.4
	p.Y.Tick.Marker = ticks
	p.Add(figure.Grid{Vertical: true}, whiskers, seeds, means)
}

// overK shows what more pseudo labels a class are worth.
func overK(cells []cell) (figure.Figure, string) {
	all := measured(cells)
	cells = filter(all, func(c cell) bool { return c.k > 0 && !c.labelled })
	switch {
	case len(all) == 0:
		return figure.Figure{}, noAccuracies
	case len(distinct(cells, kOf)) < 2:
		return figure.Figure{}, "the runs have fewer than two K"
	}
	lines := filter(all, func(c cell) bool { return c.method == zeroShot })
	return curvesFigure("Accuracy over pseudo labels a class", axis{"pseudo labels a class K", "k", kOf}, cells, lines), ""
}

// overShots shows what labels are worth, beside the methods that take none.
func overShots(cells []cell) (figure.Figure, string) {
	all := measured(cells)
	cells = filter(all, func(c cell) bool { return c.k > 0 && c.labelled })
	switch {
	case len(all) == 0:
		return figure.Figure{}, noAccuracies
	case len(cells) == 0:
		return figure.Figure{}, "no run learned from true labels"
	case len(distinct(cells, kOf)) < 2:
		return figure.Figure{}, "the runs with true labels have one number of shots"
	}
	lines := firstStrategy(largestK(filter(all, func(c cell) bool { return !c.labelled })))
	return curvesFigure("Accuracy over labels a class, beside methods without labels", axis{"labelled pictures a class", "shots", kOf}, cells, lines), ""
}

// firstStrategy keeps of each method the strategy that comes first.
func firstStrategy(cells []cell) []cell {
	first := map[string]string{}
	return filter(cells, func(c cell) bool {
		strategy, there := first[c.method]
		if !there {
			first[c.method], strategy = c.strategy, c.strategy
		}
		return c.strategy == strategy
	})
}

// overPrompts shows what averaging more prompts, or whatever a seed learns, is worth: of
// the methods that were run with several numbers of them, each with its largest K.
func overPrompts(cells []cell) (figure.Figure, string) {
	all := measured(cells)
	cells = largestK(filter(all, func(c cell) bool { return c.prompts > 0 }))
	for i, c := range cells { // they differ in their names: upl-n1, upl-n2
		cells[i].method = c.known
	}
	several := map[string]bool{}
	for _, known := range distinct(cells, methodOf) {
		several[known] = len(distinct(filter(cells, func(c cell) bool { return c.known == known }), promptsOf)) > 1
	}
	cells = filter(cells, func(c cell) bool { return several[c.known] })
	switch {
	case len(all) == 0:
		return figure.Figure{}, noAccuracies
	case len(cells) == 0:
		return figure.Figure{}, "no method was run with several numbers of seeds to average"
	}
	lines := filter(all, func(c cell) bool { return c.method == zeroShot })
	return curvesFigure("Accuracy over the size of the ensemble", axis{"seeds averaged N", "averaged", promptsOf}, cells, lines), ""
}

// axis is a count that curves go over: its label, its name in the data, and a cell's.
type axis struct {
	label, column string
	of            setting
}

func kOf(c cell) string       { return strconv.Itoa(c.k) }
func promptsOf(c cell) string { return strconv.Itoa(c.prompts) }

// curvesFigure draws a curve a series over an axis, and level lines of what has none.
func curvesFigure(title string, x axis, cells, level []cell) figure.Figure {
	series := methodName(append(slices.Clone(cells), level...))
	curves, lines := tabulate(cells, series, x.of), tabulate(level, series, func(cell) string { return "" })
	slices.SortFunc(curves.places, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }) // they are counts
	looks := apart(slices.Concat(curves.looks, lines.looks))
	curves.looks, lines.looks = looks[:len(curves.looks)], looks[len(curves.looks):]
	data := curves.data("series", x.column)
	data.Rows = append(data.Rows, lines.data("series", x.column).Rows...)
	f := figure.Figure{
		Title: title, YLabel: "test pictures classified correctly", Width: figure.Half, Height: 270, Data: data,
		Alt:  fmt.Sprintf("%d series over %d counts, %d level.", len(curves.series), len(curves.places), len(lines.series)),
		Draw: func(p *plot.Plot, _ float64) { drawCurves(p, curves, lines, x.label) },
	}
	for i, s := range slices.Concat(curves.series, lines.series) {
		color, shape := look(looks[i])
		if i >= len(curves.series) {
			shape = figure.Dash
		}
		f.Keys = append(f.Keys, figure.Key{Label: figure.Elide(s, 40), Color: color, Shape: shape})
	}
	return f
}

func drawCurves(p *plot.Plot, curves, lines table, label string) {
	n := float64(len(curves.places))
	ticks := make(plot.ConstantTicks, len(curves.places))
	for i, k := range curves.places {
		ticks[i] = plot.Tick{Value: float64(i), Label: k} // each step alike: K doubles
	}
	p.X.Min, p.X.Max = -0.25, n-0.75
	p.X.Tick.Marker, p.X.Label.Text = ticks, label
	figure.ShareAxis(&p.Y, append(curves.reach(), lines.reach()...))
	p.Add(figure.Grid{Horizontal: true})
	for i, s := range lines.series {
		color, _ := look(lines.looks[i])
		y := lines.groups[[2]string{s, ""}].mean
		p.Add(figure.Segments{{X1: p.X.Min, X2: p.X.Max, Y1: y, Y2: y, Color: color, Width: 1.5, Dashed: true, Title: s + ": " + percent(y)}})
	}
	for i, s := range curves.series {
		color, shape := look(curves.looks[i])
		curve := figure.Curve{Color: color.Fade(0.75), Width: 1.75, Title: s}
		var marks figure.Points
		var whiskers figure.Segments
		// Series that meet are moved aside by less than a mark's width.
		aside := 0.04 * (float64(i) - float64(len(curves.series)-1)/2)
		for k, place := range curves.places {
			g, there := curves.groups[[2]string{s, place}]
			if !there {
				continue
			}
			x := float64(k) + aside
			curve.X, curve.Y = append(curve.X, x), append(curve.Y, g.mean)
			marks = append(marks, figure.Point{X: x, Y: g.mean, Radius: 4.5, Color: color, Shape: shape, Title: fmt.Sprintf("%s, %s: %s over %d", s, place, percent(g.mean), len(g.values))})
			if g.to > g.from {
				whiskers = append(whiskers, figure.Segment{X1: x, X2: x, Y1: max(0, g.from), Y2: min(1, g.to), Color: color.Fade(0.6), Width: 1.25})
			}
		}
		p.Add(whiskers, curve, marks)
	}
}
