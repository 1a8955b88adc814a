package matrix

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/upl-host/upl-host/host/config"
)

// tableName is that of the tables, without their endings.
const tableName = "table"

// Statistic is a figure over the seeds of a method.
type Statistic struct {
	N int
	// Mean is NaN without values; Deviation, the sample standard deviation (n - 1),
	// and the interval with fewer than two.
	Mean, Deviation, Low, High float64
}

// NewStatistic returns mean, standard deviation and 95 % interval of values. The
// interval is mean ± t s / √n, where t is the 0.975 quantile of Student's t with
// n - 1 degrees of freedom.
func NewStatistic(values []float64) Statistic {
	s := Statistic{N: len(values), Mean: math.NaN(), Deviation: math.NaN(), Low: math.NaN(), High: math.NaN()}
	if s.N == 0 {
		return s
	}
	n := float64(s.N)
	sum, squares := 0.0, 0.0
	for _, v := range values {
		sum += v
	}
	s.Mean = sum / n
	if s.N == 1 {
		return s
	}
	for _, v := range values {
		squares += (v - s.Mean) * (v - s.Mean)
	}
	s.Deviation = math.Sqrt(squares / (n - 1))
	half := distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile(0.975) * s.Deviation / math.Sqrt(n)
	s.Low, s.High = s.Mean-half, s.Mean+half
	return s
}

// Row is a method on a data set with a model: all its seeds.
type Row struct {
	config.Coordinates // without the seed
	// Failed and Waiting runs are not in the figures.
	Done, Failed, Waiting int
	// Labels says whether the test pictures have any; Supervised, whether the method
	// learnt from true labels.
	Labels, Supervised bool
	// Top1 is the accuracy; OnePrompt that of each run's prompts alone, where it has several.
	Top1, OnePrompt Statistic
	// ZeroShot and PseudoLabels are means over the runs, NaN where there are none.
	ZeroShot, PseudoLabels float64

	cells []*Cell
}

// Table sets the runs of a matrix side by side.
type Table struct {
	Name string
	Rows []Row
}

// Table returns the table of the runs that are done.
func (r *Result) Table() *Table {
	t := &Table{Name: r.Name}
	groups := make(map[config.Coordinates][]*Cell)
	var order []config.Coordinates
	for i := range r.Cells {
		at := r.Cells[i].Coordinates
		at.Seed = ""
		if groups[at] == nil {
			order = append(order, at)
		}
		groups[at] = append(groups[at], &r.Cells[i])
	}
	for _, at := range order {
		t.Rows = append(t.Rows, newRow(at, groups[at]))
	}
	return t
}

func newRow(at config.Coordinates, cells []*Cell) Row {
	row := Row{Coordinates: at, cells: cells}
	var top1, one, zeroShot, pseudoLabels []float64
	take := func(into *[]float64, v *float64) {
		if v != nil {
			*into = append(*into, *v)
		}
	}
	for _, c := range cells {
		switch c.Status {
		case Failed:
			row.Failed++
			continue
		case Waiting:
			row.Waiting++
			continue
		}
		row.Done++
		row.Labels = row.Labels || c.Metrics.Labels
		row.Supervised = row.Supervised || c.Metrics.Learned.Supervised()
		take(&top1, c.Measures().Top1)
		take(&zeroShot, c.Metrics.ZeroShot.Top1)
		if l := c.Metrics.Learned; l != nil && len(l.Seeds) > 1 {
			for _, s := range l.Seeds {
				take(&one, s.Top1)
			}
		}
		// Those that nothing was learned from say nothing of the method.
		if p := c.Metrics.TaughtFrom(); p != nil && c.Metrics.Learned != nil {
			take(&pseudoLabels, p.Accuracy)
		}
	}
	row.Top1, row.OnePrompt = NewStatistic(top1), NewStatistic(one)
	row.ZeroShot, row.PseudoLabels = NewStatistic(zeroShot).Mean, NewStatistic(pseudoLabels).Mean
	return row
}

// csvHeader are the columns of table.csv.
var csvHeader = []string{
	"dataset", "model", "method", "known_method", "strategy", "k", "runs", "failed", "waiting", "top1_mean", "top1_deviation", "top1_low", "top1_high",
	"zero_shot_top1", "gain", "seeds_mean", "seeds_deviation", "pseudo_label_accuracy",
}

// csv is the table in long form, with every figure.
func (t *Table) csv() [][]string {
	rows := [][]string{csvHeader}
	for _, r := range t.Rows {
		rows = append(rows, []string{
			r.Dataset, r.Model, r.Method, r.Known, r.Strategy, countText(r.K), strconv.Itoa(r.Done), strconv.Itoa(r.Failed), strconv.Itoa(r.Waiting),
			finite(r.Top1.Mean), finite(r.Top1.Deviation), finite(r.Top1.Low), finite(r.Top1.High),
			finite(r.ZeroShot), finite(r.Top1.Mean - r.ZeroShot), finite(r.OnePrompt.Mean), finite(r.OnePrompt.Deviation), finite(r.PseudoLabels),
		})
	}
	return rows
}

// finite is a number as cells.csv has them; empty for NaN.
func finite(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return number(&v)
}

// block is a part of the table as people read it: a method a row, a data set or a
// model a column.
type block struct {
	title   string
	heads   []string // of the columns of methods
	columns []string
	means   bool // the last column is the mean of the others
	lines   []line
}

type line struct {
	labels               []string
	supervised, zeroShot bool
	cells                []entry
}

// entry is a figure in a block.
type entry struct {
	row  *Row
	mean float64 // also of the column of means, which has no row
	best bool
}

// blocks lays the table out: columns are data sets where there are several, with
// their mean, and a block a model; models otherwise.
func (t *Table) blocks() []block {
	datasets := t.distinct(func(r Row) string { return r.Dataset })
	models := t.distinct(func(r Row) string { return r.Model })
	if len(datasets) <= 1 {
		title := ""
		if len(datasets) == 1 {
			title = datasets[0]
		}
		return []block{t.block(title, models, false, func(Row) bool { return true }, func(r Row) string { return r.Model })}
	}
	var blocks []block
	for _, model := range models {
		blocks = append(blocks, t.block(model, datasets, true, func(r Row) bool { return r.Model == model }, func(r Row) string { return r.Dataset }))
	}
	return blocks
}

// distinct are the values that rows have, in their order.
func (t *Table) distinct(of func(Row) string) (values []string) {
	for _, r := range t.Rows {
		if v := of(r); v != "" && !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return values
}

func (t *Table) block(title string, columns []string, means bool, in func(Row) bool, columnOf func(Row) string) block {
	b := block{title: title, heads: []string{"method"}, columns: columns, means: means}
	// A column that says the same of every method says nothing.
	strategy := len(t.distinct(func(r Row) string { return r.Strategy })) > 1
	k := len(t.distinct(func(r Row) string { return countText(r.K) })) > 1
	if strategy {
		b.heads = append(b.heads, "strategy")
	}
	if k {
		b.heads = append(b.heads, "K")
	}
	places := make(map[[3]string]int)
	for i := range t.Rows {
		r := &t.Rows[i]
		if !in(*r) {
			continue
		}
		labels := []string{r.Method}
		if strategy {
			labels = append(labels, r.Strategy)
		}
		if k {
			labels = append(labels, countText(r.K))
		}
		key := [3]string{r.Method, r.Strategy, countText(r.K)}
		at, there := places[key]
		if !there {
			at = len(b.lines)
			places[key] = at
			b.lines = append(b.lines, line{labels: labels, cells: make([]entry, len(columns))})
			for c := range columns {
				b.lines[at].cells[c].mean = math.NaN()
			}
		}
		l := &b.lines[at]
		l.supervised, l.zeroShot = l.supervised || r.Supervised, r.Known == config.MethodZeroShot
		l.cells[slices.Index(columns, columnOf(*r))] = entry{row: r, mean: r.Top1.Mean}
	}
	if means {
		b.columns = append(slices.Clone(columns), "mean")
		for i := range b.lines {
			sum := 0.0
			for _, e := range b.lines[i].cells {
				sum += e.mean
			}
			b.lines[i].cells = append(b.lines[i].cells, entry{mean: sum / float64(len(columns))})
		}
	}
	b.mark()
	return b
}

// mark marks the best of each column, as it is printed.
func (b *block) mark() {
	for c := range b.columns {
		best := math.Inf(-1)
		for _, l := range b.lines {
			if v := l.cells[c].mean; v > best {
				best = v
			}
		}
		for i := range b.lines {
			e := &b.lines[i].cells[c]
			e.best = len(b.lines) > 1 && points(e.mean) == points(best)
		}
	}
}

// points is a share in percent with one decimal.
func points(share float64) string { return fmt.Sprintf("%.1f", 100*share) }

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// text is an entry, with what stands between mean and deviation, and for none.
func (e entry) text(plusMinus, none string) string {
	switch {
	case e.row != nil && e.row.Done > 0 && !e.row.Labels:
		return "no labels"
	case e.row != nil && e.row.Done == 0 && e.row.Failed > 0:
		return "failed"
	case math.IsNaN(e.mean):
		return none
	case e.row == nil || math.IsNaN(e.row.Top1.Deviation):
		return points(e.mean)
	}
	return points(e.mean) + plusMinus + points(e.row.Top1.Deviation)
}

// caption says what the figures are.
func (t *Table) caption() string {
	most, failed := 0, 0
	for _, r := range t.Rows {
		most = max(most, r.Top1.N)
		failed += r.Failed
	}
	text := "Top-1 accuracy in %"
	if most > 1 {
		text += fmt.Sprintf(", mean ± standard deviation (n - 1) over %d seeds; the 95 %% interval is mean ± t s / √n, t the 0.975 quantile of Student's t with n - 1 degrees of freedom", most)
	}
	if failed > 0 {
		text += fmt.Sprintf("; left out: %s that failed", counted(failed, "run"))
	}
	return text + "."
}
