package matrix

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/upl-host/upl-host/host/config"
)

// interval is that of the mean in words; nothing with fewer than two runs.
func (r Row) interval() string {
	if math.IsNaN(r.Top1.Low) {
		return ""
	}
	return points(r.Top1.Low) + " to " + points(r.Top1.High)
}

// details are the figures of one row in words: its interval and what it was made of.
func (r Row) details() []string {
	gain, labels := "", ""
	if r.Known != config.MethodZeroShot && !math.IsNaN(r.Top1.Mean-r.ZeroShot) {
		gain = fmt.Sprintf("%+.1f", 100*(r.Top1.Mean-r.ZeroShot))
	}
	if !math.IsNaN(r.PseudoLabels) {
		labels = points(r.PseudoLabels)
	}
	runs := fmt.Sprint(r.Done)
	if r.Failed > 0 {
		runs += fmt.Sprintf(" (%d failed)", r.Failed)
	}
	if r.Waiting > 0 {
		runs += fmt.Sprintf(" (%d to do)", r.Waiting)
	}
	return []string{
		r.Dataset, r.Model, r.Method, r.Strategy, countText(r.K), runs,
		entry{row: &r, mean: r.Top1.Mean}.text(" ± ", "–"), r.interval(), gain, labels,
	}
}

var detailHeads = []string{"data set", "model", "method", "strategy", "K", "runs", "top-1", "95 % interval", "over zero-shot", "pseudo labels right"}

// markdown is the table for a README: methods by data sets, then every row.
func (t *Table) markdown() []byte {
	var b bytes.Buffer
	escape := strings.NewReplacer("|", "\\|", "*", "\\*", "_", "\\_", "<", "&lt;")
	row := func(cells []string) {
		for i, c := range cells {
			if c == "" {
				cells[i] = " "
			}
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	rule := func(left, right int) {
		b.WriteString("|" + strings.Repeat("---|", left) + strings.Repeat("---:|", right) + "\n")
	}
	fmt.Fprintf(&b, "# %s\n", escape.Replace(t.Name))
	for _, block := range t.blocks() {
		if block.title != "" {
			fmt.Fprintf(&b, "\n## %s\n", escape.Replace(block.title))
		}
		b.WriteString("\n")
		row(escaped(escape, block.heads, block.columns))
		rule(len(block.heads), len(block.columns))
		for _, l := range block.lines {
			cells := escaped(escape, l.labels)
			for _, e := range l.cells {
				text := e.text(" ± ", "–")
				if e.best {
					text = "**" + text + "**"
				}
				cells = append(cells, text)
			}
			row(cells)
		}
	}
	fmt.Fprintf(&b, "\n%s The best of a column is bold.\n\n## Rows\n\n", t.caption())
	row(escaped(escape, detailHeads))
	rule(4, len(detailHeads)-4)
	for _, r := range t.Rows {
		row(escaped(escape, r.details()))
	}
	return b.Bytes()
}

func escaped(r *strings.Replacer, lists ...[]string) (all []string) {
	for _, list := range lists {
		for _, text := range list {
			all = append(all, r.Replace(text))
		}
	}
	return all
}

// latex is the table for a paper, with booktabs' rules.
func (t *Table) latex() []byte {
	var b bytes.Buffer
	escape := strings.NewReplacer(
		`\`, `\textbackslash{}`, "&", `\&`, "%", `\%`, "$", `\$`, "#", `\#`, "_", `\_`, "{", `\{`, "}", `\}`,
		"~", `\textasciitilde{}`, "^", `\textasciicircum{}`, "±", `$\pm$`, "√", `$\surd$`, "*", `$^{*}$`,
	)
	b.WriteString("% Needs \\usepackage{booktabs}.\n")
	for _, block := range t.blocks() {
		fmt.Fprintf(&b, "\\begin{table}\n\\centering\n\\caption{%s%s}\n", escape.Replace(join(t.Name, block.title)+": "), escape.Replace(t.caption()))
		fmt.Fprintf(&b, "\\begin{tabular}{%s%s}\n\\toprule\n", strings.Repeat("l", len(block.heads)), strings.Repeat("r", len(block.columns)))
		fmt.Fprintf(&b, "%s \\\\\n\\midrule\n", strings.Join(escaped(escape, block.heads, block.columns), " & "))
		for _, l := range block.lines {
			cells := escaped(escape, l.labels)
			for _, e := range l.cells {
				text := e.text(" $\\pm$ ", "--")
				if e.best {
					text = "\\textbf{" + text + "}"
				}
				cells = append(cells, text)
			}
			fmt.Fprintf(&b, "%s \\\\\n", strings.Join(cells, " & "))
		}
		b.WriteString("\\bottomrule\n\\end{tabular}\n\\end{table}\n")
	}
	return b.Bytes()
}

func join(name, title string) string {
	if title == "" {
		return name
	}
	return name + ", " + title
}

// Print writes the table for a terminal.
func (t *Table) Print(w io.Writer) error {
	for _, b := range t.blocks() {
		p := table.NewWriter()
		p.SetStyle(table.StyleLight)
		p.Style().Format.Header = text.FormatDefault // names are as they were given
		p.SetTitle("%s", join(t.Name, b.title))
		header := table.Row{}
		for _, h := range append(append([]string{}, b.heads...), b.columns...) {
			header = append(header, h)
		}
		p.AppendHeader(header)
		for _, l := range b.lines {
			row := table.Row{}
			for _, label := range l.labels {
				row = append(row, label)
			}
			for _, e := range l.cells {
				row = append(row, e.text(" ± ", "–"))
			}
			p.AppendRow(row)
		}
		if _, err := fmt.Fprintln(w, p.Render()); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w, t.caption())
	return err
}
