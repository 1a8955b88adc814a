package figures

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/upl-host/upl-host/host/report"
	"github.com/upl-host/upl-host/host/report/figure"
)

// average is the data set that stands for all.
const average = "average"

// comparison is a figure of several runs on one data set. draw returns why
// there is none, where there is none.
type comparison struct {
	name string
	draw func(cells []cell) (figure.Figure, string)
	// averages tells whether there is a mean over data sets; perModel, whether
	// several models would be too much for one figure.
	averages, perModel bool
}

func comparisons() []comparison {
	return []comparison{
		{"accuracy-by-method", byMethod, true, false},
		{"accuracy-by-strategy", byStrategy, true, false},
		{"accuracy-over-k", overK, true, true},
		{"accuracy-over-shots", overShots, true, true},
		{"accuracy-over-prompts", overPrompts, true, true},
		{"accuracy-per-model", perModel, false, false},
		{"pick-overlap", overlap, false, true},
	}
}

// setLooks gives each method a colour and a shape, in the order of their
// appearance: those of its first strategy; the other strategies' come after all methods'.
func setLooks(cells []cell) {
	type key struct{ method, strategy string }
	looks, methods := map[key]int{}, map[string]bool{zeroShot: true}
	for _, c := range cells {
		if !methods[c.method] {
			methods[c.method] = true
			looks[key{c.method, c.strategy}] = len(looks)
		}
	}
	for i, c := range cells {
		at := key{c.method, c.strategy}
		if _, there := looks[at]; !there && c.method != zeroShot {
			looks[at] = len(looks)
		}
		cells[i].look = looks[at]
		if c.method == zeroShot {
			cells[i].look = zeroShotLook
		}
	}
}

// zeroShotLook is the grey that zero-shot has in all figures.
const zeroShotLook = -1

func look(i int) (figure.Color, figure.Shape) {
	if i == zeroShotLook {
		return figure.ZeroShot, figure.Ring
	}
	return figure.Series(i)
}

// apart keeps looks as they are, but where two of a figure have the same colour and
// another is free: then the later look has that one.
func apart(looks []int) []int {
	order := make([]int, len(looks))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(looks[a], looks[b]) })
	spread, taken := slices.Clone(looks), map[int]bool{}
	for _, i := range order {
		if looks[i] == zeroShotLook {
			continue
		}
		for step := range figure.SeriesColors {
			if at := looks[i] + step; !taken[at%figure.SeriesColors] {
				spread[i] = at
				break
			}
		}
		taken[spread[i]%figure.SeriesColors] = true
	}
	return spread
}

// part are the cells of one figure, and what its name and title say of them.
type part struct {
	cells         []cell
	dataset       string // one of several
	suffix, about string
}

// compare draws what the cells have data for: with several data sets, each
// figure once for their average, and once for each.
func compare(cells []cell) (charts []Chart, missing []report.Missing) {
	setLooks(cells)
	for _, c := range comparisons() {
		parts := c.parts(cells)
		var why []string
		drawn := len(charts)
		for _, p := range parts {
			f, reason := c.draw(p.cells)
			why = append(why, reason)
			if reason != "" {
				continue
			}
			f.Name = c.name + p.suffix
			if p.about != "" {
				f.Title += ", " + p.about
			}
			charts = append(charts, Chart{f, p.dataset, c.name})
		}
		if reasons := slices.Compact(slices.Clone(why)); len(charts) == drawn && len(reasons) == 1 { // the same of all
			missing = append(missing, report.Missing{Name: c.name, Why: reasons[0]})
			continue
		}
		for i, reason := range why {
			if reason != "" {
				missing = append(missing, report.Missing{Name: c.name, Why: parts[i].about + ": " + reason})
			}
		}
	}
	return charts, missing
}

// parts are what there is a figure of, each for itself.
func (c comparison) parts(cells []cell) (parts []part) {
	datasets := distinct(cells, func(c cell) string { return c.dataset })
	if len(datasets) > 1 && c.averages {
		parts = c.split(part{cells: averaged(cells, datasets), about: fmt.Sprintf("mean over %d data sets", len(datasets))})
	}
	for _, dataset := range datasets {
		p := part{cells: filter(cells, func(c cell) bool { return c.dataset == dataset }), about: dataset}
		if len(datasets) > 1 {
			p.dataset, p.suffix = dataset, "-"+fileName(dataset)
		}
		parts = append(parts, c.split(p)...)
	}
	return parts
}

// split makes a part of each model, where the figure shows but one.
func (c comparison) split(p part) []part {
	models := distinct(p.cells, modelOf)
	if !c.perModel || len(models) < 2 {
		return []part{p}
	}
	var parts []part
	for _, model := range models {
		parts = append(parts, part{
			cells:   filter(p.cells, func(c cell) bool { return c.model == model }),
			dataset: p.dataset, suffix: p.suffix + "-" + fileName(model), about: strings.TrimPrefix(p.about+", "+model, ", "),
		})
	}
	return parts
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

func fileName(text string) string {
	return strings.Trim(notInNames.ReplaceAllString(strings.ToLower(text), "-"), "-")
}

// averaged are the cells' means over the data sets, of those that are there for
// each. Of one that several matrices have on a data set, the first counts.
func averaged(cells []cell, datasets []string) []cell {
	type key struct {
		model, method, strategy, seed string
		k, prompts                    int
	}
	values := map[key][]float64{}
	seen := map[key]map[string]bool{}
	var means []cell
	for _, c := range cells {
		at := key{c.model, c.method, c.strategy, c.seed, c.k, c.prompts}
		if c.top1 == nil || seen[at][c.dataset] {
			continue
		}
		if seen[at] == nil {
			seen[at] = map[string]bool{}
		}
		seen[at][c.dataset] = true
		values[at] = append(values[at], *c.top1)
		if len(values[at]) == len(datasets) {
			mean := stat.Mean(values[at], nil)
			c.dataset, c.top1, c.folder = average, &mean, ""
			means = append(means, c)
		}
	}
	return means
}

func distinct(cells []cell, of func(cell) string) []string {
	var list []string
	for _, c := range cells {
		if v := of(c); !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return list
}

func filter(cells []cell, keep func(cell) bool) []cell {
	return slices.DeleteFunc(slices.Clone(cells), func(c cell) bool { return !keep(c) })
}

// measured are the cells with an accuracy, each seed once: runs that are told
// apart by nothing else have the same zero-shot.
func measured(cells []cell) []cell {
	type key struct {
		model, method, strategy, seed string
		k                             int
	}
	seen := map[key]bool{}
	return filter(cells, func(c cell) bool {
		at := key{c.model, c.method, c.strategy, c.seed, c.k}
		if c.top1 == nil || c.method == zeroShot && seen[at] {
			return false
		}
		seen[at] = true
		return true
	})
}

// group is what is shown as one mark: the accuracies of a setting's seeds.
type group struct {
	values []float64
	// mean, and its 95 % interval by Student's t; with one seed there is none.
	mean, from, to float64
}

func newGroup(values []float64) group {
	g := group{values: values, mean: stat.Mean(values, nil)}
	g.from, g.to = g.mean, g.mean
	if n := len(values); n > 1 {
		t := distuv.StudentsT{Sigma: 1, Nu: float64(n - 1)}.Quantile(0.975)
		half := t * stat.StdDev(values, nil) / math.Sqrt(float64(n))
		g.from, g.to = g.mean-half, g.mean+half
	}
	return g
}

// setting tells series apart: the parts of a cell that differ within a figure.
type setting func(cell) string

// varying is the setting of those parts that differ among the cells.
func varying(cells []cell, parts ...setting) setting {
	var kept []setting
	for _, part := range parts {
		if len(distinct(cells, part)) > 1 {
			kept = append(kept, part)
		}
	}
	return func(c cell) string {
		var texts []string
		for _, part := range kept {
			if text := part(c); text != "" {
				texts = append(texts, text)
			}
		}
		return strings.Join(texts, ", ")
	}
}

func modelOf(c cell) string    { return c.model }
func methodOf(c cell) string   { return c.method }
func strategyOf(c cell) string { return c.strategy }

// table is a figure's groups, by series and place.
type table struct {
	series, places []string
	looks          []int // of the series: those of their first cells
	rowLooks       []int // of the places, where these are told apart instead
	groups         map[[2]string]group
}

// tabulate groups the cells, in the order of their appearance.
func tabulate(cells []cell, series, place setting) table {
	t := table{series: distinct(cells, series), places: distinct(cells, place), groups: map[[2]string]group{}}
	values := map[[2]string][]float64{}
	seen := map[string]bool{}
	for _, c := range cells {
		at := [2]string{series(c), place(c)}
		if !seen[at[0]] {
			seen[at[0]] = true
			t.looks = append(t.looks, c.look)
		}
		values[at] = append(values[at], *c.top1)
	}
	for at, v := range values {
		t.groups[at] = newGroup(v)
	}
	return t
}

// ownLooks tells the series apart by themselves, whatever their methods.
func (t table) ownLooks() {
	for i := range t.looks {
		t.looks[i] = i
	}
}

// data is the table as numbers.
func (t table) data(series, place string) figure.Table {
	data := figure.NewTable(series, place, "seeds", "mean", "deviation", "from", "to")
	for _, s := range t.series {
		for _, p := range t.places {
			g, there := t.groups[[2]string{s, p}]
			if !there {
				continue
			}
			var deviation, from, to any = "", "", ""
			if len(g.values) > 1 {
				deviation, from, to = stat.StdDev(g.values, nil), g.from, g.to
			}
			data.Add(s, p, len(g.values), g.mean, deviation, from, to)
		}
	}
	return data
}

// reach are all values that an axis must hold.
func (t table) reach() []float64 {
	var values []float64
	for _, g := range t.groups {
		values = append(values, max(0, g.from), min(1, g.to), g.mean)
	}
	return values
}

func percent(share float64) string { return fmt.Sprintf("%.1f\u202f%%", 100*share) }
