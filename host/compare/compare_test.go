package compare_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/compare"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/evaluate"
)

var update = flag.Bool("update", false, "write the golden files anew")

// made writes the folder of a finished run: its predictions, as digits of classes a,
// b, c by picture, "-" for a picture that it does not have.
func made(t *testing.T, folder, predicted, labels string, set ...string) string {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(config.Source{Set: append([]string{"models=[{path: /m/vit}]", "dataset.path=/d"}, set...)})
	if err != nil {
		t.Fatal(err)
	}
	name := func(r byte) string {
		if r == '?' {
			return ""
		}
		return string(r)
	}
	classes := []string{"a", "b", "c"}
	measures := evaluate.NewClassification(classes, evaluate.CalibrationBins)
	var predictions []evaluate.Prediction
	for i := range len(predicted) {
		if predicted[i] == '-' {
			continue
		}
		predictions = append(predictions, evaluate.Prediction{
			Path: fmt.Sprintf("%02d.png", i), Label: name(labels[i]), ZeroShot: "c", ZeroShotProbability: 0.5, Learned: name(predicted[i]), LearnedProbability: 0.75,
		})
		row := []float32{0.125, 0.125, 0.125}
		row[predicted[i]-'a'] = 0.75
		if err := measures.Add(row, strings.Index("abc", string(labels[i]))); err != nil {
			t.Fatal(err)
		}
	}
	metrics := evaluate.Metrics{Labels: true, Learned: evaluate.NewLearned(measures.Measures(), nil)}
	for _, err := range []error{
		os.WriteFile(filepath.Join(folder, "run.yaml"), c.Effective(folder), 0o644),
		os.WriteFile(filepath.Join(folder, "manifest.json"), []byte(`{"schema": 1, "status": "done"}`), 0o644),
		evaluate.WriteMetrics(filepath.Join(folder, "metrics.json"), metrics),
		evaluate.WritePredictions(filepath.Join(folder, "predictions.csv"), predictions),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

const labels = "aaaaabbbbbccccc?????"

func report(t *testing.T, folders ...string) *compare.Report {
	t.Helper()
	runs, err := compare.Open(folders...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := compare.Compare(runs, 1)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCompare(t *testing.T) {
	dir := t.TempDir()
	base := made(t, filepath.Join(dir, "base"), "aaabbbbbccccaaaaaaaa", labels)
	better := made(t, filepath.Join(dir, "better"), "aaaaabbbbbcccaaaaabb", labels, "learn.epochs=9", "run.threads=3")
	worse := made(t, filepath.Join(dir, "worse"), "cccbbbbbccccaaaaaaaa", labels, "learn.epochs=9", "label.selection.plugin=threshold")
	r := report(t, base, better, worse)

	if diff := cmp.Diff([]compare.Key{
		{Key: "label.selection.plugin", Values: []string{"top-k", "top-k", "threshold"}},
		{Key: "learn.epochs", Values: []string{"50", "9", "9"}},
	}, r.Configuration); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	p := r.Pairs[0]
	// base is wrong on 3, 4 (a), 8, 9 (b), 12, 13, 14 (c); better on 13, 14.
	if p.Pictures != 20 || p.Labelled != 15 || p.OnlyRun != 5 || p.OnlyBase != 0 || math.Abs(p.Top1-5.0/15) > 1e-12 {
		t.Errorf("better: %+v, %+v", p, p.Difference)
	}
	if want := 2 * math.Pow(0.5, 5); math.Abs(p.P-want) > 1e-12 || p.Low <= 0 || p.High > 1 || p.Low > p.Top1 || p.High < p.Top1 {
		t.Errorf("better: p %v, want %v; %v in %v to %v", p.P, want, p.Top1, p.Low, p.High)
	}
	if diff := cmp.Diff([]compare.Class{{"a", 5, 3, 5}, {"b", 5, 3, 5}, {"c", 5, 2, 3}}, p.Classes); diff != "" {
		t.Errorf("classes (-want +got):\n%s", diff)
	}
	// Holm: of two comparisons the smaller p counts twice, the larger not less than that.
	if q := r.Pairs[1]; math.Abs(q.P-0.25) > 1e-12 || p.Adjusted != 2*p.P || q.Adjusted != q.P {
		t.Errorf("worse: p %v, corrected %v and %v", q.P, p.Adjusted, q.Adjusted)
	}
	if math.Abs(p.Disagreement-7.0/20) > 1e-12 {
		t.Errorf("disagreement %v", p.Disagreement)
	}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"printed.txt": func(b *bytes.Buffer) error { return r.Print(b) },
		"report.md":   func(b *bytes.Buffer) error { return r.Markdown(b) },
		"report.csv":  func(b *bytes.Buffer) error { return r.CSV(b) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
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

// The exact p is that of the golden cases, which were computed elsewhere.
func TestPairsAreGolden(t *testing.T) {
	const folder = "../../strategies/testdata"
	inputs, err := array.ReadArchive(filepath.Join(folder, "inputs.npz"))
	if err != nil {
		t.Fatal(err)
	}
	expected, err := array.ReadArchive(filepath.Join(folder, "expected.npz"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, "cases.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for line := range bytes.Lines(text) {
		var c struct {
			Policy, Inputs, Expected string
			Params                   struct{ A, B, First int }
		}
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		if c.Policy != "mcnemar" || c.Inputs != "main" {
			continue
		}
		cases++
		p, err := inputs["probabilities"].Float32()
		if err != nil {
			t.Fatal(err)
		}
		truth, err := inputs["labels"].Int()
		if err != nil {
			t.Fatal(err)
		}
		n, classes := len(truth), inputs["probabilities"].Shape[2]
		if c.Params.First > 0 {
			n = c.Params.First
		}
		write := func(model int) string {
			dir := t.TempDir()
			made(t, dir, "a", "a")
			rows := make([]evaluate.Prediction, n)
			for i := range rows {
				at := (model*len(truth) + i) * classes
				rows[i] = evaluate.Prediction{Path: fmt.Sprint(i), Label: fmt.Sprint(truth[i]), ZeroShot: fmt.Sprint(evaluate.Argmax(p[at : at+classes]))}
			}
			if err := evaluate.WritePredictions(filepath.Join(dir, "predictions.csv"), rows); err != nil {
				t.Fatal(err)
			}
			return dir
		}
		got := report(t, write(c.Params.A), write(c.Params.B)).Pairs[0]
		for name, value := range map[string]float64{"n10": float64(got.OnlyBase), "n01": float64(got.OnlyRun), "p": got.P} {
			want, there := expected[c.Expected+"/"+name]
			if !there {
				t.Fatalf("%s has no %s", c.Expected, name)
			}
			if w := number(t, want); math.Abs(value-w) > 1e-9 {
				t.Errorf("%s: %s %v, want %v", c.Expected, name, value, w)
			}
		}
	}
	if cases == 0 {
		t.Fatal("no golden case")
	}
}

func number(t *testing.T, a array.Array) float64 {
	t.Helper()
	switch v := a.Data.(type) {
	case []float64:
		return v[0]
	case []float32:
		return float64(v[0])
	}
	n, err := a.Int()
	if err != nil {
		t.Fatal(err)
	}
	return float64(n[0])
}

// Runs on other pictures are compared on the common ones, or refused.
func TestOtherPictures(t *testing.T) {
	dir := t.TempDir()
	whole := made(t, filepath.Join(dir, "whole"), "aaaabbbb", "aaaabbbb")
	part := made(t, filepath.Join(dir, "part"), "--aaaabb", "aaaabbbb")
	p := report(t, whole, part).Pairs[0]
	if p.Pictures != 6 || p.OnlyBase != 2 || len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "6 test pictures that both have, of 8 and 6") {
		t.Errorf("%+v %+v", p, p.Difference)
	}
	bare := made(t, filepath.Join(dir, "bare"), "ab------", "????????")
	unlabelled := report(t, bare, made(t, filepath.Join(dir, "other"), "bb------", "????????")).Pairs[0]
	if unlabelled.Difference != nil || unlabelled.Disagreement != 0.5 || !strings.Contains(unlabelled.Notes[0], "no labels") {
		t.Errorf("without labels: %+v", unlabelled)
	}
	var same bytes.Buffer
	if err := report(t, whole, whole).Print(&same); err != nil || strings.Contains(same.String(), "Classes:") {
		t.Errorf("a run against itself has changes of classes:\n%s%v", same.String(), err)
	}
	for _, test := range []struct {
		folders []string
		want    string
	}{
		{[]string{whole}, "two runs at least"},
		{[]string{bare, part}, "no test picture in common"},
		{[]string{whole, made(t, filepath.Join(dir, "wrong"), "aaaabbbb", "bbbbaaaa")}, "not the same labels"},
		{[]string{whole, dir}, "no run folder"},
		{[]string{whole, filepath.Join(dir, "gone")}, "gone does not exist: name a folder that"},
	} {
		runs, err := compare.Open(test.folders...)
		if err == nil {
			_, err = compare.Compare(runs, 1)
		}
		var usage *host.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v, want %q", test.folders, err, test.want)
		}
	}
}

// A matrix's folder stands for its finished runs.
func TestMatrixFolder(t *testing.T) {
	dir := t.TempDir()
	made(t, filepath.Join(dir, "runs", "one"), "ab", "aa")
	made(t, filepath.Join(dir, "runs", "two"), "aa", "aa")
	if err := os.WriteFile(filepath.Join(dir, "cells.csv"), []byte("status,run\ndone,runs/one\nfailed,runs/none\ndone,runs/two\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := report(t, dir)
	if len(r.Pairs) != 1 || r.Pairs[0].Base != "one" || r.Pairs[0].Run != "two" || r.Pairs[0].OnlyRun != 1 {
		t.Errorf("%+v", r.Pairs)
	}
}
