// Package golden reads the reference values of the baselines for tests.
package golden

import (
	"bytes"
	"embed"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn/numeric"
)

//go:embed testdata
var files embed.FS

// Case is a reference case; see testdata/README.md.
type Case struct {
	Name, Policy, Expected string
	Params                 struct {
		Views, Prompts, Rows          string
		Renormalise                   bool
		ShotRows                      string `json:"shot_rows"`
		Scale, Alpha, Beta, LR, Ratio float64
		Steps, Batch, Epochs          int
		WeightDecay                   float64   `json:"weight_decay"`
		SearchScale                   []float64 `json:"search_scale"`
		SearchStep                    []int     `json:"search_step"`
	}

	data *archives
}

type archives struct{ inputs, expected map[string]array.Array }

// Cases are those of a policy, with the defaults filled in.
func Cases(t *testing.T, policy string) []Case {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, files); err != nil {
		t.Fatal(err)
	}
	folder = filepath.Join(folder, "testdata")
	data := &archives{}
	for name, into := range map[string]*map[string]array.Array{"inputs.npz": &data.inputs, "expected.npz": &data.expected} {
		var err error
		if *into, err = array.ReadArchive(filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	cases, err := os.ReadFile(filepath.Join(folder, "cases.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var found []Case
	for line := range bytes.Lines(cases) {
		c := Case{data: data}
		c.Params.Scale, c.Params.Ratio, c.Params.WeightDecay = 100, 0.2, math.NaN()
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		if c.Policy == policy {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		t.Fatalf("no case of %s in %s", policy, filepath.Join(folder, "cases.jsonl"))
	}
	return found
}

// Decay is the weight decay, or that which the rule has.
func (c Case) Decay(standard float64) float64 {
	if math.IsNaN(c.Params.WeightDecay) {
		return standard
	}
	return c.Params.WeightDecay
}

// Matrix is an input of two dimensions.
func (c Case) Matrix(t *testing.T, key string) array.Matrix {
	t.Helper()
	all := c.Matrices(t, key)
	if len(all) != 1 {
		t.Fatalf("%s is no matrix", key)
	}
	return all[0]
}

// Matrices are those of an input of three dimensions, or the one of two.
func (c Case) Matrices(t *testing.T, key string) []array.Matrix {
	t.Helper()
	return matrices(t, c.data.inputs, key)
}

// Want is an expected output as matrices.
func (c Case) Want(t *testing.T, output string) []array.Matrix {
	t.Helper()
	return matrices(t, c.data.expected, c.Expected+"/"+output)
}

func matrices(t *testing.T, archive map[string]array.Array, key string) []array.Matrix {
	t.Helper()
	a, ok := archive[key]
	if !ok || len(a.Shape) < 2 {
		t.Fatalf("no matrices %s", key)
	}
	values, err := a.Float32()
	if err != nil {
		t.Fatal(err)
	}
	rows, cols := a.Shape[len(a.Shape)-2], a.Shape[len(a.Shape)-1]
	var all []array.Matrix
	for first := 0; first < len(values); first += rows * cols {
		all = append(all, array.Matrix{Rows: rows, Cols: cols, Data: values[first : first+rows*cols]})
	}
	return all
}

// Numbers is an expected output of float64.
func (c Case) Numbers(t *testing.T, output string) []float64 {
	t.Helper()
	values, ok := c.data.expected[c.Expected+"/"+output].Data.([]float64)
	if !ok {
		t.Fatalf("no %s/%s", c.Expected, output)
	}
	return values
}

// Ints is an expected output of integers.
func (c Case) Ints(t *testing.T, output string) []int {
	t.Helper()
	values, err := c.data.expected[c.Expected+"/"+output].Int()
	if err != nil {
		t.Fatalf("%s/%s: %v", c.Expected, output, err)
	}
	return values
}

// Pictures are the features, labels and one-hot targets of the rows that an input lists.
func (c Case) Pictures(t *testing.T, key string) (features array.Matrix, labels []int, targets numeric.Targets) {
	t.Helper()
	rows, err := c.data.inputs[key].Int()
	if err != nil {
		t.Fatal(err)
	}
	of, err := c.data.inputs["labels"].Int()
	if err != nil {
		t.Fatal(err)
	}
	all, classes := c.Matrix(t, "features"), c.Matrix(t, "text_features").Rows
	features, targets = array.NewMatrix(len(rows), all.Cols), numeric.NewTargets(len(rows), classes, false)
	for i, row := range rows {
		copy(features.Row(i), all.Row(row))
		labels = append(labels, of[row])
		targets.Row(i)[of[row]] = 1
	}
	return features, labels, targets
}

// MakeSets turns every second row of targets into a candidate set: its class and the next.
func MakeSets(targets *numeric.Targets) {
	targets.Sets = make([]bool, targets.Rows)
	for i := 0; i < targets.Rows; i += 2 {
		row := targets.Row(i)
		class := numeric.Largest(row)
		targets.Sets[i] = true
		row[class] /= 2
		row[(class+1)%len(row)] = row[class]
	}
}

// Near fails the test where two matrices differ by more than a tolerance.
func Near(t *testing.T, what string, got, want array.Matrix, tolerance float64) {
	t.Helper()
	if got.Rows != want.Rows || got.Cols != want.Cols {
		t.Fatalf("%s: %d x %d, want %d x %d", what, got.Rows, got.Cols, want.Rows, want.Cols)
	}
	for i, v := range got.Data {
		if d := math.Abs(float64(v) - float64(want.Data[i])); !(d <= tolerance) {
			t.Fatalf("%s: row %d, column %d is %g, want %g", what, i/got.Cols, i%got.Cols, v, want.Data[i])
		}
	}
}

// NearNumber fails the test where two numbers differ by more than a share of them.
func NearNumber(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if !(math.Abs(got-want) <= share*math.Abs(want)) {
		t.Errorf("%s: %.12g, want %.12g", what, got, want)
	}
}

// The tolerances of the reference values.
const (
	LogitsTolerance   = 1e-4
	LossTolerance     = 1e-5 // of the loss
	GradientTolerance = 1e-5
	RateTolerance     = 1e-9
)

// SomeThreads runs do with several numbers of threads and compares what it returns.
func SomeThreads(t *testing.T, do func() []float32) {
	t.Helper()
	var first []float32
	for _, threads := range []int{1, 2, 5} {
		before := runtime.GOMAXPROCS(threads)
		got := do()
		runtime.GOMAXPROCS(before)
		if first == nil {
			first = got
		}
		for i, v := range got {
			if math.Float32bits(v) != math.Float32bits(first[i]) {
				t.Fatalf("value %d is %g with %d threads, %g with one", i, v, threads, first[i])
			}
		}
	}
}
