package compare

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// shown is how many classes are shown that gained most, and that lost most.
const shown = 5

// Print writes the report for a terminal.
func (r *Report) Print(w io.Writer) error {
	return r.each(func(title string, t table.Writer, notes []string) error {
		t.SetTitle("%s", title)
		t.SetStyle(table.StyleLight)
		t.Style().Title.Align = text.AlignLeft
		t.Style().Format.Header = text.FormatDefault // names are as they were given
		_, err := fmt.Fprintf(w, "%s\n%s", t.Render(), lines("  ", notes))
		return err
	})
}

// Markdown writes the report as Markdown.
func (r *Report) Markdown(w io.Writer) error {
	return r.each(func(title string, t table.Writer, notes []string) error {
		_, err := fmt.Fprintf(w, "### %s\n\n%s\n%s\n", title, t.RenderMarkdown(), lines("\n", notes))
		return err
	})
}

func lines(before string, notes []string) string {
	var b strings.Builder
	for _, n := range notes {
		b.WriteString(before + n + "\n")
	}
	return b.String()
}

// each makes the report's tables, in order.
func (r *Report) each(show func(title string, t table.Writer, notes []string) error) error {
	if err := show("Configuration", r.configuration(), nil); err != nil {
		return err
	}
	if err := show("Measures", r.measures(), nil); err != nil {
		return err
	}
	pairs, notes := r.pairs()
	if err := show("Against "+r.Runs[0].Name, pairs, notes); err != nil {
		return err
	}
	const most = 4 // of pairs, whose classes fit a screen
	for i := range r.Pairs {
		p := &r.Pairs[i]
		if p.Difference == nil || len(r.Pairs) > most || !p.changed() {
			continue
		}
		if err := show(fmt.Sprintf("Classes: %s against %s", p.Run, p.Base), p.classes(), nil); err != nil {
			return err
		}
	}
	return nil
}

// configuration has a row a run and key, where it differs from the first run.
func (r *Report) configuration() table.Writer {
	t := table.NewWriter()
	t.AppendHeader(table.Row{"run", "key", "value", "in " + r.Runs[0].Name})
	for i, run := range r.Runs[1:] {
		same := true
		for _, key := range r.Configuration {
			if v := key.Values[i+1]; v != key.Values[0] {
				t.AppendRow(table.Row{run.Name, key.Key, v, key.Values[0]})
				same = false
			}
		}
		if same {
			t.AppendRow(table.Row{run.Name, "", "the same", ""})
		}
	}
	return t
}

func (r *Report) measures() table.Writer {
	t := table.NewWriter()
	t.AppendHeader(table.Row{"run", "top-1", "top-5", "mean recall", "macro-F1", "ECE", "NLL", "confidence", "pseudo labels right"})
	for i := range r.Runs {
		m := r.Runs[i].Measures()
		pseudo := ""
		if p := r.Runs[i].Metrics.TaughtFrom(); p != nil && p.Accuracy != nil {
			pseudo = fmt.Sprintf("%s of %d", percent(p.Accuracy), p.Count)
		}
		t.AppendRow(table.Row{
			r.Runs[i].Name, percent(m.Top1), percent(m.Top5), percent(m.MeanPerClassRecall), percent(m.MacroF1),
			decimal(m.ECE), decimal(m.NLL), decimal(m.MeanConfidence), pseudo,
		})
	}
	return t
}

func (r *Report) pairs() (t table.Writer, notes []string) {
	t = table.NewWriter()
	several := len(r.Pairs) > 1
	header := table.Row{"run", "pictures", "differ", "top-1, points", "95 % interval", "better on", "worse on", "McNemar p"}
	if several {
		header = append(header, "p, Holm")
	}
	t.AppendHeader(header)
	for _, p := range r.Pairs {
		row := table.Row{p.Run, p.Pictures, fmt.Sprintf("%.1f %%", 100*p.Disagreement)}
		if d := p.Difference; d != nil {
			row = append(row, points(d.Top1), points(d.Low)+" to "+points(d.High), d.OnlyRun, d.OnlyBase, probability(d.P))
			if several {
				row = append(row, probability(d.Adjusted))
			}
		}
		t.AppendRow(row)
		for _, n := range p.Notes {
			notes = append(notes, p.Run+": "+n)
		}
	}
	return t, notes
}

// changed reports whether any class gained or lost.
func (p *Pair) changed() bool {
	return slices.ContainsFunc(p.Classes, func(c Class) bool { return c.Change() != 0 })
}

// classes are those that gained and lost most.
func (p *Pair) classes() table.Writer {
	t := table.NewWriter()
	t.AppendHeader(table.Row{"class", "pictures", p.Base, p.Run, "change"})
	all := p.Classes
	for i, c := range all {
		if i < shown && c.Change() > 0 || i >= len(all)-shown && c.Change() < 0 {
			t.AppendRow(table.Row{c.Class, c.Pictures, c.Base, c.Run, fmt.Sprintf("%+d", c.Change())})
		}
	}
	return t
}

// CSV writes a row a comparison, with every figure.
func (r *Report) CSV(w io.Writer) error {
	rows := [][]string{{
		"base", "run", "pictures", "labelled", "disagreement", "only_base_right", "only_run_right",
		"top1_difference", "top1_difference_low", "top1_difference_high", "mcnemar_p", "mcnemar_p_holm",
	}}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	for _, p := range r.Pairs {
		row := []string{p.Base, p.Run, strconv.Itoa(p.Pictures), strconv.Itoa(p.Labelled), number(p.Disagreement)}
		if d := p.Difference; d != nil {
			row = append(row, strconv.Itoa(d.OnlyBase), strconv.Itoa(d.OnlyRun), number(d.Top1), number(d.Low), number(d.High), number(d.P), number(d.Adjusted))
		} else {
			row = append(row, make([]string, 7)...)
		}
		rows = append(rows, row)
	}
	return csv.NewWriter(w).WriteAll(rows)
}

func percent(share *float64) string {
	if share == nil {
		return "no labels"
	}
	return fmt.Sprintf("%.1f %%", 100**share)
}

func decimal(v *float64) string {
	if v == nil {
		return ""
	}
	return fmt.Sprintf("%.3f", *v)
}

// points is a difference of shares; one that rounds to nothing has no sign.
func points(difference float64) string {
	text := fmt.Sprintf("%+.1f", 100*difference)
	if strings.Trim(text, "+-0.") == "" {
		return "0.0"
	}
	return text
}

// probability is a p without false precision.
func probability(p float64) string {
	if p < 0.001 {
		return "< 0.001"
	}
	return fmt.Sprintf("%.3f", p)
}
