package arrays_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/arrays"
	"github.com/upl-host/upl-host/plugins"
)

func vector[T any](values ...T) array.Array {
	return array.Array{Shape: []int{len(values)}, Data: append([]T{}, values...)}
}

// TestKinds writes every kind of record, alone and mixed, in both formats.
func TestKinds(t *testing.T) {
	for kinds, want := range map[string]struct {
		arrays map[string]array.Array
		csv    string
	}{
		"hard": {
			map[string]array.Array{"rows": vector[int64](0, 1, 2), "classes": vector[int32](0, 0, 1), "weights": vector[float32](0.75, 0.5, 0.875)},
			"row,class,weight\n0,0,0.75\n1,0,0.5\n2,1,0.875\n",
		},
		"none": {
			map[string]array.Array{"rows": vector[int64](), "classes": vector[int32](), "weights": vector[float32]()},
			"row,class,weight\n",
		},
		"soft,none": {
			map[string]array.Array{
				"rows": vector[int64](0, 2), "weights": vector[float32](0.5, 0.5),
				"soft": {Shape: []int{2, 2}, Data: []float32{0.75, 0.25, 0.25, 0.75}},
			},
			"row,weight,p0,p1\n0,0.5,0.75,0.25\n2,0.5,0.25,0.75\n",
		},
		"none,candidates": {
			map[string]array.Array{
				"rows": vector[int64](1), "weights": vector[float32](1),
				"offsets": vector[int64](0, 2), "classes": vector[int32](0, 1),
			},
			"row,weight,classes\n1,1,0;1\n",
		},
		"hard,drop": {
			map[string]array.Array{
				"rows": vector[int64](0, 2), "classes": vector[int32](0, 1), "weights": vector[float32](0.75, 0.875),
				"drops": vector[int64](1),
			},
			"row,kind,weight,classes,p\n0,hard,0.75,0,\n2,hard,0.875,1,\n1,drop,0,,\n",
		},
		"candidates,soft,hard": {
			map[string]array.Array{
				"hard_rows": vector[int64](2), "hard_classes": vector[int32](1), "hard_weights": vector[float32](0.875),
				"soft_rows": vector[int64](1), "soft_weights": vector[float32](0.5), "soft_soft": {Shape: []int{1, 2}, Data: []float32{0.75, 0.25}},
				"candidates_rows": vector[int64](0), "candidates_weights": vector[float32](1),
				"candidates_offsets": vector[int64](0, 2), "candidates_classes": vector[int32](0, 1),
			},
			"row,kind,weight,classes,p\n2,hard,0.875,1,\n1,soft,0.5,0;1,0.75;0.25\n0,candidates,1,0;1,\n",
		},
	} {
		t.Run(kinds, func(t *testing.T) {
			p := three(t)
			j := job(t, "out.npz", guest+"#kinds", `{"kinds": "`+kinds+`"}`, p)
			if _, err := j.Select(t.Context()); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want.arrays, contents(t, j.Output)); d != "" {
				t.Error(d)
			}
			j = job(t, "out.csv", guest+"#kinds", `{"kinds": "`+kinds+`"}`, p)
			if _, err := j.Select(t.Context()); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(j.Output)
			if d := cmp.Diff(want.csv, string(text)); d != "" || err != nil {
				t.Error(d, err)
			}
		})
	}
}

// TestReport counts with labels, with some, and with none.
func TestReport(t *testing.T) {
	p := three(t)
	selected := func(kinds, labels string) *arrays.Report {
		j := job(t, "out.npz", guest+"#kinds", `{"kinds": "`+kinds+`"}`, p)
		j.Labels = labels
		report, err := j.Select(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	labels := save(t, "l.npy", []int{3}, []int64{0, -1, 0})

	hard := selected("hard", labels)
	if m := hard.Selected.Labels; m.Count != 3 || *m.Accuracy != 0.5 || *m.Recall != 0.5 || m.PerClass[0].Count != 2 || *m.PerClass[0].Correct != 1 {
		t.Errorf("%+v", m)
	}
	if m := selected("hard", "").Selected.Labels; m.Accuracy != nil || m.PerClass[0].Correct != nil {
		t.Errorf("without labels: %+v", m)
	}
	soft := selected("soft,soft,none", save(t, "l.npy", []int{3}, []int32{0, 1, 1}))
	if m := soft.Selected; m.Soft != 2 || *m.Labels.Accuracy != 0.5 || !cmp.Equal(m.Labels.EmptyClasses, []string{"1"}) {
		t.Errorf("%+v", m)
	}
	sets := selected("candidates", labels)
	if m := sets.Selected; m.Candidates != 3 || m.Sets.MeanSize != 2 || *m.Sets.Coverage != 1 || m.Labels.Accuracy != nil {
		t.Errorf("%+v", m)
	}
	if w := selected("none", "").Warnings; !cmp.Equal(w, []string{"nothing was selected"}) {
		t.Errorf("warnings %q", w)
	}

	want := []arrays.Line{
		{Plugin: "kinds", Level: "warning", Row: 0, Rows: 3, Text: "3 rows"},
		{Plugin: "kinds", Level: "info", Row: -1, Text: "done"},
	}
	if d := cmp.Diff(want, hard.Log, cmpopts.IgnoreUnexported(arrays.Line{})); d != "" {
		t.Error(d)
	}
	if got := hard.Log[0].String(); got != "kinds, round 0, rows 0 to 2: warning: 3 rows" {
		t.Error(got)
	}
	if got := hard.Log[1].String(); got != "kinds, round 0: done" {
		t.Error(got)
	}
	if d := cmp.Diff([]arrays.Metric{{Plugin: "kinds", Name: "seen", Value: 3}}, hard.Metrics); d != "" {
		t.Error(d)
	}
}

// TestFeatures gives features, texts' features and a prior.
func TestFeatures(t *testing.T) {
	j := job(t, "out.npz", guest+"#texts", "", three(t))
	var wrong *arrays.Error
	if _, err := j.Select(t.Context()); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "--features") {
		t.Errorf("without features: %v", err)
	}
	j.Features = []string{save(t, "f.npy", []int{3, 2}, []float64{0, 1, 1, 0, 0, 1})}
	if _, err := j.Select(t.Context()); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "--text-features") {
		t.Errorf("without those of texts: %v", err)
	}
	j.TextFeatures = []string{save(t, "t.npy", []int{2, 2}, []float32{1, 0, 0, 1})}
	j.Prior = save(t, "prior.npy", []int{2}, []int64{1, 3})
	report, err := j.Select(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]array.Array{"rows": vector[int64](0, 1, 2), "classes": vector[int32](1, 0, 1), "weights": vector[float32](0.75, 0.25, 0.75)}
	if d := cmp.Diff(want, contents(t, j.Output)); d != "" || len(report.Warnings) > 0 {
		t.Error(d, report.Warnings)
	}

	j.Policy = arrays.Choice{Name: "top-k"}
	report, err = j.Select(t.Context())
	if err != nil || !cmp.Equal(report.Warnings, []string{"policy top-k does not look at features"}) {
		t.Error(report.Warnings, err)
	}
}

// TestWrong is what a user can do wrong: each says what, and leaves no file.
func TestWrong(t *testing.T) {
	p := three(t)
	text := func(name, content string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	raw, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	matrix := func(values ...float32) string { return save(t, "p.npy", []int{len(values) / 2, 2}, values) }
	for name, c := range map[string]struct {
		change func(*arrays.Job)
		says   string
	}{
		"nothing":        {func(j *arrays.Job) { j.Probabilities = nil }, "-p"},
		"no such file":   {func(j *arrays.Job) { j.Probabilities = []string{"nowhere.npy"} }, "nowhere.npy: no such file"},
		"a folder":       {func(j *arrays.Job) { j.Probabilities = []string{folder(t, "p.npy")} }, "not a regular file"},
		"no array":       {func(j *arrays.Job) { j.Probabilities = []string{text("p.npy", "hello, world")} }, "magic"},
		"another ending": {func(j *arrays.Job) { j.Probabilities = []string{"p.pt"} }, "torch.load"},
		"Fortran order": {func(j *arrays.Job) {
			j.Probabilities = []string{text("p.npy", strings.Replace(string(raw), "False", "True ", 1))}
		}, "ascontiguousarray"},
		"big-endian": {func(j *arrays.Job) {
			j.Probabilities = []string{text("p.npy", strings.Replace(string(raw), "<f4", ">f4", 1))}
		}, "little-endian"},
		"integers":           {func(j *arrays.Job) { j.Probabilities = []string{save(t, "p.npy", []int{1, 1}, []int64{1})} }, "float32"},
		"a vector":           {func(j *arrays.Job) { j.Probabilities = []string{save(t, "p.npy", []int{1}, []float32{1})} }, "shape [1]"},
		"no classes":         {func(j *arrays.Job) { j.Probabilities = []string{save(t, "p.npy", []int{0, 0}, []float32{})} }, "no classes"},
		"logits":             {func(j *arrays.Job) { j.Probabilities = []string{matrix(1, 0, 2.5, 0.7)} }, "row 1: sums to 3.2, not 1: these look like logits; pass softmax outputs"},
		"negative":           {func(j *arrays.Job) { j.Probabilities = []string{matrix(-2, 3)} }, "row 0: class 0 has probability -2: these look like logits"},
		"not quite":          {func(j *arrays.Job) { j.Probabilities = []string{matrix(0.5, 0.4)} }, "sums to 0.9, not 1: a row of probabilities"},
		"NaN":                {func(j *arrays.Job) { j.Probabilities = []string{matrix(1, 0, nan, 1)} }, "row 1: class 0 has probability NaN"},
		"other shapes":       {func(j *arrays.Job) { j.Probabilities = append(j.Probabilities, matrix(1, 0)) }, "1 x 2"},
		"logits of a second": {func(j *arrays.Job) { j.Probabilities = append(j.Probabilities, matrix(1, 0, 1, 0, 9, 9)) }, "row 2: sums to 18"},
		"labels":             {func(j *arrays.Job) { j.Labels = save(t, "l.npy", []int{2}, []int64{0, 1}) }, "3 rows"},
		"too many labels":    {func(j *arrays.Job) { j.Labels = p }, "3 values are wanted at most"},
		"labels' classes":    {func(j *arrays.Job) { j.Labels = save(t, "l.npy", []int{3}, []int64{0, 2, 1}) }, "row 1 is labelled 2"},
		"labels below -1":    {func(j *arrays.Job) { j.Labels = save(t, "l.npy", []int{3}, []int64{0, -2, 1}) }, "row 1 is labelled -2"},
		"labels' type":       {func(j *arrays.Job) { j.Labels = save(t, "l.npy", []int{3}, []float32{0, 1, 1}) }, "integers"},
		"features' rows":     {func(j *arrays.Job) { j.Features = []string{matrix(1, 0)} }, "3 rows of features"},
		"features' number":   {func(j *arrays.Job) { j.Features = []string{p, p} }, "--features is given 2 times"},
		"text features":      {func(j *arrays.Job) { j.TextFeatures = []string{p} }, "2 rows of features"},
		"features' widths": {func(j *arrays.Job) {
			j.Features, j.TextFeatures = []string{p}, []string{save(t, "t.npy", []int{2, 3}, make([]float32, 6))}
		}, "2 features a row"},
		"class names":     {func(j *arrays.Job) { j.ClassNames = text("classes.txt", "cat\n") }, "names 1 classes"},
		"prior":           {func(j *arrays.Job) { j.Prior = save(t, "prior.npy", []int{3}, []float32{1, 1, 1}) }, "2 values are wanted at most"},
		"logit scales":    {func(j *arrays.Job) { j.LogitScales = []float64{1, 2} }, "2 logit scales"},
		"output's ending": {func(j *arrays.Job) { j.Output += ".txt" }, ".npz, .csv"},
		"output's folder": {func(j *arrays.Job) { j.Output = "nowhere/out.npz" }, "no folder nowhere"},
		"a path":          {func(j *arrays.Job) { j.Policy.Name = "./nowhere" }, "nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			j := job(t, "out.npz", "top-k", "", p)
			c.change(&j)
			_, err := j.Select(t.Context())
			var wrong *arrays.Error
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%T %v does not say %q", err, err, c.says)
			}
			if _, err := os.Stat(j.Output); err == nil {
				t.Error("there is a file all the same")
			}
			if left, err := filepath.Glob(filepath.Join(filepath.Dir(j.Output), ".*")); err != nil || len(left) > 0 {
				t.Errorf("left over: %v %v", left, err)
			}
		})
	}
}

var nan = float32(0) / zero

var zero float32

func folder(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// A file that was cut off is damaged, not misused; one that is read is not
// overwritten; a limit and an interruption stay what they are.
func TestOtherFailures(t *testing.T) {
	p := three(t)
	j := job(t, "out.npz", "top-k", "", p)
	j.Limits = plugins.Limits{Time: 1, Call: 1}
	var limit *plugins.LimitError
	report, err := j.Select(t.Context())
	if !errors.As(err, &limit) || report == nil {
		t.Errorf("a nanosecond: %v, %v", report, err)
	}
	j.Limits = plugins.Limits{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := j.Select(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}

	var wrong *arrays.Error
	j = job(t, "out.npy", "mean", "", p)
	j.Output = p
	if _, err := j.Combine(t.Context()); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "would overwrite") {
		t.Errorf("over its input: %v", err)
	}
	if err := os.Truncate(p, 140); err != nil {
		t.Fatal(err)
	}
	j.Output = filepath.Join(t.TempDir(), "out.npy")
	if _, err := j.Combine(t.Context()); !errors.Is(err, array.ErrSize) || errors.As(err, &wrong) {
		t.Errorf("truncated: %v", err)
	}
}

// What several models give does not depend on threads, and equals the choice from
// the matrix that combine writes.
func TestEnsemble(t *testing.T) {
	models := []string{three(t), save(t, "q.npy", []int{3, 2}, []float32{0.25, 0.75, 0.375, 0.625, 0, 1})}
	both := job(t, "both.npz", "top-k", `{"weight": "confidence"}`, models...)
	both.Threads = 1
	report, err := both.Select(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if report.Ensemble == nil || report.Ensemble.Name != "mean" || !cmp.Equal(report.Models, []string{"p", "q"}) {
		t.Errorf("%+v of %v", report.Ensemble, report.Models)
	}
	mean := job(t, "mean.npy", "", "", models...)
	if _, err := mean.Combine(t.Context()); err != nil {
		t.Fatal(err)
	}
	one := job(t, "one.npz", "top-k", `{"weight": "confidence"}`, mean.Output)
	one.Threads = 8
	if report, err := one.Select(t.Context()); err != nil || report.Ensemble != nil {
		t.Fatal(report, err)
	}
	if d := cmp.Diff(contents(t, both.Output), contents(t, one.Output)); d != "" {
		t.Error(d)
	}
	single := job(t, "single.npz", "top-k", "", models...)
	single.Ensemble = arrays.Choice{Name: "single", Params: []byte(`{"model": "q"}`)}
	if _, err := single.Select(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int32{1, 1, 1}, contents(t, single.Output)["classes"].Data); d != "" {
		t.Error(d)
	}
}
