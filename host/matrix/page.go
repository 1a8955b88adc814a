package matrix

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"path"
	"strings"

	"github.com/upl-host/upl-host/host/figures"
	"github.com/upl-host/upl-host/host/folder"
	"github.com/upl-host/upl-host/host/report"
	"github.com/upl-host/upl-host/host/report/figure"
)

//go:embed table.html.tmpl
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page is what the template sees.
type page struct {
	Name, Lede, Caption string
	Style               template.CSS
	Findings            []string
	Blocks              []pageBlock
	Waiting             string // how many runs are to do; empty: none
	Charts              []chart
	Datasets            []datasetCharts // where there are several
	Missing             []report.Missing
	Heads               []string
	Rows                []pageRow
	charts              int
}

type pageBlock struct {
	Title          string
	Heads, Columns []string
	Lines          []pageLine
	Intervals      bool // some line has one
}

type pageLine struct {
	Labels  []string
	Entries []pageEntry
}

type pageEntry struct {
	Text, Interval string
	Best           bool
}

// chart is a figure where there is room, and on a phone.
type chart struct {
	Number       int
	Title        string
	Full         bool // over the width of the page
	Wide, Narrow template.HTML
}

type datasetCharts struct {
	Dataset string
	Charts  []chart
}

// pageRow is a row with links to the reports of its runs.
type pageRow struct {
	Cells   []string
	Reports []link
}

type link struct{ Text, Title, To string }

// page is the table as a page that works offline. Its figures are drawn once no run
// is to do: of many runs they take longer than the tables, which are written after each.
func (r *Result) page(f *folder.Folder, t *Table) ([]byte, error) {
	p := page{
		Name: t.Name, Lede: r.lede(t), Caption: t.caption(), Heads: detailHeads,
		Style: template.CSS(report.Stylesheet()), //nolint:gosec // our own
	}
	for _, b := range t.blocks() {
		p.Findings = append(p.Findings, b.findings()...)
		p.Blocks = append(p.Blocks, newPageBlock(b))
	}
	waiting := 0
	for _, row := range t.Rows {
		waiting += row.Waiting
		reports, err := row.reports(f)
		if err != nil {
			return nil, err
		}
		p.Rows = append(p.Rows, pageRow{row.details(), reports})
	}
	if waiting > 0 {
		p.Waiting = counted(waiting, "run")
	} else if err := p.draw(f.Path); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("rendering the matrix's page: %w", err)
	}
	return b.Bytes(), nil
}

// draw draws the figures of the matrix's folder: those of all data sets, and
// then each data set's own.
func (p *page) draw(dir string) error {
	charts, missing, err := figures.OfMatrix(dir)
	if err != nil {
		return err
	}
	p.Missing = missing
	places := make(map[string]int)
	for _, c := range charts {
		if c.Dataset == "" {
			p.Charts = append(p.Charts, p.chart(c.Figure))
		} else if _, there := places[c.Dataset]; !there {
			places[c.Dataset] = len(places)
			p.Datasets = append(p.Datasets, datasetCharts{Dataset: c.Dataset})
		}
	}
	for i := range p.Datasets { // figures are numbered as they stand
		for _, c := range charts {
			if d := &p.Datasets[i]; c.Dataset == d.Dataset {
				d.Charts = append(d.Charts, p.chart(c.Figure))
			}
		}
	}
	return nil
}

func (p *page) chart(f figure.Figure) chart {
	p.charts++
	return chart{
		Number: p.charts, Title: f.Title, Full: f.Width > figure.Half,
		Wide:   template.HTML(f.Inline(f.Width)),      //nolint:gosec // escaped by the figure
		Narrow: template.HTML(f.Inline(figure.Phone)), //nolint:gosec // escaped by the figure
	}
}

// lede says what was run.
func (r *Result) lede(t *Table) string {
	methods := t.distinct(func(r Row) string { return r.Method })
	models := t.distinct(func(r Row) string { return r.Model })
	datasets := t.distinct(func(r Row) string { return r.Dataset })
	done := 0
	for _, row := range t.Rows {
		done += row.Done
	}
	text := fmt.Sprintf("%s on %s with %s: ", counted(len(methods), "method"), oneOrCounted(datasets, "data set"), oneOrCounted(models, "model"))
	if done < len(r.Cells) {
		return text + fmt.Sprintf("%d of %s done.", done, counted(len(r.Cells), "run"))
	}
	return text + counted(done, "run") + "."
}

// oneOrCounted is the name of the one, or how many there are.
func oneOrCounted(names []string, noun string) string {
	if len(names) == 1 {
		return names[0]
	}
	return counted(len(names), noun)
}

// mostFindings is how many columns are put into words.
const mostFindings = 4

// findings say of each column which methods are highest; of data sets, of their mean
// alone.
func (b block) findings() (list []string) {
	first := 0
	if n := len(b.columns); b.means {
		first = n - 1
	} else if n > mostFindings {
		return nil
	}
	for c := first; c < len(b.columns); c++ {
		var parts []string
		for _, kind := range []struct {
			text string
			in   func(line) bool
		}{
			{"highest from true labels ", func(l line) bool { return l.supervised }},
			{"highest without labels ", func(l line) bool { return !l.supervised && !l.zeroShot }},
			{"", func(l line) bool { return l.zeroShot }},
		} {
			if text := b.highest(c, kind.in); text != "" {
				parts = append(parts, kind.text+text)
			}
		}
		if len(parts) > 1 {
			of := b.columns[c]
			if b.means {
				of = fmt.Sprintf("%s, mean over %s", b.title, counted(len(b.columns)-1, "data set"))
			}
			list = append(list, of+": "+strings.Join(parts, "; ")+".")
		}
	}
	return list
}

// highest is the line with the highest figure in a column; empty where none has any.
func (b block) highest(column int, in func(line) bool) string {
	best := -1
	for i, l := range b.lines {
		if v := l.cells[column].mean; in(l) && !math.IsNaN(v) && (best < 0 || v > b.lines[best].cells[column].mean) {
			best = i
		}
	}
	if best < 0 {
		return ""
	}
	l := b.lines[best]
	return b.name(l) + ", " + l.cells[column].text(" ± ", "–") + "\u202f%"
}

// name is a line's, with what tells it from others of its method.
func (b block) name(l line) string {
	name := l.labels[0]
	for i, head := range b.heads[1:] {
		switch label := l.labels[i+1]; {
		case label == "":
		case head == "K":
			name += ", K = " + label
		default:
			name += ", " + label
		}
	}
	return name
}

func newPageBlock(b block) pageBlock {
	p := pageBlock{Title: b.title, Heads: b.heads, Columns: b.columns}
	for _, l := range b.lines {
		line := pageLine{Labels: l.labels}
		for _, e := range l.cells {
			entry := pageEntry{Text: e.text(" ± ", "–"), Best: e.best}
			if e.row != nil {
				entry.Interval = e.row.interval()
				p.Intervals = p.Intervals || entry.Interval != ""
			}
			line.Entries = append(line.Entries, entry)
		}
		p.Lines = append(p.Lines, line)
	}
	return p
}

// reports are links to the reports of a row's runs, of those that have one.
func (r Row) reports(f *folder.Folder) (links []link, err error) {
	for _, c := range r.cells {
		name := path.Join(c.Folder, "report.html")
		if c.Status != Done {
			continue
		}
		if there, err := f.Exists(name); err != nil {
			return nil, err
		} else if !there {
			continue // report.enabled is false
		}
		l := link{Text: "report", Title: "Report of " + path.Base(c.Folder), To: name}
		if c.Seed != "" {
			l.Text = c.Seed
		}
		links = append(links, l)
	}
	return links, nil
}
