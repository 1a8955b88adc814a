package verify

import (
	"fmt"
	"io"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Print writes the report for a terminal.
func (r *Report) Print(w io.Writer) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"data set", "model", "method", "K", "ours", "published", "difference", "verdict", "source"})
	for _, l := range r.Lines {
		k := any("")
		if l.K > 0 {
			k = l.K
		}
		ours := fmt.Sprintf("%.2f", l.Ours)
		if l.Deviation != nil {
			ours += fmt.Sprintf(" ± %.2f", *l.Deviation)
		}
		t.AppendRow(table.Row{
			l.Dataset, l.Model, l.Method, k, ours, fmt.Sprintf("%.2f", l.Top1), fmt.Sprintf("%+.2f", l.Difference), l.Verdict,
			l.Source + " (" + l.Status + ")",
		})
	}
	if _, err := fmt.Fprintf(w, "%s\nTop-1 accuracy in %%. Zero-shot agrees within %.1f points of any source; what is learnt has no bound.\n", t.Render(), ZeroShotBound); err != nil {
		return err
	}
	var shown [][]string
	for _, l := range r.Lines {
		if len(l.Knobs) == 0 || slices.ContainsFunc(shown, func(k []string) bool { return slices.Equal(k, l.Knobs) }) {
			continue
		}
		shown = append(shown, l.Knobs)
		fmt.Fprintf(w, "\n%s, %s: what may explain the difference\n", l.Dataset, l.Method)
		for _, knob := range l.Knobs {
			fmt.Fprintf(w, "  %s\n", knob)
		}
	}
	if r.Failed > 0 {
		fmt.Fprintf(w, "\nIn no figure: runs that failed, %d; cells.csv says why.\n", r.Failed)
	}
	if len(r.Unknown) > 0 {
		fmt.Fprintf(w, "\nNo published figure is known of %d rows:\n", len(r.Unknown))
		for _, name := range r.Unknown {
			fmt.Fprintf(w, "  %s\n", name)
		}
	}
	return nil
}

// Differing is how many zero-shot figures agree with no source.
func (r *Report) Differing() int {
	places := make(map[[2]string]bool)
	for _, l := range r.Lines {
		if l.Verdict == Differs {
			places[[2]string{l.Dataset, l.Model}] = true
		}
	}
	return len(places)
}
