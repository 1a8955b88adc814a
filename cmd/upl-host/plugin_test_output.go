package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/host/trial"
	"github.com/upl-host/upl-host/plugins/conformance"
)

// printReport prints a table of checks for each policy, then what failed, why, and
// what to do.
func printReport(w io.Writer, r *conformance.Report) error {
	paint := func(_ conformance.Status, s string) string { return s }
	if f, ok := w.(*os.File); ok && isTerminal(f) && os.Getenv("NO_COLOR") == "" {
		paint = painted
	}
	var b, notes, failures strings.Builder
	list := func(title string, checks []conformance.Result) {
		t := table.NewWriter()
		t.SetStyle(table.StyleLight)
		t.AppendHeader(table.Row{"check", "status", "detail"})
		for _, c := range checks {
			t.AppendRow(table.Row{c.ID, paint(c.Status, string(c.Status)), firstLine(c.Detail)})
			switch {
			case c.Status == conformance.Fail:
				fmt.Fprintf(&failures, "%s %s: %s: %s\n  why: %s\n  do:  %s\n", paint(c.Status, "FAIL"), title, c.ID, c.Title, indented(c.Detail), c.Advice)
			case c.Advice != "":
				fmt.Fprintf(&notes, "note %s: %s: %s\n", title, c.ID, c.Advice)
			}
		}
		fmt.Fprintf(&b, "%s\n%s\n", title, t.Render())
	}
	list(strings.TrimSpace(r.Plugin+" "+r.Version), r.Checks)
	for _, p := range r.Policies {
		list(fmt.Sprintf("%s %s (%s)", p.Name, p.Version, p.Kind), p.Checks)
	}
	_, err := fmt.Fprintf(w, "%s%s%s%s: %d passed, %d failed, %d skipped, in %.1f s\n", b.String(), notes.String(), failures.String(),
		r.Plugin, r.Count(conformance.Pass), r.Count(conformance.Fail), r.Count(conformance.Skip), r.Seconds)
	return err
}

func painted(status conformance.Status, s string) string {
	switch status {
	case conformance.Pass:
		return text.FgGreen.Sprint(s)
	case conformance.Fail:
		return text.FgRed.Sprint(s)
	}
	return text.Faint.Sprint(s)
}

// firstLine is what of a detail fits into a table.
func firstLine(s string) string {
	line, rest, _ := strings.Cut(s, "\n")
	const most = 100
	if runes := []rune(line); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	if rest != "" {
		return line + " …"
	}
	return line
}

func indented(s string) string { return strings.ReplaceAll(s, "\n", "\n       ") }

// printTrial prints what a policy made of a run's probabilities.
func printTrial(w io.Writer, r *trial.Result) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-15s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("policy", "%s %s (%s), %.19s…", r.Policy, r.Version, r.Kind, r.Hash)
	line("run", "%s: %d unlabeled pictures, %d classes, models %s", r.Run, r.Rows, r.Classes, strings.Join(r.Models, ", "))
	var bars []bar
	if s := r.Selection; s != nil {
		bars = selected(line, s)
	}
	if e := r.Ensemble; e != nil {
		bars = combined(line, e)
	}
	if r.Rounds > 1 {
		line("rounds", "%d", r.Rounds)
	}
	for _, m := range r.Metrics {
		line("metric", "%s = %g (round %d)", m.Name, m.Value, m.Round)
	}
	for _, l := range r.Log {
		line("log", "%s", l)
	}
	for _, note := range r.Notes {
		line("note", "%s", note)
	}
	if r.PerMillionRows != nil {
		line("time", "%.3g s, %.3g s per million rows", r.Seconds, *r.PerMillionRows)
	}
	_, err := fmt.Fprintf(w, "%s\n%s", b.String(), chart(bars))
	return err
}

// selected says what a selection selected; bars are its pseudo labels by class.
func selected(line func(name, format string, args ...any), s *trial.Selection) []bar {
	line("pseudo labels", "%d%s", s.Count, ofWhich(s))
	line("accuracy", "%s", percent(s.Accuracy))
	line("recall", "%s of the pictures with a known label got a right one", percent(s.Recall))
	if s.CandidatesRight != nil {
		line("candidate sets", "%s have the label", percent(s.CandidatesRight))
	}
	empty := "none"
	if n := len(s.EmptyClasses); n > 0 {
		const most = 8
		empty = fmt.Sprintf("%d: %s", n, strings.Join(s.EmptyClasses[:min(n, most)], ", "))
		if n > most {
			empty += fmt.Sprintf(" and %d more", n-most)
		}
	}
	line("empty classes", "%s", empty)
	if o := s.Overlap; o != nil {
		line("the run's own", "%d the same, %d of another class, %d only here, %d only there", o.Same, o.OtherClass, o.OnlyHere, o.OnlyRun)
	}
	bars := make([]bar, len(s.PerClass))
	for i, c := range s.PerClass {
		bars[i] = bar{name: c.Class, count: c.Count}
		if n := c.Known(); n > 0 {
			bars[i].note = fmt.Sprintf("%.0f %% right", 100*float64(*c.Correct)/float64(n))
		}
	}
	return bars
}

// ofWhich says what a selection has beside hard labels.
func ofWhich(s *trial.Selection) string {
	var parts []string
	for _, n := range []struct {
		format string
		count  int
	}{{"%d of them soft", s.Soft}, {"and %d candidate sets", s.Candidates}, {"and %d rows dropped", s.Drops}} {
		if n.count > 0 {
			parts = append(parts, fmt.Sprintf(n.format, n.count))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ", " + strings.Join(parts, ", ")
}

// combined says what an ensemble is like; bars are its predictions by class.
func combined(line func(name, format string, args ...any), e *trial.Ensemble) []bar {
	line("accuracy", "%s", percent(e.Top1))
	for _, m := range e.Models {
		line("  "+m.Name+" alone", "%s", percent(m.Top1))
	}
	line("confidence", "%s on average; calibration error %s", percent(e.MeanConfidence), percent(e.ECE))
	if e.Changed != nil {
		line("the run's own", "%d predictions differ", *e.Changed)
	}
	bars := make([]bar, len(e.PerClass))
	for i, c := range e.PerClass {
		bars[i] = bar{name: c.Class, count: c.Predicted, note: recall(c)}
	}
	return bars
}

func recall(c evaluate.ClassMeasures) string {
	if c.Recall == nil {
		return ""
	}
	return fmt.Sprintf("recall %.0f %%", 100**c.Recall)
}

func percent(share *float64) string {
	if share == nil {
		return "unknown (no labels)"
	}
	return fmt.Sprintf("%.1f %%", 100**share)
}

// bar is a line of a bar chart.
type bar struct {
	name  string
	count int
	note  string
}

// chart draws bars: of many classes those with most and those with fewest.
func chart(bars []bar) string {
	const most, width, nameWidth = 40, 32, 24
	left := 0
	if len(bars) > most {
		slices.SortStableFunc(bars, func(a, b bar) int { return b.count - a.count })
		left = len(bars) - most
		bars = slices.Concat(bars[:most/2], bars[len(bars)-most/2:])
	}
	largest := 1
	for _, b := range bars {
		largest = max(largest, b.count)
	}
	var out strings.Builder
	for i, b := range bars {
		if left > 0 && i == most/2 {
			fmt.Fprintf(&out, "… %d classes in between\n", left)
		}
		length := (b.count*width + largest - 1) / largest // rounded up: what is there shows
		fmt.Fprintf(&out, "%-*s %s %d", nameWidth, text.Trim(b.name, nameWidth), strings.Repeat("█", length)+strings.Repeat(" ", width-length), b.count)
		if b.note != "" {
			fmt.Fprintf(&out, "  %s", b.note)
		}
		out.WriteByte('\n')
	}
	return out.String()
}
