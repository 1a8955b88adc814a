package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/plugins/isolated"
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/sdktest"
)

// catalogue has the module that these sources make, built once.
var catalogue *plugins.Catalogue

// folder has two folders of plugins: the module in one, and the same sources as a
// program in the other.
var folder string

// TestMain is also the child process that a module is isolated in.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "isolated" {
		isolated.Serve(os.Args[3], os.Args[2])
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if folder, err = os.MkdirTemp("", "strategies"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if err := build(filepath.Join(folder, "module", "strategies"), "strategies.wasm", "GOOS=wasip1", "GOARCH=wasm"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	catalogue = plugins.NewCatalogue(plugins.Options{Folders: []string{filepath.Join(folder, "module")}})
	defer func() { _ = catalogue.Close() }()
	return m.Run()
}

// build makes a plugin's folder, of a module or a program.
func build(dir, entry string, variables ...string) error {
	manifest, err := os.ReadFile(plugins.ManifestName)
	if err != nil {
		return err
	}
	arguments := []string{"build", "-trimpath", "-o", filepath.Join(dir, entry), "."}
	if filepath.Ext(entry) == ".wasm" {
		arguments = slices.Insert(arguments, 1, "-buildmode=c-shared")
	} else {
		manifest = bytes.Replace(manifest, []byte("runtime: wasm"), []byte("runtime: process"), 1)
		manifest = bytes.Replace(manifest, []byte("entry: strategies.wasm"), []byte("entry: "+entry), 1)
	}
	command := exec.Command("go", arguments...)
	command.Env = append(append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS="), variables...)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("building the plugin: %w\n%s", err, out)
	}
	return os.WriteFile(filepath.Join(dir, plugins.ManifestName), manifest, 0o644)
}

// both runs a selection natively and as WASM; they have to be equal.
func both(t interface {
	Helper()
	Fatalf(string, ...any)
}, name string, in plugins.Input,
) ([]plugins.Label, error) {
	t.Helper()
	native, nativeErr := sdktest.Select(context.Background(), policyNamed(name), in)
	policy, err := catalogue.Find(context.Background(), name)
	if err != nil {
		t.Fatalf("%v", err)
	}
	wasm, wasmErr := policy.Select(context.Background(), in)
	if (nativeErr == nil) != (wasmErr == nil) {
		t.Fatalf("native: %v; WASM: %v", nativeErr, wasmErr)
	}
	if d := gocmp.Diff(native, wasm); d != "" {
		t.Fatalf("native and WASM differ (-native +WASM):\n%s", d)
	}
	return wasm.Labels, wasmErr
}

func bothCombined(t *testing.T, name string, in plugins.Input) ([]float32, plugins.Record, error) {
	t.Helper()
	native, nativeRecord, nativeErr := sdktest.Combine(t.Context(), policyNamed(name), in)
	policy, err := catalogue.Find(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	var wasm []float32
	wasmRecord, wasmErr := policy.Combine(t.Context(), in, func(_ int, rows []float32) error {
		wasm = append(wasm, rows...)
		return nil
	})
	if (nativeErr == nil) != (wasmErr == nil) {
		t.Fatalf("native: %v; WASM: %v", nativeErr, wasmErr)
	}
	if nativeErr == nil && !slices.Equal(native, wasm) {
		t.Fatal("native and WASM differ")
	}
	if d := gocmp.Diff(nativeRecord, wasmRecord); d != "" {
		t.Fatalf("native and WASM differ (-native +WASM):\n%s", d)
	}
	return wasm, wasmRecord, wasmErr
}

func policyNamed(name string) sdk.Policy {
	for _, p := range plugin.List() {
		if p.Name == name {
			return p
		}
	}
	return sdk.Policy{}
}

// input is a data set of those models; a selection chooses from ensemble.
func input(classes int, ensemble []float32, models ...[]float32) plugins.Input {
	var in plugins.Input
	for _, values := range models {
		in.Models = append(in.Models, sdktest.Matrix{Values: values, C: classes})
	}
	if ensemble != nil {
		in.Ensemble = sdktest.Matrix{Values: ensemble, C: classes}
	}
	for c := range classes {
		in.ClassNames = append(in.ClassNames, fmt.Sprintf("class %d", c))
	}
	return in
}

// probabilities draws rows of few distinct values, so that ties are common.
func probabilities(t *rapid.T, rows, classes int) []float32 {
	out := make([]float32, 0, rows*classes)
	for range rows {
		parts := rapid.SliceOfN(rapid.IntRange(0, 3), classes, classes).Draw(t, "parts")
		sum := 0
		for _, p := range parts {
			sum += p
		}
		if sum == 0 {
			parts[0], sum = 1, 1
		}
		for _, p := range parts {
			out = append(out, float32(p)/float32(sum))
		}
	}
	return out
}

// reference is both selections as one would write them without any care for
// speed: rank, then cut.
func reference(p []float32, classes, most int, least float32, confidence bool) []plugins.Label {
	type row struct {
		label  plugins.Label
		margin float32
	}
	perClass := make([][]row, classes)
	for i := range len(p) / classes {
		values := p[i*classes : (i+1)*classes]
		c := slices.Index(values, slices.Max(values))
		others := slices.Delete(slices.Clone(values), c, c+1)
		margin := values[c]
		if classes > 1 {
			margin -= slices.Max(others)
		}
		if values[c] >= least {
			perClass[c] = append(perClass[c], row{plugins.Label{Row: i, Class: c, Weight: values[c]}, margin})
		}
	}
	var labels []plugins.Label
	for _, rows := range perClass {
		slices.SortStableFunc(rows, func(a, b row) int {
			return cmp.Or(cmp.Compare(b.label.Weight, a.label.Weight), cmp.Compare(b.margin, a.margin))
		})
		for i, r := range rows {
			if most > 0 && i >= most {
				break
			}
			if !confidence {
				r.label.Weight = 1
			}
			labels = append(labels, r.label)
		}
	}
	slices.SortFunc(labels, func(a, b plugins.Label) int { return cmp.Compare(a.Row, b.Row) })
	return labels
}

func TestSelectionsAgainstReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes := rapid.IntRange(1, 6).Draw(t, "classes")
		p := probabilities(t, rapid.IntRange(0, 40).Draw(t, "rows"), classes)
		in := input(classes, p, p)
		in.BatchRows = rapid.SampledFrom([]int{0, 1, 7}).Draw(t, "batch")
		in.Threads = rapid.IntRange(1, 4).Draw(t, "threads")
		most := rapid.IntRange(0, 8).Draw(t, "k")
		confidence := rapid.Bool().Draw(t, "confidence")
		weight := map[bool]string{false: "one", true: "confidence"}[confidence]

		name, least := "top-k", float32(0)
		in.Params = json.RawMessage(fmt.Sprintf(`{"k": %d, "weight": %q}`, most, weight))
		if rapid.Bool().Draw(t, "threshold") {
			name, least = "threshold", rapid.SampledFrom([]float32{0, 0.5, 0.75, 1}).Draw(t, "t")
			in.Params = json.RawMessage(fmt.Sprintf(`{"t": %v, "cap": %d, "weight": %q}`, least, most, weight))
		}
		got, err := both(t, name, in)
		if err != nil {
			t.Fatal(err)
		}
		if want := reference(p, classes, most, least, confidence); !slices.Equal(got, want) {
			t.Fatalf("%s %s: %v, not %v", name, in.Params, got, want)
		}
	})
}

// TestCalibrateBounds asks for confidences that no temperature gives.
func TestCalibrateBounds(t *testing.T) {
	sharp, flat := []float32{0.75, 0.25, 0.125, 0.875}, []float32{0.5, 0.5, 0.5, 0.5}
	in := input(2, nil, sharp, flat)
	for params, want := range map[string][]float64{
		`{"calibrate": 0}`:      {100, 100},
		`{"calibrate": 1}`:      {0.01, 0.01},
		`{"calibrate": 0.8125}`: {1, 0.01}, // what the first has; the second never changes
	} {
		in.Params = json.RawMessage(params)
		_, record, err := bothCombined(t, "mean", in)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range record.Metrics {
			if math.Abs(m.Value/want[i]-1) > 1e-6 {
				t.Errorf("%s: %v, not %v", params, record.Metrics, want)
			}
		}
	}
	for _, classes := range []int{1, 3} {
		for _, name := range []string{"mean", "single"} {
			for _, rows := range []int{0, 2} {
				p := slices.Repeat([]float32{1, 0, 0}[:classes], rows)
				in := input(classes, nil, p)
				in.Params = json.RawMessage(`{"calibrate": "mean"}`)
				got, _, err := bothCombined(t, name, in)
				near := func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-6 }
				if err != nil || !slices.EqualFunc(got, p, near) {
					t.Errorf("%s of %d x %d: %v, %v", name, rows, classes, got, err)
				}
			}
		}
	}
}

func TestUnusable(t *testing.T) {
	good := []float32{0.5, 0.5, 1, 0}
	in := input(2, nil, good, good)
	in.ModelNames = []string{"vit", "rn50"}
	for params, want := range map[string]string{
		`{"model": 2}`:     "policy single: parameter model: is 2, and there are models 0 to 1",
		`{"model": "rn"}`:  `policy single: parameter model: "rn" is none of vit, rn50`,
		`{"model": -1}`:    "policy single: parameter model: ",
		`{"model": true}`:  "policy single: parameter model: ",
		`{"models": 1}`:    "policy single: parameter models: unknown; there are calibrate, model",
		`{"model": 1e300}`: "policy single: parameter model: is not an integer",
	} {
		in.Params = json.RawMessage(params)
		policy, err := catalogue.Find(t.Context(), "single")
		if err != nil {
			t.Fatal(err)
		}
		_, err = policy.Combine(t.Context(), in, func(int, []float32) error { return nil })
		var parameter *plugins.ParameterError
		if err == nil || !strings.HasPrefix(err.Error(), want) || !errors.As(err, &parameter) {
			t.Errorf("%s: %v", params, err)
		}
	}
	in.Params = json.RawMessage(`{"model": "rn50"}`)
	if got, _, err := bothCombined(t, "single", in); err != nil || !slices.Equal(got, good) {
		t.Errorf("by name: %v, %v", got, err)
	}

	nan := []float32{1, 0, 0.5, float32(math.NaN())}
	for _, name := range []string{"top-k", "threshold"} {
		_, err := both(t, name, input(2, nan, nan))
		if err == nil || !strings.Contains(err.Error(), "row 1: class 1 has probability NaN") {
			t.Errorf("%s of NaN: %v", name, err)
		}
	}
}

// TestMemoryLimit has an operator who gives too little told what to raise: A of
// prior-corrected is as large as the square of the number of classes.
func TestMemoryLimit(t *testing.T) {
	policy, err := catalogue.Find(t.Context(), "prior-corrected")
	if err != nil {
		t.Fatal(err)
	}
	const classes = 3000
	p := confident(4, classes)
	in := plugins.Input{Ensemble: p, Models: []plugins.Probabilities{p}, ClassNames: make([]string, classes)}
	in.Params, in.Limits.Memory = json.RawMessage(`{"iterations": 1, "power_max": 1}`), 64<<20
	_, err = policy.Select(t.Context(), in)
	var limit *plugins.LimitError
	if !errors.As(err, &limit) || limit.Limit != "memory" || !strings.HasSuffix(err.Error(), "raise label.limits.memory (--memory), or do without it") {
		t.Errorf("%v", err)
	}
	in.Limits.Memory = 128 << 20
	if _, err := policy.Select(t.Context(), in); err != nil {
		t.Errorf("with more memory: %v", err)
	}
}
