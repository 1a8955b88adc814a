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

var header = []string{"dataset", "model", "method", "known_method", "strategy", "k", "runs", "failed", "top1_mean", "top1_deviation"}

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
		must(t, w.Write([]string{r[0], r[1], r[2], r[2], r[3], r[4], "1", "0", mean, ""}))
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

// What is not as published is named, and what is, is not.
func TestKnobs(t *testing.T) {
	dir := table(t, [6]string{"dtd", "rn50", "upl", "top-k", "16", "40"})
	run := filepath.Join(dir, "runs", "x")
	must(t, os.MkdirAll(run, 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "cells.csv"), []byte("dataset,model,method,k,status,run\ndtd,rn50,upl,16,done,runs/x\n"), 0o644))
	manifest := func(preprocess string, scale float64, precision string, test int) {
		text := fmt.Sprintf(`{"schema": 1, "models": [{"preprocess": %q, "logit_scale": %g}], "machine": {"precision": %q}, "dataset": {"classes": 47, "test": %d}}`, preprocess, scale, precision, test)
		must(t, os.WriteFile(filepath.Join(run, "manifest.json"), []byte(text), 0o644))
	}
	configuration := func(set ...string) {
		c, err := config.Load(config.Source{Set: append([]string{"models=[{path: /m}]", "dataset.path=/d", "dataset.kind=dtd"}, set...)})
		must(t, err)
		must(t, os.WriteFile(filepath.Join(run, "run.yaml"), c.Effective(run), 0o644))
	}
	manifest("preprocess/1 size=224 resize=clip", 55, "bfloat16", 100)
	configuration("learn.epochs=10", "learn.seeds=[1]", `prompt.template="a {} thing"`)
	got := strings.Join(check(t, dir).Lines[0].Knobs, "\n")
	for _, want := range []string{
		"preprocessing: the shorter side", "logit scale: 55", "precision: bfloat16", "split: 100 test pictures, the official split has 1692",
		"learn.epochs: 10, published with 50", "number of prompts (learn.seeds): 1, published with 16", `template: "a {} thing"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	manifest("preprocess/1 size=224 resize=squash", 100, "float32", 1692)
	configuration("learn.views=10", `prompt.template="[CLS] texture."`)
	for _, knob := range check(t, dir).Lines[0].Knobs {
		if !strings.HasPrefix(knob, "preprocessing: squash") {
			t.Errorf("as published, and yet: %s", knob)
		}
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
		strings.Join(header, ",") + "\ndtd,RN50,zero-shot,zero-shot,,,1,0,many,\n": "table.csv:2",
	} {
		must(t, os.WriteFile(file, []byte(text), 0o644))
		if _, err := verify.Verify(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
