package figures

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"unicode/utf8"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg/draw"

	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/host/report/figure"
)

const (
	mostOverlaps  = 20 // settings that a matrix of overlaps shows
	mostBars      = 3  // settings whose pairs are bars: of so few a matrix has hardly a cell
	longestColumn = 24 // characters of a column's name
)

// picks are a run's pseudo labels.
type picks struct {
	name string
	set  map[[2]string]bool // picture and class
}

// overlap shows how much of what two strategies pick is the same: Jaccard's
// index of their pseudo labels, a picture with its class. Strategies are shown with
// their largest K.
func overlap(cells []cell) (figure.Figure, string) {
	cells = filter(cells, func(c cell) bool { return c.folder != "" && !c.labelled && c.strategy != "" })
	if several := severalStrategies(cells); len(several) > 0 {
		cells = largestK(several)
	}
	all, why := readPicks(cells)
	switch {
	case why != "":
		return figure.Figure{}, why
	case len(all) < 2:
		return figure.Figure{}, "there are no two runs with different pseudo labels' settings"
	case len(all) > mostOverlaps:
		return figure.Figure{}, fmt.Sprintf("%d settings are too many: name up to %d runs", len(all), mostOverlaps)
	}
	data := figure.NewTable("a", "b", "of_a", "of_b", "both", "either", "jaccard")
	shares := make([][]*float64, len(all))
	for i, a := range all {
		shares[i] = make([]*float64, len(all))
		for j, b := range all {
			both, either, share := jaccard(a.set, b.set)
			shares[i][j] = share
			if i < j {
				data.Add(a.name, b.name, len(a.set), len(b.set), both, either, share)
			}
		}
	}
	f := figure.Figure{
		Title: "Overlap of pseudo labels: those that two settings share, of those that either has",
		Alt:   fmt.Sprintf("Jaccard's index of the pseudo labels of %d settings.", len(all)),
		Width: figure.Half, Data: data,
	}
	if len(all) <= mostBars {
		pairs := len(all) * (len(all) - 1) / 2
		f.Height = 44 + rowStep*float64(pairs)
		f.Draw = func(p *plot.Plot, width float64) { drawPairs(p, all, shares, width) }
		return f, ""
	}
	names := 0
	for _, p := range all[:len(all)-1] {
		names = max(names, min(longestColumn, utf8.RuneCountInString(p.name)))
	}
	side := 250 / float64(len(all)-1) // cells are squares
	f.Height = 34 + 5.5*float64(names) + side*float64(len(all)-1)
	f.Draw = func(p *plot.Plot, width float64) { drawOverlap(p, all, shares, width) }
	return f, ""
}

// readPicks reads the pseudo labels of one run a setting: other seeds pick the same.
func readPicks(cells []cell) (all []picks, why string) {
	name := varying(cells, modelOf, methodOf, strategyOf, kOf)
	byName := map[string]string{} // folders
	for _, c := range cells {
		at := name(c)
		if folder, there := byName[at]; there {
			if folder != c.folder && len(distinct(cells, name)) == 1 {
				name = func(c cell) string { return filepath.Base(c.folder) } // nothing else tells them apart
				return readNamed(cells, name)
			}
			continue
		}
		byName[at] = c.folder
	}
	return readNamed(cells, name)
}

func readNamed(cells []cell, name setting) (all []picks, why string) {
	seen := map[string]bool{}
	for _, c := range cells {
		if seen[name(c)] {
			continue
		}
		seen[name(c)] = true
		labels, err := evaluate.ReadPseudoLabels(filepath.Join(c.folder, "pseudo_labels.csv"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err.Error()
		}
		p := picks{name: name(c), set: map[[2]string]bool{}}
		for _, l := range labels {
			p.set[[2]string{l.Path, l.Class}] = true
		}
		all = append(all, p)
	}
	return all, ""
}

// jaccard is the share of a and b that is in both; nil where both are empty.
func jaccard(a, b map[[2]string]bool) (both, either int, share *float64) {
	for pick := range a {
		if b[pick] {
			both++
		}
	}
	either = len(a) + len(b) - both
	if either > 0 {
		v := float64(both) / float64(either)
		share = &v
	}
	return both, either, share
}

func drawOverlap(p *plot.Plot, all []picks, shares [][]*float64, width float64) {
	n := len(all)
	var cells figure.Bars
	var numbers figure.Labels
	rows, columns := make(plot.ConstantTicks, n), make(plot.ConstantTicks, n)
	for i, a := range all {
		y := float64(n - 1 - i)
		rows[i] = plot.Tick{Value: y, Label: figure.Elide(a.name, int(width/16))}
		columns[i] = plot.Tick{Value: float64(i), Label: figure.Elide(a.name, longestColumn)}
		for j := range i { // below the diagonal: the rest says the same
			share, x := shares[i][j], float64(j)
			if share == nil {
				continue
			}
			ink := figure.Ink
			if *share > 0.55 {
				ink = figure.Paper
			}
			cells = append(cells, figure.Bar{
				X1: x - 0.48, X2: x + 0.48, Y1: y - 0.48, Y2: y + 0.48, Color: figure.Learned.Fade(0.06 + 0.94**share),
				Title: fmt.Sprintf("%s and %s: %s", a.name, all[j].name, percent(*share)),
			})
			numbers = append(numbers, figure.Label{X: x, Y: y, Text: fmt.Sprintf("%.0f", 100**share), Color: ink, Align: draw.XCenter, Size: 11})
		}
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -0.5, float64(n-1)-0.5, -0.5, float64(n-1)-0.5
	p.X.Tick.Marker, p.Y.Tick.Marker = columns[:n-1], rows[1:]
	figure.Upright(p)
	p.X.Label.Text = overlapLabel
	p.Add(cells, numbers)
}

const overlapLabel = "shared pseudo labels, per cent of those of either"

// drawPairs draws a bar for each two of a few settings.
func drawPairs(p *plot.Plot, all []picks, shares [][]*float64, width float64) {
	var bars figure.Bars
	var numbers figure.Labels
	var names []string
	for j := len(all) - 1; j > 0; j-- { // the first pair stands on top
		for i := j - 1; i >= 0; i-- {
			y, share := float64(len(names)), shares[i][j]
			each := int(width / 28)
			names = append(names, figure.Elide(all[i].name, each)+" and "+figure.Elide(all[j].name, each))
			if share == nil {
				continue
			}
			bars = append(bars, figure.Bar{
				X2: *share, Y1: y - 0.32, Y2: y + 0.32, Color: figure.Learned.Fade(0.6),
				Title: fmt.Sprintf("%s and %s: %s", all[i].name, all[j].name, percent(*share)),
			})
			numbers = append(numbers, figure.Label{X: *share, Y: y, DX: 5, Text: fmt.Sprintf("%.0f", 100**share), Color: figure.Ink, Size: 11})
		}
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1.08, -0.6, float64(len(names))-0.4
	p.X.Tick.Marker, p.Y.Tick.Marker = figure.Percent(0, 1, 0.25), figure.Names(names)
	p.X.Label.Text = overlapLabel
	p.Add(figure.Grid{Vertical: true}, bars, numbers)
}
