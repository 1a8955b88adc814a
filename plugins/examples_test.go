package plugins_test

import (
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

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/sdktest"
)

// example is a case that an example plugin's own tests hold to in its language.
type example struct {
	Policy       string
	Classes      []string
	Models       [][][]float32 // of each model, [N, C]
	Ensemble     [][]float32   // [N, C]
	Features     [][]float32   // [N, D]
	TextFeatures [][]float32   `json:"text_features"` // [C, D]
	Params       json.RawMessage
	Seed         uint64
	Expected     struct {
		Labels   [][3]float64
		Combined [][]float64
	}
}

// TestExamples builds each example as its README says, and runs its cases on
// upl-host: in batches of several sizes, by one thread and by eight.
func TestExamples(t *testing.T) {
	sources, err := filepath.Glob("../examples/plugins/*/Makefile")
	if err != nil || len(sources) != 5 {
		t.Fatalf("%d examples: %v", len(sources), err)
	}
	for _, source := range sources {
		source := filepath.Dir(source)
		t.Run(filepath.Base(source), func(t *testing.T) {
			if out, err := exec.Command("make", "-s", "-C", source).CombinedOutput(); err != nil {
				t.Fatalf("make: %v\n%s", err, out)
			}
			built, err := filepath.Glob(filepath.Join(source, "build", "*", plugins.ManifestName))
			if err != nil || len(built) != 1 {
				t.Fatalf("%d plugins in build: %v", len(built), err)
			}
			if venv := filepath.Join(source, ".venv", "bin"); exists(venv) {
				absolute, err := filepath.Abs(venv)
				if err != nil {
					t.Fatal(err)
				}
				t.Setenv("PATH", absolute+string(filepath.ListSeparator)+os.Getenv("PATH"))
			}
			c := openTrial(t)
			cases, err := filepath.Glob(filepath.Join(source, "testdata", "*.json"))
			if err != nil || len(cases) == 0 {
				t.Fatalf("no cases: %v", err)
			}
			for _, file := range cases {
				runExample(t, c, filepath.Dir(built[0]), file)
			}
		})
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// openTrial opens a catalogue that runs everything, as plugin test does.
func openTrial(t *testing.T) *plugins.Catalogue {
	t.Helper()
	c := plugins.NewCatalogue(plugins.Options{Trial: true, StoreDir: filepath.Join(t.TempDir(), "store")})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func runExample(t *testing.T, c *plugins.Catalogue, folder, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var e example
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	name := folder
	if e.Policy != "" {
		name += "#" + e.Policy
	}
	policy, err := c.Find(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range []int{0, 1, 7, 256} {
		in := e.input()
		in.BatchRows, in.Threads = batch, 1+7*(batch%2)
		if err := e.run(t, policy, in); err != nil {
			t.Errorf("%s, batches of %d: %v", file, batch, err)
		}
	}
}

func flat(rows [][]float32) sdktest.Matrix {
	return sdktest.Matrix{Values: slices.Concat(rows...), C: len(rows[0])}
}

func (e *example) input() plugins.Input {
	in := plugins.Input{ClassNames: e.Classes, Params: e.Params, Seed: e.Seed}
	for _, m := range e.Models {
		in.Models = append(in.Models, flat(m))
	}
	if e.Ensemble != nil {
		in.Ensemble = flat(e.Ensemble)
	}
	for range e.Models {
		if e.Features != nil {
			in.Features = append(in.Features, flat(e.Features))
			in.TextFeatures = append(in.TextFeatures, flat(e.TextFeatures))
		}
	}
	return in
}

func (e *example) run(t *testing.T, policy *plugins.Policy, in plugins.Input) error {
	t.Helper()
	if policy.Kind == sdk.KindEnsemble {
		in.Ensemble = nil
		var got []float32
		_, err := policy.Combine(t.Context(), in, func(_ int, rows []float32) error {
			got = append(got, rows...)
			return nil
		})
		want := slices.Concat(e.Expected.Combined...)
		if err != nil || len(got) != len(want) {
			return fmt.Errorf("%d values, not %d: %w", len(got), len(want), err)
		}
		for i, x := range got {
			if math.Abs(float64(x)-want[i]) > 1e-6 {
				return fmt.Errorf("value %d is %v, not %v", i, x, want[i])
			}
		}
		return nil
	}
	if in.Ensemble == nil {
		in.Ensemble = in.Models[0]
	}
	got, err := policy.Select(t.Context(), in)
	if err != nil {
		return err
	}
	var want []plugins.Label
	for _, l := range e.Expected.Labels {
		want = append(want, plugins.Label{Row: int(l[0]), Class: int(l[1]), Weight: float32(l[2])})
	}
	if !slices.Equal(got.Labels, want) {
		return errors.New(strings.Join([]string{fmt.Sprint(got.Labels), fmt.Sprint(want)}, "\nis not "))
	}
	return nil
}
