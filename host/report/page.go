package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"sort"

	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/host/report/figure"
)

//go:embed page.html.tmpl
var pageTemplate string

//go:embed page.css
var pageStyle string

// Stylesheet is the pages' look, in light and dark, on paper and on a phone.
func Stylesheet() string { return figure.Stylesheet() + pageStyle }

// page is what the template sees.
type page struct {
	Name, Model, Lede string
	Style             template.CSS
	Headline          headline
	Labels, Learned   bool
	Measures          []measure
	Classes           []classRow
	PseudoLabels      *evaluate.PseudoLabelMeasures
	Rounds            *roundTable // where there are several
	Unused            bool        // nothing was learned from the pseudo labels
	Selection         string
	Confused          []confusedPair
	Truncated         string
	Gallery           *gallery
	Configuration     string
	Manifest          node
	Skipped           []skipped
	MoreSkipped       int
	Unlabeled         *evaluate.Unlabeled
	Missing           []Missing // figures that are not drawn

	charts  map[string]figure.Figure
	figures int
	tables  int
}

// measure is a row of the table of measures.
type measure struct{ Name, Note, Before, After, Change string }

// confusedPair is a mistake that is made often.
type confusedPair struct {
	Label, Predicted string
	Before, After    int
	Total            int
}

// chart is a figure as the template shows it.
type chart struct {
	ID, Title    string
	Number       int
	Wide, Narrow template.HTML
	Half         bool
}

// maxSkipped is how many skipped pictures the page lists.
const maxSkipped = 200

// pageFunctions are those that the templates call.
var pageFunctions = template.FuncMap{
	"percent": percent, "points": points, "count": count, "plural": plural, "last": func(n int) int { return n - 1 },
}

func (r *run) render(w io.Writer, charts []figure.Figure, missing []Missing, g *gallery) error {
	parsed, err := template.New("page").Funcs(pageFunctions).Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("parsing the page's template: %w", err)
	}
	p := &page{
		Name: r.name(), Model: r.settings.model(), Lede: r.lede(),
		Style:    template.CSS(Stylesheet()), //nolint:gosec // our own files
		Headline: r.headline(), Labels: r.labelled() > 0, Learned: r.learned(),
		Measures: r.measures(), Classes: r.classRows(), PseudoLabels: r.metrics.PseudoLabels, Unlabeled: r.metrics.Unlabeled, Selection: r.selection(),
		Rounds: r.roundTable(), Unused: !r.learned() || r.metrics.Learned.Supervised(),
		Gallery: g, Configuration: r.configuration, Manifest: r.manifest.without("schema", "status"),
		Skipped: r.skipped[:min(len(r.skipped), maxSkipped)], MoreSkipped: max(0, len(r.skipped)-maxSkipped),
		charts: map[string]figure.Figure{}, Missing: missing,
	}
	for _, f := range charts {
		p.charts[f.Name] = f
	}
	pairs := r.confusedPairs()
	p.Confused = pairs[:min(len(pairs), maxConfused)]
	if len(r.classes) > maxConfusion {
		p.Truncated = fmt.Sprintf("The %d of %d classes with the most mistakes are shown.", maxConfusion, len(r.classes))
	}
	if err := parsed.Execute(w, p); err != nil {
		return fmt.Errorf("rendering the page: %w", err)
	}
	return nil
}

// Chart returns a figure by name, numbered in the order of the page; nil where
// there is none.
func (p *page) Chart(name string) *chart {
	f, ok := p.charts[name]
	if !ok {
		return nil
	}
	p.figures++
	c := &chart{ID: name, Title: f.Title, Number: p.figures, Half: f.Width <= figure.Half}
	c.Wide = template.HTML(f.Inline(f.Width))        //nolint:gosec // escaped by the figure
	c.Narrow = template.HTML(f.Inline(figure.Phone)) //nolint:gosec // escaped by the figure
	return c
}

// Has tells whether there is a figure, without numbering it.
func (p *page) Has(name string) bool {
	_, ok := p.charts[name]
	return ok
}

// Table returns the next table's number.
func (p *page) Table() int {
	p.tables++
	return p.tables
}

func (r *run) lede() string {
	pictures := r.metrics.Pictures
	text := fmt.Sprintf("%s on %s", r.settings.model(), plural(len(r.classes), "class", "classes"))
	switch {
	case r.metrics.Learned.Supervised():
		text = fmt.Sprintf("%s, learned by %s from true labels of %s", r.settings.model(), r.metrics.Learned.Method, plural(len(r.classes), "class", "classes"))
	case r.learned():
		text = fmt.Sprintf("%s, learned from %s of %s without their labels", r.settings.model(),
			plural(pictures.Unlabeled, "picture", "pictures"), plural(len(r.classes), "class", "classes"))
	}
	text += "; tested on " + plural(pictures.Test, "picture", "pictures")
	if r.labelled() == 0 {
		text += " without labels"
	}
	return text + "."
}

// selection says how the pseudo labels were made.
func (r *run) selection() string {
	s := r.settings.Label
	if s.Selection.Plugin == "" {
		return ""
	}
	text := "Selected by " + s.Selection.Plugin
	keys := make([]string, 0, len(s.Selection.Params))
	for key := range s.Selection.Params {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for i, key := range keys {
		separator := ", "
		if i == 0 {
			separator = " with "
		}
		text += fmt.Sprintf("%s%s = %v", separator, key, s.Selection.Params[key])
	}
	if n := len(r.settings.Models); n > 1 && s.Ensemble.Plugin != "" {
		text += fmt.Sprintf(", from %d models' probabilities (ensemble: %s)", n, s.Ensemble.Plugin)
	}
	return text + "."
}

func (r *run) measures() []measure {
	before, after := r.metrics.ZeroShot, evaluate.Measures{}
	if r.learned() {
		after = r.metrics.Learned.Measures
	}
	var rows []measure
	share := func(name, note string, b, a *float64) {
		if b != nil || a != nil {
			rows = append(rows, measure{name, note, percent(b), percent(a), change(b, a, points)})
		}
	}
	plain := func(name, note string, b, a *float64) {
		if b != nil || a != nil {
			rows = append(rows, measure{name, note, decimal(b), decimal(a), change(b, a, func(v float64) string { return signed(v, 3) })})
		}
	}
	share("Accuracy (top-1)", "", before.Top1, after.Top1)
	if len(r.classes) > 5 {
		share("Top-5 accuracy", "the label is among the five most probable", before.Top5, after.Top5)
	}
	share("Mean recall of a class", "every class counts alike", before.MeanPerClassRecall, after.MeanPerClassRecall)
	share("Macro F1", "", before.MacroF1, after.MacroF1)
	plain("Calibration error", "ECE, 15 bins; lower is better", before.ECE, after.ECE)
	plain("Brier score", "0 to 2; lower is better", before.Brier, after.Brier)
	plain("Negative log-likelihood", "nats; lower is better", before.NLL, after.NLL)
	share("Mean confidence", "", before.MeanConfidence, after.MeanConfidence)
	share("Classes predicted", "share of the classes that any picture is predicted as", before.Coverage, after.Coverage)
	plain("Entropy of the mean prediction", fmt.Sprintf("nats, at most %.3f; higher is more even", math.Log(float64(max(1, len(r.classes))))),
		before.MeanPredictionEntropy, after.MeanPredictionEntropy)
	return rows
}

// roundTable has a row a round, with all that is measured of it.
type roundTable struct {
	Heads []string
	Rows  [][]string
}

// roundColumns are the measures of a round: of its pseudo labels, and of what was
// learned from them. Those that need labels are left out where there are none.
func (r *run) roundColumns() (heads []string, values []func(evaluate.Round) string) {
	add := func(head string, value func(evaluate.Round) string) {
		heads, values = append(heads, head), append(values, value)
	}
	share := func(head string, of func(evaluate.Round) *float64) {
		add(head, func(round evaluate.Round) string { return percent(of(round)) })
	}
	plain := func(head string, of func(evaluate.Round) *float64) {
		add(head, func(round evaluate.Round) string { return decimal(of(round)) })
	}
	add("round", func(round evaluate.Round) string { return count(round.Round) })
	add("pseudo labels", func(round evaluate.Round) string { return count(round.PseudoLabels.Count) })
	add("classes without", func(round evaluate.Round) string { return count(len(round.PseudoLabels.EmptyClasses)) })
	if r.metrics.PseudoLabels.Accuracy != nil {
		share("of them right", func(round evaluate.Round) *float64 { return round.PseudoLabels.Accuracy })
		share("recall", func(round evaluate.Round) *float64 { return round.PseudoLabels.Recall })
	}
	if r.labelled() > 0 {
		share("accuracy", func(round evaluate.Round) *float64 { return round.Learned.Top1 })
		if len(r.classes) > 5 {
			share("top-5", func(round evaluate.Round) *float64 { return round.Learned.Top5 })
		}
		share("mean recall of a class", func(round evaluate.Round) *float64 { return round.Learned.MeanPerClassRecall })
		share("macro F1", func(round evaluate.Round) *float64 { return round.Learned.MacroF1 })
		plain("ECE", func(round evaluate.Round) *float64 { return round.Learned.ECE })
		plain("Brier", func(round evaluate.Round) *float64 { return round.Learned.Brier })
		plain("NLL", func(round evaluate.Round) *float64 { return round.Learned.NLL })
	}
	share("mean confidence", func(round evaluate.Round) *float64 { return round.Learned.MeanConfidence })
	share("classes predicted", func(round evaluate.Round) *float64 { return round.Learned.Coverage })
	plain("entropy", func(round evaluate.Round) *float64 { return round.Learned.MeanPredictionEntropy })
	return heads, values
}

// roundTable is nil of one round.
func (r *run) roundTable() *roundTable {
	if len(r.metrics.Rounds) < 2 || r.metrics.PseudoLabels == nil {
		return nil
	}
	heads, values := r.roundColumns()
	t := &roundTable{Heads: heads}
	for _, round := range r.metrics.Rounds {
		row := make([]string, len(values))
		for i, value := range values {
			row[i] = value(round)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func change(before, after *float64, format func(float64) string) string {
	if before == nil || after == nil {
		return "–"
	}
	return format(*after - *before)
}

// maxConfused is how many pairs the page lists.
const maxConfused = 12

// confusedPairs are the mistakes of the final classifier, the most frequent first.
func (r *run) confusedPairs() []confusedPair {
	if r.labelled() == 0 {
		return nil
	}
	classifiers := r.classifiers()
	before := r.confusions(classifiers[0])
	final := r.confusions(classifiers[len(classifiers)-1])
	totals := map[string]int{}
	for pair, n := range final {
		totals[pair[0]] += n
	}
	var pairs []confusedPair
	for pair, n := range final {
		if pair[0] != pair[1] {
			pairs = append(pairs, confusedPair{Label: pair[0], Predicted: pair[1], Before: before[pair], After: n, Total: totals[pair[0]]})
		}
	}
	sort.Slice(pairs, func(i, j int) bool {
		a, b := pairs[i], pairs[j]
		switch {
		case a.After != b.After:
			return a.After > b.After
		case a.Label != b.Label:
			return a.Label < b.Label
		}
		return a.Predicted < b.Predicted
	})
	return pairs
}
