package verify_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/dataset/layout"
	"github.com/upl-host/upl-host/host/verify"
)

var header = []string{"dataset", "model", "method", "known_method", "strategy", "k", "runs", "failed", "waiting", "top1_mean", "top1_deviation"}

// table writes a matrix's table of rows: data set, model, method, strategy, k, mean in %.
func table(t *testing.T, rows ...[6]string) string {
	t.Helper()
	dir := t.TempDir()
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	must(t, w.Write(header))
	for _, r := range rows {
		mean := ""
		if r[5] != "" {
			var v float64
			if _, err := fmt.Sscan(r[5], &v); err != nil {
				t.Fatal(err)
			}
			mean = fmt.Sprint(v / 100)
		}
		must(t, w.Write([]string{r[0], r[1], r[2], r[2], r[3], r[4], "1", "0", "0", mean, ""}))
	}
	w.Flush()
	must(t, os.WriteFile(filepath.Join(dir, "table.csv"), b.Bytes(), 0o644))
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, path string) *verify.Report {
	t.Helper()
	r, err := verify.Verify(path)
	must(t, err)
	return r
}

// The published figures of the eleven data sets have the published means, and are
// all there; the means are those of the papers to 0.01 or so of rounding.
func TestPublished(t *testing.T) {
	all, err := verify.AllPublished()
	must(t, err)
	type table struct {
		method, source string
		k              int
	}
	figures := make(map[table]map[string]float64)
	for _, p := range all {
		key := table{p.Method, p.Source, p.K}
		if figures[key] == nil {
			figures[key] = make(map[string]float64)
		}
		figures[key][p.Dataset] = p.Top1
		if p.Status != "read in a log" && p.Status != "as published, not re-run" {
			t.Errorf("%+v: status", p)
		}
	}
	whole := 0
	for key, of := range figures {
		if len(of) == 1 { // a mean alone
			continue
		}
		whole++
		sum := 0.0
		for _, kind := range layout.Kinds() {
			v, there := of[kind]
			if !there {
				t.Errorf("%+v has no %s", key, kind)
			}
			sum += v
		}
		if math.Abs(sum/11-of["mean"]) > 0.011 {
			t.Errorf("%+v: the mean of eleven is %.3f, published is %.2f", key, sum/11, of["mean"])
		}
	}
	if whole != 8 {
		t.Errorf("%d whole rows, want 8", whole)
	}
}

func TestVerdicts(t *testing.T) {
	r := check(t, table(t,
		[6]string{"caltech101", "rn50", "zero-shot", "", "", "86.00"},      // 0.08 from Tip-Adapter's
		[6]string{"eurosat", "ResNet-50", "zero-shot", "", "", "36.9"},     // 0.62 from the nearest
		[6]string{"dtd", "RN50", "zero-shot", "", "", "41.31"},             // 0.30 from UPL's
		[6]string{"dtd", "RN50", "upl", "top-k", "", "45"},                 // K is the default, 16
		[6]string{"dtd", "RN50", "upl", "top-k", "4", "45"},                // not published
		[6]string{"dtd", "RN50", "upl", "sinkhorn", "16", "45"},            // nor this
		[6]string{"dtd", "RN50x4", "zero-shot", "", "", "41"},              // nor this
		[6]string{"ucf101", "RN50", "coop", "", "8", "72"},                 // two sources have 8 shots
		[6]string{"glyphs", "RN50", "zero-shot", "", "", "40"},             // another data set
		[6]string{"sun397", "RN50", "tip-adapter", "", "8", ""},            // failed
		[6]string{"food101", "RN50", "tip-adapter", "", "8", "77.5612345"}, // as published
	))
	verdicts := make(map[string][]verify.Verdict)
	for _, l := range r.Lines {
		key := l.Dataset + " " + l.Method
		verdicts[key] = append(verdicts[key], l.Verdict)
		if math.Abs(l.Ours-l.Top1-l.Difference) > 1e-9 {
			t.Errorf("%+v", l)
		}
	}
	want := map[string][]verify.Verdict{
		"caltech101 zero-shot": {verify.Agrees, verify.Agrees, verify.Agrees},
		"eurosat zero-shot":    {verify.Differs, verify.Differs, verify.Differs},
		"dtd zero-shot":        {verify.Agrees, verify.Agrees, verify.Agrees},
		"dtd upl":              {verify.Reported},
		"ucf101 coop":          {verify.Reported},
		"food101 tip-adapter":  {verify.Reported},
	}
	for key, v := range want {
		if !slices.Equal(verdicts[key], v) {
			t.Errorf("%s: %v, want %v", key, verdicts[key], v)
		}
	}
	if len(verdicts) != len(want) || r.Differing() != 1 {
		t.Errorf("lines of %v; %d differ", verdicts, r.Differing())
	}
	if len(r.Unknown) != 4 {
		t.Errorf("unknown: %q", r.Unknown)
	}
	var printed bytes.Buffer
	must(t, r.Print(&printed))
	for _, text := range []string{"as published, not re-run", "differs", "the run's folder is not there", "No published figure is known of 4 rows"} {
		if !strings.Contains(printed.String(), text) {
			t.Errorf("%q is not in\n%s", text, &printed)
		}
	}
}

// The mean over all eleven is set beside those by shots.
func TestMeanOfAll(t *testing.T) {
	var rows [][6]string
	for _, kind := range layout.Kinds() {
		rows = append(rows, [6]string{kind, "RN50", "tip-adapter-f", "", "16", "76.00"})
	}
	r := check(t, table(t, rows...))
	if len(r.Lines) != 1 || r.Lines[0].Dataset != "mean" || math.Abs(r.Lines[0].Difference-(76-75.83)) > 1e-9 {
		t.Errorf("%+v", r.Lines)
	}
	rows[3][5] = "" // one is missing: there is no mean
	var usage *host.UsageError
	if _, err := verify.Verify(table(t, rows...)); !errors.As(err, &usage) {
		t.Errorf("without a figure in common: %v", err)
	}
}

// looked is a finished matrix with one row and its run's folder: what is needed to
// look for knobs.
type looked struct{ dir, run string }

func newLooked(t *testing.T, dataset, method, strategy, k string) looked {
	t.Helper()
	dir := table(t, [6]string{dataset, "rn50", method, strategy, k, "10"})
	l := looked{dir, filepath.Join(dir, "runs", "x")}
	must(t, os.MkdirAll(l.run, 0o755))
	cells := fmt.Sprintf("dataset,model,method,strategy,k,status,run\n%[1]s,rn50,%[2]s,sinkhorn,%[4]s,done,runs/other\n%[1]s,rn50,%[2]s,%[3]s,%[4]s,done,runs/x\n", dataset, method, strategy, k)
	must(t, os.WriteFile(filepath.Join(dir, "cells.csv"), []byte(cells), 0o644))
	return l
}

// with writes what the run was made by, and returns the knobs.
func (l looked) with(t *testing.T, manifest string, set ...string) string {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(l.run, "manifest.json"), []byte(manifest), 0o644))
	c, err := config.Load(config.Source{Set: append([]string{"models=[{path: /m}]", "dataset.path=/d"}, set...)})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(l.run, "run.yaml"), c.Effective(l.run), 0o644))
	return strings.Join(check(t, l.dir).Lines[0].Knobs, "\n")
}

func manifest(resize string, scale float64, precision string, classes, test int) string {
	return fmt.Sprintf(`{"schema": 1, "models": [{"preprocess": "preprocess/1 size=224 resize=%s", "logit_scale": %g}], "machine": {"precision": %q}, "dataset": {"classes": %d, "test": %d}}`,
		resize, scale, precision, classes, test)
}

// What is not as published is named, and what is, is not.
func TestKnobs(t *testing.T) {
	upl := newLooked(t, "dtd", "upl", "top-k", "16")
	got := upl.with(t, manifest("clip", 55, "bfloat16", 47, 100), "dataset.kind=dtd", "learn.epochs=10", "learn.seeds=[1]", `prompt.template="a {} thing"`)
	for _, want := range []string{
		"preprocessing: dataset.resize is clip, published with squash", "logit scale: 55", "precision: bfloat16", "split: 100 test pictures, the official split has 1692",
		"learn.epochs: 10, published with 50", "number of prompts (learn.seeds): 1, published with 16", `template: "a {} thing"`, "learn.views: 1",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	const left = "everything that is looked at is as published: the weights, and what seeds change, are left"
	if got := upl.with(t, manifest("squash", 100, "float32", 47, 1692), "dataset.kind=dtd", "learn.views=10", `prompt.template="[CLS] texture."`); got != left {
		t.Errorf("UPL as published, and yet: %s", got)
	}

	zero := newLooked(t, "imagenet", "zero-shot", "", "")
	got = zero.with(t, manifest("squash", 100, "float32", 1000, 50_000), "dataset.kind=imagenet", "learn.method=zero-shot")
	if !strings.Contains(got, "published with clip") || !strings.Contains(got, "tip-adapter-7") || strings.Contains(got, "learn.") {
		t.Errorf("zero-shot: %s", got)
	}
	if got := zero.with(t, manifest("clip", 100, "float32", 1000, 50_000), "dataset.kind=imagenet", "prompt.templates=tip-adapter-7"); got != left {
		t.Errorf("zero-shot by seven templates: %s", got)
	}
	if got := zero.with(t, manifest("clip", 100, "float32", 1000, 50_000), "dataset.kind=imagenet", "prompt.templates=openai-80"); !strings.HasPrefix(got, "template: \"") || !strings.Contains(got, "and 79 more; CoOp's is") {
		t.Errorf("zero-shot by 80 templates: %s", got)
	}
}

// The few-shot methods have their own.
func TestFewShotKnobs(t *testing.T) {
	coop := newLooked(t, "eurosat", "coop", "", "8")
	got := coop.with(t, manifest("squash", 100, "float32", 10, 8100), "dataset.kind=eurosat", "learn.method=coop", "learn.labels=true", "learn.epochs=50", "learn.seeds=3", "learn.views=10")
	for _, want := range []string{"learn.epochs (0 is CoOp's number): 50, published with 0", "shots: drawn by seeds of upl-host", "learn.seeds: 3 as an ensemble"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	tip := newLooked(t, "eurosat", "tip-adapter", "", "8")
	got = tip.with(t, manifest("squash", 100, "float32", 10, 8100), "dataset.kind=eurosat", "learn.method=tip-adapter", "learn.labels=true", "learn.tip.search=false", "learn.views=1")
	for _, want := range []string{"published with clip", "learn.tip.search: false, published with true", "learn.views: 1", "searched on validation pictures"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

// A table with runs that are still to do is refused; those that failed are said.
func TestUnfinished(t *testing.T) {
	dir := t.TempDir()
	write := func(rows string) {
		must(t, os.WriteFile(filepath.Join(dir, "table.csv"), []byte(strings.Join(header, ",")+"\n"+rows), 0o644))
	}
	write("dtd,rn50,zero-shot,zero-shot,,,1,0,0,0.42,\ndtd,rn50,upl,upl,top-k,16,2,1,3,0.5,0.01\n")
	var usage *host.UsageError
	if _, err := verify.Verify(dir); !errors.As(err, &usage) || !strings.Contains(err.Error(), "3 of its 7 runs are still to do") {
		t.Errorf("unfinished: %v", err)
	}
	write("dtd,rn50,zero-shot,zero-shot,,,1,0,0,0.42,\ndtd,rn50,upl,upl,top-k,16,0,3,0,,\n")
	r := check(t, dir)
	var printed bytes.Buffer
	must(t, r.Print(&printed))
	if r.Failed != 3 || len(r.Lines) != 3 || !strings.Contains(printed.String(), "runs that failed, 3") {
		t.Errorf("%+v\n%s", r, &printed)
	}
}

// A method of the user's own is not the published one that it is called as.
func TestVariants(t *testing.T) {
	dir := t.TempDir()
	rows := "dtd,rn50,zero-shot,zero-shot,,,1,0,0,0.42,\n" +
		"dtd,rn50,coop,upl,top-k,8,1,0,0,0.5,\n" + // like upl
		"dtd,rn50,upl,,,16,1,0,0,0.5,\n" + // like nothing
		"dtd,rn50,upl-slow,upl,top-k,16,1,0,0,0.5,\n" +
		"dtd,rn50,upl,upl,strict,16,1,0,0,0.5,\n"
	must(t, os.WriteFile(filepath.Join(dir, "table.csv"), []byte(strings.Join(header, ",")+"\n"+rows), 0o644))
	r := check(t, dir)
	if len(r.Lines) != 3 || len(r.Unknown) != 4 || r.Unknown[3] != "dtd, rn50, upl by strict, K = 16" {
		t.Errorf("%+v", r)
	}
}

func TestBadTables(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "table.csv")
	var usage *host.UsageError
	if _, err := verify.Verify(dir); !errors.As(err, &usage) || !strings.Contains(err.Error(), "no such table") {
		t.Errorf("a folder without a table: %v", err)
	}
	for text, want := range map[string]string{
		"": "empty", "dataset,model\n": "there is no column known_method",
		strings.Join(header, ",") + "\ndtd,RN50,zero-shot,zero-shot,,,1,0,0,many,\n": "table.csv:2",
	} {
		must(t, os.WriteFile(file, []byte(text), 0o644))
		if _, err := verify.Verify(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
