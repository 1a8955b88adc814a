package figures_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/host/figures"
	"github.com/upl-host/upl-host/host/report"
	"github.com/upl-host/upl-host/host/report/figure"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write writes a file of a made-up folder.
func write(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(content), 0o600))
}

const header = "dataset,model,method,strategy,k,seed,top1,run\n"

// matrix is a folder of cells with numbers that are easily checked.
func matrix(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var cells strings.Builder
	cells.WriteString(header)
	for _, dataset := range []string{"pets", "Flowers 102"} {
		for seed := 1; seed <= 3; seed++ {
			s := 0.01 * float64(seed-2)
			fmt.Fprintf(&cells, "%s,vit,zero-shot,,,%d,0.5,\n", dataset, seed)
			for i, k := range []int{1, 4, 16} {
				gain := 0.05 * float64(i)
				fmt.Fprintf(&cells, "%s,vit,upl,top-k,%d,%d,%g,runs/top-k\n", dataset, k, seed, 0.6+gain+s)
				fmt.Fprintf(&cells, "%s,vit,upl,margin,%d,%d,%g,runs/margin\n", dataset, k, seed, 0.58+gain+2*s)
				fmt.Fprintf(&cells, "%s,vit,coop,,%d,%d,%g,\n", dataset, k, seed, 0.55+2*gain+s)
			}
		}
	}
	cells.WriteString("pets,vit,tip-adapter,,16,1,,\n") // failed
	write(t, dir, "cells.csv", cells.String())
	write(t, dir, "runs/top-k/pseudo_labels.csv", "path,class,weight,probability\na,cat,1,0.9\nb,dog,1,0.8\nc,cat,1,0.7\n")
	write(t, dir, "runs/margin/pseudo_labels.csv", "path,class,weight,probability\na,cat,1,0.9\nb,cat,1,0.8\nd,dog,1,0.7\n")
	return dir
}

func table(t *testing.T, path string) map[string]map[string]string {
	t.Helper()
	file, err := os.Open(path)
	must(t, err)
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	must(t, err)
	rows := map[string]map[string]string{}
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = record[i]
		}
		rows[record[0]+"|"+record[1]] = row
	}
	return rows
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	must(t, err)
	return v
}

func TestMatrix(t *testing.T) {
	dir := matrix(t)
	out := filepath.Join(t.TempDir(), "out")
	result, err := figures.Write(context.Background(), []string{dir}, figures.Options{Out: out, Formats: figure.Formats()})
	must(t, err)
	var names []string
	for _, f := range result.Drawn {
		names = append(names, f.Name)
		for _, ending := range f.Endings {
			data, err := os.ReadFile(filepath.Join(out, f.Name+"."+ending))
			must(t, err)
			if len(data) < 50 {
				t.Errorf("%s.%s has %d bytes", f.Name, ending, len(data))
			}
		}
		if diff := cmp.Diff([]string{"svg", "pdf", "png", "csv"}, f.Endings); diff != "" {
			t.Error(diff)
		}
	}
	var want []string
	for _, name := range []string{"accuracy-by-method", "accuracy-by-strategy", "accuracy-over-k", "accuracy-over-shots"} {
		want = append(want, name, name+"-pets", name+"-flowers-102")
	}
	want = append(want, "pick-overlap-pets", "pick-overlap-flowers-102")
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	missing := []report.Missing{
		{Name: "accuracy-over-prompts", Why: "no method was run with several numbers of seeds to average"},
		{Name: "accuracy-per-model", Why: "no run has a models.csv"},
	}
	if diff := cmp.Diff(missing, result.Missing); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}

	methods := table(t, filepath.Join(out, "accuracy-by-method-pets.csv"))
	for at, mean := range map[string]float64{"vit|zero-shot": 0.5, "vit|upl, top-k": 0.7, "vit|upl, margin": 0.68, "vit|coop": 0.75} {
		if got := number(t, methods[at]["mean"]); math.Abs(got-mean) > 1e-12 {
			t.Errorf("%s: mean %v, want %v", at, got, mean)
		}
	}
	// Three values 0.01 apart: deviation 0.01, t(2) = 4.30265.
	row := methods["vit|upl, top-k"]
	half := 4.302652729911275 * 0.01 / math.Sqrt(3)
	if math.Abs(number(t, row["deviation"])-0.01) > 1e-12 || math.Abs(number(t, row["to"])-0.7-half) > 1e-9 || math.Abs(number(t, row["from"])-0.7+half) > 1e-9 {
		t.Errorf("deviation and interval: %v, want 0.01 and 0.7 ± %v", row, half)
	}
	if _, there := methods["vit|tip-adapter"]; there {
		t.Error("a run without an accuracy is shown")
	}
	shots := table(t, filepath.Join(out, "accuracy-over-shots-pets.csv"))
	if got := number(t, shots["coop|4"]["mean"]); math.Abs(got-0.65) > 1e-12 {
		t.Errorf("coop with 4 shots: %v, want 0.65", got)
	}
	if got := number(t, shots["upl|"]["mean"]); math.Abs(got-0.7) > 1e-12 {
		t.Errorf("the level line of upl: %v, want 0.7, with the largest K", got)
	}
	ks := table(t, filepath.Join(out, "accuracy-over-k-pets.csv"))
	if _, there := ks["coop|4"]; there {
		t.Error("a method with true labels is among those over pseudo labels")
	}
	if got := number(t, ks["upl, margin|1"]["mean"]); math.Abs(got-0.58) > 1e-12 {
		t.Errorf("margin with one pseudo label a class: %v, want 0.58", got)
	}
	picks := table(t, filepath.Join(out, "pick-overlap-pets.csv"))["top-k|margin"]
	if picks["both"] != "1" || picks["either"] != "5" || picks["jaccard"] != "0.2" {
		t.Errorf("overlap %v, want 1 of 5: picture and class both count", picks)
	}
}

// Of two matrices the mean over the data sets takes each data set once, whichever
// have it: the second repeats zero-shot on one of three.
func TestMeanOfSeveralMatrices(t *testing.T) {
	first, second, out := t.TempDir(), t.TempDir(), t.TempDir()
	const columns = "dataset,model,method,strategy,k,seed,top1\n"
	write(t, first, "cells.csv", columns+"a,rn,zero-shot,,,,0.1\nb,rn,zero-shot,,,,0.2\na,rn,upl,top-k,16,,0.3\nb,rn,upl,top-k,16,,0.4\n")
	write(t, second, "cells.csv", columns+"b,rn,zero-shot,,,,0.9\nc,rn,zero-shot,,,,0.6\nc,rn,upl,top-k,16,,0.8\n")
	_, err := figures.Write(t.Context(), []string{first, second}, figures.Options{Out: out, Only: []string{"accuracy-by-method"}})
	must(t, err)
	methods := table(t, filepath.Join(out, "accuracy-by-method.csv"))
	for at, mean := range map[string]float64{"rn|zero-shot": 0.3, "rn|upl": 0.5} {
		if got := number(t, methods[at]["mean"]); math.Abs(got-mean) > 1e-12 {
			t.Errorf("%s: mean %v, want %v", at, got, mean)
		}
	}
}

// The same folder gives the same bytes.
func TestSameBytes(t *testing.T) {
	dir := matrix(t)
	var first map[string][]byte
	for range 3 {
		out := t.TempDir()
		_, err := figures.Write(context.Background(), []string{dir}, figures.Options{Out: out, Formats: figure.Formats()})
		must(t, err)
		files := map[string][]byte{}
		entries, err := os.ReadDir(out)
		must(t, err)
		for _, entry := range entries {
			data, err := os.ReadFile(filepath.Join(out, entry.Name()))
			must(t, err)
			files[entry.Name()] = data
		}
		if first == nil {
			first = files
		}
		for name, data := range files {
			if !bytes.Equal(data, first[name]) {
				t.Errorf("%s differs", name)
			}
		}
	}
}

// run is a run's folder with two seeds, or none.
func run(t *testing.T, plugin string, k int, top1 ...float64) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), fmt.Sprintf("%s-%d", plugin, k))
	zero := 0.5
	measures := evaluate.Measures{Top1: &zero, PerClass: []evaluate.ClassMeasures{{Class: "cat"}, {Class: "dog"}}}
	metrics := evaluate.Metrics{Labels: true, Pictures: evaluate.Pictures{Unlabeled: 4, Test: 4}, ZeroShot: measures}
	var seeds []evaluate.Seed
	for i := range top1 {
		seeds = append(seeds, evaluate.Seed{Seed: uint64(i + 1), Top1: &top1[i]})
	}
	if len(seeds) > 0 {
		metrics.Learned = evaluate.NewLearned(measures, seeds)
	}
	must(t, os.MkdirAll(dir, 0o755))
	must(t, evaluate.WriteMetrics(filepath.Join(dir, "metrics.json"), metrics))
	write(t, dir, "run.yaml", fmt.Sprintf("models: [{path: models/vit}]\ndataset: {path: data/pets}\nlabel: {selection: {plugin: %s, params: {k: %d}}}\nlearn: {method: prompt}\n", plugin, k))
	write(t, dir, "pseudo_labels.csv", fmt.Sprintf("path,class,weight,probability\na,cat,1,0.9\n%d,dog,1,0.5\n", k))
	write(t, dir, "classes.csv", "folder,name\ncat,cat\ndog,dog\n")
	write(t, dir, "pictures.csv", "path,split,label\na,unlabeled,cat\nt,test,cat\n")
	write(t, dir, "predictions.csv", "path,label,zero_shot,zero_shot_probability,learned,learned_probability\nt,cat,cat,0.75,dog,0.5\n")
	return dir
}

func TestSeveralRuns(t *testing.T) {
	out := t.TempDir()
	runs := []string{run(t, "top-k", 4, 0.6, 0.7), run(t, "margin", 4, 0.7, 0.8), run(t, "top-k", 16, 0.7, 0.7)}
	result, err := figures.Write(context.Background(), runs, figures.Options{Out: out})
	must(t, err)
	var names []string
	for _, f := range result.Drawn {
		names = append(names, f.Name)
	}
	if diff := cmp.Diff([]string{"accuracy-by-method", "accuracy-by-strategy", "accuracy-over-k", "pick-overlap"}, names); diff != "" {
		t.Error(diff)
	}
	methods := table(t, filepath.Join(out, "accuracy-by-method.csv"))
	if zero := methods["vit|zero-shot"]; zero["seeds"] != "1" || zero["mean"] != "0.5" {
		t.Errorf("zero-shot, which all runs share, is %v", zero)
	}
	if m := number(t, methods["vit|prompt, margin"]["mean"]); math.Abs(m-0.75) > 1e-12 {
		t.Errorf("the mean of the margin's seeds is %v, want 0.75", m)
	}
	if len(result.Missing) != 3 || result.Missing[0].Why != "no run learned from true labels" {
		t.Errorf("left out: %v", result.Missing)
	}
}

// Two runs of the same settings are told apart by their folders.
func TestOverlapOfTheSameSettings(t *testing.T) {
	a, b := run(t, "top-k", 4, 0.6), run(t, "top-k", 4, 0.6)
	other := filepath.Join(filepath.Dir(b), "other")
	must(t, os.Rename(b, other))
	out := t.TempDir()
	_, err := figures.Write(context.Background(), []string{a, other}, figures.Options{Out: out, Only: []string{"pick-overlap"}})
	must(t, err)
	if row := table(t, filepath.Join(out, "pick-overlap.csv"))["top-k-4|other"]; row["jaccard"] != "1" {
		t.Errorf("the overlap of equal pseudo labels is %v", row)
	}
}

func TestOneRun(t *testing.T) {
	dir := run(t, "top-k", 4, 0.6, 0.7)
	result, err := figures.Write(context.Background(), []string{dir}, figures.Options{Only: []string{"reliability", "confidence", "training-loss"}})
	must(t, err)
	if want := filepath.Join(dir, "figures", "print"); result.Folder != want {
		t.Errorf("the figures are in %s, want %s", result.Folder, want)
	}
	if len(result.Drawn) != 2 || len(result.Missing) != 1 || result.Missing[0].Why != "no training curves" {
		t.Errorf("drawn %v, left out %v", result.Drawn, result.Missing)
	}
	for _, name := range []string{"reliability.svg", "reliability.pdf", "reliability.csv", "confidence.pdf"} {
		if _, err := os.Stat(filepath.Join(result.Folder, name)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(result.Folder, "reliability.png")); err == nil {
		t.Error("there is a PNG that nobody asked for")
	}
}

func TestRefused(t *testing.T) {
	dir, empty := matrix(t), t.TempDir()
	for name, test := range map[string]struct {
		paths   []string
		options figures.Options
		want    string
	}{
		"no path":        {nil, figures.Options{}, "which run?"},
		"nowhere":        {[]string{dir, dir}, figures.Options{}, "where to?"},
		"format":         {[]string{dir}, figures.Options{Formats: []figure.Format{"gif"}}, `no format "gif": the formats are svg, pdf, png`},
		"figure":         {[]string{dir}, figures.Options{Only: []string{"fig-3"}}, `no figure "fig-3"`},
		"neither":        {[]string{empty}, figures.Options{Out: empty}, "neither a finished run's folder (metrics.json) nor a matrix's (cells.csv)"},
		"not there":      {[]string{filepath.Join(empty, "x")}, figures.Options{Out: empty}, "neither"},
		"one is neither": {[]string{dir, empty}, figures.Options{Out: empty}, empty},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := figures.Write(context.Background(), test.paths, test.options)
			var option *figures.OptionError
			if !errors.As(err, &option) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
	for name, content := range map[string]string{
		"1: the file is empty": "", "1: there is no column k": "dataset,model,method,strategy,seed,top1\n",
		`2: k: "many"`: header + "d,m,upl,top-k,many,1,0.5,\n", `3: top1: "57.8"`: header + "d,m,upl,top-k,4,1,0.5,\nd,m,upl,top-k,4,2,57.8,\n",
		`2: seeds: "-1"`: "dataset,model,method,strategy,k,seed,top1,seeds\nd,m,upl,top-k,4,1,0.5,-1\n",
		`2: top1: "NaN"`: header + "d,m,upl,top-k,4,1,NaN,\n",
	} {
		broken := t.TempDir()
		write(t, broken, "cells.csv", content)
		_, err := figures.Write(context.Background(), []string{broken}, figures.Options{Out: t.TempDir()})
		var fault *evaluate.TableError
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want a table's with %q", err, name)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := figures.Write(ctx, []string{dir}, figures.Options{Out: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}

// A matrix without labels says so of every figure that needs them.
func TestWithoutLabels(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "cells.csv", header+"d,m,upl,top-k,4,1,,\nd,m,coop,,4,1,,\n")
	result, err := figures.Write(context.Background(), []string{dir}, figures.Options{Out: t.TempDir()})
	must(t, err)
	said := 0
	for _, m := range result.Missing {
		if strings.Contains(m.Why, "no labels") {
			said++
		}
	}
	if len(result.Drawn) != 0 || said != 5 {
		t.Errorf("drawn %v, left out %v", result.Drawn, result.Missing)
	}
}

func TestNames(t *testing.T) {
	one, several := figures.Names()
	for _, name := range append(slices.Clone(one), several...) {
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz-") != "" {
			t.Errorf("%q is no name for a file", name)
		}
	}
	if len(one) < 15 || len(several) != 7 {
		t.Errorf("%d figures of one run, %d of several", len(one), len(several))
	}
}
