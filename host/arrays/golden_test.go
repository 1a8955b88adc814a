package arrays_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/arrays"
)

// goldenCase is a line of strategies/testdata/cases.jsonl.
type goldenCase struct {
	Name, Kind, Policy, Inputs, Expected string
	Model                                *int
	Params                               json.RawMessage
	Outputs                              []string
}

// TestGolden holds selections and ensembles of files to the shipped policies'
// reference values, which were computed elsewhere. What of them a policy makes is
// tested in strategies: here, that it gets and gives the files whole.
func TestGolden(t *testing.T) {
	inputs, expected := contents(t, "../../strategies/testdata/inputs.npz"), contents(t, "../../strategies/testdata/expected.npz")
	lines, err := os.ReadFile("../../strategies/testdata/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(lines)) {
		var c goldenCase
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		if _, err := catalogue.Find(t.Context(), c.Policy); err != nil {
			continue // a measure
		}
		t.Run(c.Name, func(t *testing.T) {
			prefix := strings.TrimPrefix(c.Inputs+"/", "main/")
			models := splitModels(t, inputs[prefix+"probabilities"])
			output := "out.npz"
			if c.Kind == "ensemble" {
				output = "out.npy"
			} else if c.Model != nil && *c.Model >= 0 {
				models = models[*c.Model : *c.Model+1]
			}
			j := job(t, output, c.Policy, string(c.Params), models...)
			prior := inputs[prefix+"prior"]
			j.Prior = save(t, "prior.npy", prior.Shape, prior.Data)
			if c.Kind == "ensemble" {
				checkCombined(t, j, expected[c.Expected+"/combined"])
				return
			}
			if _, err := j.Select(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := contents(t, j.Output)
			if rows := expected[c.Expected+"/rows"]; rows.Shape[0] == 0 { // the arrays are those of hard labels then
				if d := cmp.Diff([]int{0}, got["classes"].Shape); d != "" {
					t.Error(d)
				}
				return
			}
			for _, name := range c.Outputs {
				want := expected[c.Expected+"/"+name]
				switch name {
				case "rows", "classes", "offsets":
					ints, err1 := want.Int()
					values, err2 := got[name].Int()
					if err1 != nil || err2 != nil || !slices.Equal(ints, values) {
						t.Errorf("%s are %v, not %v (%v, %v)", name, values, ints, err1, err2)
					}
				case "weights", "soft":
					near(t, got[name], want)
				}
			}
		})
	}
}

// near compares within the tolerance of the reference values.
func near(t *testing.T, got, want array.Array) {
	t.Helper()
	if d := cmp.Diff(want.Shape, got.Shape); d != "" {
		t.Fatal(d)
	}
	values, err := want.Float32()
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range got.Data.([]float32) {
		if !(math.Abs(float64(v-values[i])) <= 1e-6) { // NaN is neither
			t.Fatalf("value %d: %v, not %v", i, v, values[i])
		}
	}
}

// splitModels writes a matrix [M, N, C] as a file for each model.
func splitModels(t *testing.T, p array.Array) []string {
	t.Helper()
	values, err := p.Float32()
	if err != nil {
		t.Fatal(err)
	}
	rows, classes := p.Shape[1], p.Shape[2]
	var files []string
	for m := range p.Shape[0] {
		files = append(files, save(t, "p.npy", []int{rows, classes}, values[m*rows*classes:(m+1)*rows*classes]))
	}
	return files
}

func checkCombined(t *testing.T, j arrays.Job, want array.Array) {
	t.Helper()
	if _, err := j.Combine(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := array.ReadFile(j.Output)
	if err != nil {
		t.Fatal(err)
	}
	near(t, got, want)
}

// TestElementTypes gives the same probabilities in every type: sixteenths are
// exact in all of them.
func TestElementTypes(t *testing.T) {
	single := []float32{0.75, 0.25, 0.5, 0.5, 0.125, 0.875}
	double := make([]float64, len(single))
	for i, v := range single {
		double[i] = float64(v)
	}
	half := filepath.Join(t.TempDir(), "p.npy")
	if err := os.WriteFile(half, halves(t, single), 0o644); err != nil {
		t.Fatal(err)
	}
	var first map[string]array.Array
	for _, file := range []string{save(t, "p.npy", []int{3, 2}, single), save(t, "p.npy", []int{3, 2}, double), half} {
		j := job(t, "out.npz", "top-k", `{"weight": "confidence"}`, file)
		if _, err := j.Select(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := contents(t, j.Output)
		if first == nil {
			first = got
		}
		if d := cmp.Diff(first, got); d != "" {
			t.Errorf("%s gives others: %s", file, d)
		}
	}
	if d := cmp.Diff([]float32{0.75, 0.5, 0.875}, first["weights"].Data); d != "" {
		t.Error(d)
	}
}

// halves are a .npy file of float16, which package array does not write: of
// positive numbers that are exact in it.
func halves(t *testing.T, values []float32) []byte {
	t.Helper()
	file := save(t, "p.npy", []int{3, 2}, values)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	header, _, _ := strings.Cut(string(text), "\n")
	out := []byte(strings.Replace(header, "<f4", "<f2", 1) + "\n")
	for _, v := range values {
		b := math.Float32bits(v)
		h := uint16((b>>23-112)<<10 | b&0x7fffff>>13)
		out = append(out, byte(h), byte(h>>8))
	}
	return out
}
