package matrix

import (
	"bytes"
	"encoding/csv"
	"errors"
	"flag"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/host/folder"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The quantiles are those of Student's table: t(0.975) is 12.706 for one degree of
// freedom, 4.3027 for two, 2.2622 for nine.
func TestStatistic(t *testing.T) {
	for _, test := range []struct {
		values             []float64
		mean, deviation, t float64
	}{
		{[]float64{0.5, 0.6}, 0.55, math.Sqrt(0.005), 12.7062047},
		{[]float64{0.4, 0.5, 0.6}, 0.5, 0.1, 4.30265273},
		{[]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 5.5, math.Sqrt(55.0 / 6), 2.26215716},
		{[]float64{0.25, 0.25}, 0.25, 0, 1},
	} {
		s := NewStatistic(test.values)
		half := test.t * test.deviation / math.Sqrt(float64(len(test.values)))
		for what, pair := range map[string][2]float64{
			"mean": {s.Mean, test.mean}, "deviation": {s.Deviation, test.deviation},
			"low": {s.Low, test.mean - half}, "high": {s.High, test.mean + half},
		} {
			if math.Abs(pair[0]-pair[1]) > 1e-7 {
				t.Errorf("%v: %s %v, want %v", test.values, what, pair[0], pair[1])
			}
		}
	}
	one, none := NewStatistic([]float64{0.5}), NewStatistic(nil)
	if one.Mean != 0.5 || !math.IsNaN(one.Deviation) || !math.IsNaN(one.Low) || !math.IsNaN(none.Mean) || none.N != 0 {
		t.Errorf("of one value %+v, of none %+v", one, none)
	}
}

// made is a result with numbers of every kind.
func made(datasets, models []string) *Result {
	r := &Result{Name: "made_up *&%"}
	f := func(v float64) *float64 { return &v }
	for d, dataset := range datasets {
		for m, model := range models {
			zero := 0.25 + 0.125*float64(d) + 0.0625*float64(m)
			cell := func(method, known, strategy string, k int, seed string, top1 float64) {
				c := Cell{Coordinates: config.Coordinates{Dataset: dataset, Model: model, Method: method, Known: known, Strategy: strategy, K: k, Seed: seed}, Status: Done}
				c.Folder = runFolder(strings.Join([]string{dataset, model, method, strategy, seed}, "-"))
				c.Metrics = evaluate.Metrics{Labels: true, ZeroShot: evaluate.Measures{Top1: f(zero), ECE: f(0.125)}}
				if method != "zero-shot" {
					c.Metrics.Learned = evaluate.NewLearned(evaluate.Measures{Top1: f(top1)}, []evaluate.Seed{{Seed: 1, Top1: f(top1)}})
					c.Metrics.PseudoLabels = &evaluate.PseudoLabelMeasures{Count: 10, Accuracy: f(0.75)}
				}
				r.Cells = append(r.Cells, c)
			}
			cell("zero-shot", "zero-shot", "", 0, "", zero)
			for s, seed := range []string{"1", "2", "3"} {
				cell("upl*", "upl*", "top-k", 16, seed, zero+0.1+0.01*float64(s))
				cell("upl*", "upl*", "sinkhorn", 16, seed, zero+0.05-0.01*float64(s))
			}
		}
	}
	last := &r.Cells[len(r.Cells)-1]
	last.failed(errors.New("no space, \"left\""))
	last.Metrics = evaluate.Metrics{}
	return r
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got), -update writes it:\n%s", path, diff)
	}
}

// drawings are what is in a page beside its text, which others make.
var drawings = regexp.MustCompile(`(?s)<svg.*?</svg>|<style>.*?</style>`)

func TestTables(t *testing.T) {
	for name, r := range map[string]*Result{
		"one":  made([]string{"glyphs"}, []string{"vit", "rn"}),
		"many": made([]string{"a_set", "b", "c"}, []string{"vit"}),
	} {
		f, err := folder.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.write(f); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{"cells.csv", "table.csv", "table.md", "table.tex", "table.html"} {
			got, err := os.ReadFile(f.Join(file))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join(name, file), drawings.ReplaceAll(got, nil))
		}
		var printed bytes.Buffer
		if err := r.Table().Print(&printed); err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join(name, "printed.txt"), printed.Bytes())
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Tables that are there are left alone: others may only read the folder.
func TestTablesAreWrittenOnce(t *testing.T) {
	f, err := folder.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := made([]string{"glyphs"}, []string{"vit"})
	write := func() map[string]os.FileInfo {
		if err := r.write(f); err != nil {
			t.Fatal(err)
		}
		files := make(map[string]os.FileInfo)
		for _, name := range []string{"cells.csv", "table.csv", "table.md", "table.tex", "table.html"} {
			if files[name], err = os.Stat(f.Join(name)); err != nil {
				t.Fatal(err)
			}
		}
		return files
	}
	before := write()
	for name, info := range write() {
		if !os.SameFile(before[name], info) {
			t.Errorf("%s was written again", name)
		}
	}
	r.Cells[0].failed(errors.New("late"))
	if after := write(); os.SameFile(before["cells.csv"], after["cells.csv"]) {
		t.Error("cells.csv was not written again")
	}
}

// Without labels no figure is made up.
func TestTableWithoutLabels(t *testing.T) {
	r := &Result{Name: "x", Cells: []Cell{
		{Coordinates: config.Coordinates{Dataset: "d", Model: "m", Method: "upl"}, Status: Done},
		{Coordinates: config.Coordinates{Dataset: "d", Model: "m", Method: "coop"}, Status: Waiting},
	}}
	table := r.Table()
	text := string(table.markdown())
	if !strings.Contains(text, "| upl | no labels |") || !strings.Contains(text, "| coop | – |") || strings.Contains(text, "0.0") || strings.Contains(text, "NaN") {
		t.Errorf("the table is\n%s", text)
	}
	for _, row := range table.csv()[1:] {
		for _, value := range row[9:] {
			if value != "" {
				t.Errorf("figures without labels: %q", row)
			}
		}
	}
}

// Every row of cells.csv has every column, whatever is in an error.
func TestCellsAreReadable(t *testing.T) {
	r := made([]string{"glyphs"}, []string{"vit"})
	f := written(t, r)
	file, err := os.Open(f.Join(cellsName))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil || len(rows) != len(r.Cells)+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	last := make(map[string]string)
	for i, name := range rows[0] {
		last[name] = rows[len(rows)-1][i]
	}
	if last["error"] != `no space, "left"` || last["status"] != "failed" || last["top1"] != "" {
		t.Errorf("a failed run is %q", last)
	}
}

// The table for a paper is one that TeX takes, where there is a TeX.
func TestLatexCompiles(t *testing.T) {
	tex, err := exec.LookPath("pdflatex")
	if err != nil {
		t.Skip("there is no pdflatex")
	}
	dir := t.TempDir()
	text := "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n" +
		string(made([]string{"a_set", "b"}, []string{"vit"}).Table().latex()) + "\\end{document}\n"
	if err := os.WriteFile(filepath.Join(dir, "x.tex"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(tex, "-interaction=nonstopmode", "-halt-on-error", "x.tex")
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The time that is left is that of the runs most like those to come.
func TestClock(t *testing.T) {
	run := func(method string, seed string) config.MatrixRun {
		return config.MatrixRun{Coordinates: config.Coordinates{Dataset: "d", Model: "m", Method: method, Seed: seed}}
	}
	var c clock
	if got := c.left([]config.MatrixRun{run("upl", "1")}); got != "" {
		t.Errorf("before any run: %q", got)
	}
	c.took(run("zero-shot", ""), 2*time.Second)
	c.took(run("upl", "1"), 40*time.Second)
	c.took(run("upl", "2"), 60*time.Second)
	got := c.left([]config.MatrixRun{run("upl", "3"), run("zero-shot", ""), run("new", "1")})
	if want := " (about 1m26s left)"; got != want { // 50 + 2 + the mean of all, 34
		t.Errorf("%q, want %q", got, want)
	}
}
