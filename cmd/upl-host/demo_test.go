package main_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/evaluate"
)

const (
	// featureBound is the largest difference from PyTorch that a picture's feature
	// may have: the towers are equal to 2e-5, the rest is decoding and resizing.
	featureBound = 5e-4
	textBound    = 2e-5
	// accuracyBound is how far the mean of four seeds may be from PyTorch's: seeds
	// differ by up to 2 points, and the orders of pictures are not PyTorch's.
	accuracyBound = 0.025
	// tie is a difference of two logits that rounding may turn round.
	tie = 1e-3
)

// TestDemo runs the demo's configurations as a user does and holds every number
// of theirs that PyTorch computed to PyTorch's.
func TestDemo(t *testing.T) {
	t.Parallel()
	folder := models(t)
	cache := t.TempDir()
	for _, test := range []struct {
		name, configuration, target string
		models                      []string // the first is trained and tested
		set                         []string
		expected                    string // in expected.json; empty: nothing is learnt
	}{
		{"UPL of vit on glyphs", "glyphs-alone", "glyphs", []string{"vit"}, nil, "upl"},
		{"UPL* of vit on glyphs", "glyphs", "glyphs", []string{"vit", "rn"}, nil, "upl_star"},
		{"UPL* of rn on glyphs", "glyphs", "glyphs", []string{"rn", "vit"}, nil, "upl_star"},
		{"UPL of vit on rendered", "rendered", "rendered", []string{"vit"}, nil, "upl"},
		{"zero-shot of rn on rendered", "rendered", "rendered", []string{"rn"}, []string{"learn.method=zero-shot"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "run")
			paths := make([]string, len(test.models))
			for i, name := range test.models {
				paths[i] = fmt.Sprintf("{path: %s}", filepath.Join(folder, name))
			}
			arguments := []string{
				"run", "-c", filepath.Join(demo, test.configuration+".yaml"), "--out", out,
				"--set", "models=[" + strings.Join(paths, ", ") + "]",
				"--set", "cache.dir=" + cache, "--set", "run.threads=1", // runs are side by side
			}
			for _, set := range test.set {
				arguments = append(arguments, "--set", set)
			}
			succeed(t, arguments...)
			r := readDemoRun(t, out, test.target)
			for i, model := range test.models {
				r.checkFeatures(t, model, i == 0)
				r.checkText(t, model)
				r.checkUnlabeled(t, model)
			}
			r.checkTest(t, test.models[0])
			r.checkAccuracies(t, test.target, test.models[0], test.expected)
		})
	}
}

// demoRun is a run's results beside PyTorch's values.
type demoRun struct {
	folder   string
	expected map[string]array.Array // of expected-TARGET.npz
	rows     map[string]int         // of a path, in expected
	pictures [][]string             // of pictures.csv: path, split, label
}

func readDemoRun(t *testing.T, folder, target string) *demoRun {
	t.Helper()
	expected, err := array.ReadArchive(filepath.Join(demo, "expected-"+target+".npz"))
	if err != nil {
		t.Fatal(err)
	}
	r := &demoRun{folder: folder, expected: expected, rows: map[string]int{}, pictures: table(t, filepath.Join(folder, "pictures.csv"))}
	for row, path := range expected["paths"].Data.([]string) {
		r.rows[path] = row
	}
	if len(r.pictures) != len(r.rows) {
		t.Fatalf("the run has %d pictures, PyTorch %d", len(r.pictures), len(r.rows))
	}
	return r
}

// table reads a CSV file without its header.
func table(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

// unlabeled are the rows, in expected, of the run's unlabeled pictures.
func (r *demoRun) unlabeled() (rows []int) {
	for _, p := range r.pictures {
		if p[1] == "unlabeled" {
			rows = append(rows, r.rows[p[0]])
		}
	}
	return rows
}

func (r *demoRun) all() (rows []int) {
	for _, p := range r.pictures {
		rows = append(rows, r.rows[p[0]])
	}
	return rows
}

func (r *demoRun) want(t *testing.T, model, key string) array.Matrix {
	t.Helper()
	m, err := r.expected[model+"_"+key].Matrix()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (r *demoRun) got(t *testing.T, name string) array.Matrix {
	t.Helper()
	a, err := array.ReadFile(filepath.Join(r.folder, name))
	if err != nil {
		t.Fatal(err)
	}
	m, err := a.Matrix()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// checkFeatures compares the features of every picture that the model encodes.
func (r *demoRun) checkFeatures(t *testing.T, model string, trained bool) {
	t.Helper()
	rows := r.unlabeled()
	if trained {
		rows = r.all()
	}
	largest := r.compare(t, r.got(t, "features/"+model+".npy"), r.want(t, model, "image_features"), rows)
	t.Logf("%s: features of %d pictures, largest difference %.2g", model, len(rows), largest)
	if largest > featureBound {
		t.Errorf("%s: features differ by %g, more than %g", model, largest, featureBound)
	}
}

func (r *demoRun) checkText(t *testing.T, model string) {
	t.Helper()
	want := r.want(t, model, "text_features")
	rows := make([]int, want.Rows)
	for i := range rows {
		rows[i] = i
	}
	largest := r.compare(t, r.got(t, "text_features/"+model+".npy"), want, rows)
	t.Logf("%s: text features of %d classes, largest difference %.2g", model, want.Rows, largest)
	if largest > textBound {
		t.Errorf("%s: text features differ by %g, more than %g", model, largest, textBound)
	}
}

// compare returns the largest difference of got's rows from some of want's.
func (r *demoRun) compare(t *testing.T, got, want array.Matrix, rows []int) (largest float64) {
	t.Helper()
	if got.Rows != len(rows) || got.Cols != want.Cols {
		t.Fatalf("%d x %d values, want %d x %d", got.Rows, got.Cols, len(rows), want.Cols)
	}
	for i, row := range rows {
		for d, v := range got.Row(i) {
			difference := math.Abs(float64(v - want.Row(row)[d]))
			if !(difference <= largest) { // also for NaN
				largest = difference
			}
		}
	}
	return largest
}

// checkUnlabeled compares each unlabeled picture's most probable class.
func (r *demoRun) checkUnlabeled(t *testing.T, model string) {
	t.Helper()
	probabilities, rows := r.got(t, "probabilities/"+model+".npy"), r.unlabeled()
	if probabilities.Rows != len(rows) {
		t.Fatalf("%s: probabilities of %d pictures, want %d", model, probabilities.Rows, len(rows))
	}
	for i, row := range rows {
		r.checkZeroShot(t, model, row, evaluate.Argmax(probabilities.Row(i)))
	}
}

// checkTest compares each test picture's zero-shot class.
func (r *demoRun) checkTest(t *testing.T, model string) {
	t.Helper()
	classes := map[string]int{}
	for c, name := range r.expected["class_names"].Data.([]string) {
		classes[name] = c
	}
	predictions, err := evaluate.ReadPredictions(filepath.Join(r.folder, "predictions.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range predictions {
		r.checkZeroShot(t, model, r.rows[p.Path], classes[p.ZeroShot])
	}
	if n := len(predictions) + len(r.unlabeled()); n != len(r.rows) {
		t.Errorf("%d zero-shot classes, want %d", n, len(r.rows))
	}
}

func (r *demoRun) checkZeroShot(t *testing.T, model string, row, got int) {
	t.Helper()
	all, err := r.expected[model+"_zero_shot"].Int()
	if err != nil {
		t.Fatal(err)
	}
	want := all[row]
	if got == want {
		return
	}
	picture, text := r.want(t, model, "image_features").Row(row), r.want(t, model, "text_features")
	margin := 100 * (dot(picture, text.Row(want)) - dot(picture, text.Row(got)))
	if margin > tie {
		t.Errorf("%s: picture %d is class %d, want %d, which PyTorch prefers by %g", model, row, got, want, margin)
	}
}

func dot(a, b []float32) (sum float64) {
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

// learnt are the figures of one learning in expected.json.
type learnt struct {
	PseudoLabels        int     `json:"pseudo_labels"`
	PseudoLabelAccuracy float64 `json:"pseudo_label_accuracy"`
	Mean                float64 `json:"test_mean"`
	Ensemble            float64 `json:"test_prompt_ensemble"`
}

func (r *demoRun) checkAccuracies(t *testing.T, target, model, key string) {
	t.Helper()
	m, err := evaluate.ReadMetrics(filepath.Join(r.folder, "metrics.json"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(demo, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var targets map[string]json.RawMessage
	var byModel map[string]json.RawMessage
	var want struct {
		ZeroShot float64 `json:"zero_shot_test"`
		UPL      learnt  `json:"upl"`
		UPLStar  learnt  `json:"upl_star"`
	}
	decode(t, data, &targets)
	decode(t, targets[target], &byModel)
	decode(t, byModel[model], &want)
	if got := *m.ZeroShot.Top1; !rounded(got, want.ZeroShot) {
		t.Errorf("zero-shot accuracy %.4f, want %.4f", got, want.ZeroShot)
	}
	labels := want.UPL
	if key == "upl_star" {
		labels = want.UPLStar
	}
	if p := m.PseudoLabels; p.Count != labels.PseudoLabels || !rounded(*p.Accuracy, labels.PseudoLabelAccuracy) {
		t.Errorf("%d pseudo labels, %.4f right; want %d, %.4f", p.Count, *p.Accuracy, labels.PseudoLabels, labels.PseudoLabelAccuracy)
	}
	if key == "" {
		return
	}
	t.Logf("accuracy: zero-shot %.4f, %d pseudo labels %.4f; mean of %d seeds %.4f (PyTorch %.4f), their ensemble %.4f (PyTorch %.4f)",
		*m.ZeroShot.Top1, m.PseudoLabels.Count, *m.PseudoLabels.Accuracy,
		len(m.Learned.Seeds), *m.Learned.SeedsMean, labels.Mean, *m.Learned.Top1, labels.Ensemble)
	if got := *m.Learned.SeedsMean; math.Abs(got-labels.Mean) > accuracyBound {
		t.Errorf("the mean of the seeds is %.4f, PyTorch's %.4f: more than %g between them", got, labels.Mean, accuracyBound)
	}
	if got := *m.Learned.Top1; math.Abs(got-labels.Ensemble) > accuracyBound {
		t.Errorf("the ensemble has %.4f, PyTorch's %.4f: more than %g between them", got, labels.Ensemble, accuracyBound)
	}
}

// rounded reports whether a share is the one that expected.json has in four digits.
func rounded(got, want float64) bool { return math.Abs(got-want) <= 0.5e-4+1e-9 }

func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}
