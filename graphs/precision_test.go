//go:build tensorflow

package graphs_test

import (
	"errors"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/cpu"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/export"
	"github.com/upl-host/upl-host/graphs/prompt"
)

// step is a step of prompt learning's inputs: the vectors and tokens of prompts(),
// and features and targets of three pictures.
func step() (vectors array.Matrix, tokens graphs.Tokens, features, targets array.Matrix) {
	vectors, tokens = prompts()
	features, targets = array.NewMatrix(3, 64), array.NewMatrix(3, 2)
	for i := range features.Rows {
		for j := range features.Cols {
			features.Row(i)[j] = float32((i*5+j*3)%7-3) / 16
		}
		targets.Row(i)[i%2] = 1
	}
	return vectors, tokens, features, targets
}

// packedStep is one gradient by the packed graph.
func packedStep(t *testing.T, m *graphs.Model) graphs.Gradient {
	t.Helper()
	vectors, tokens, features, targets := step()
	packed, err := m.PackPrompts(tokens, prompt.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	g, err := packed.Gradient(t.Context(), vectors, features, targets, 100)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestPlacement: nothing in our graphs asks for a device, so that a GPU gets all
// that it has kernels for. The packed prompts are looked at too.
func TestPlacement(t *testing.T) {
	m := open(t, exported(t), graphs.Options{})
	packedStep(t, m)
	devices, err := m.Devices()
	if err != nil || !slices.Equal(devices, []string{""}) {
		t.Errorf("operations ask for the devices %q: %v", devices, err)
	}
}

// errorOf is |got - want| / |want|.
func errorOf(want, got []float32) float64 {
	var difference, length float64
	for i, w := range want {
		difference += math.Pow(float64(got[i]-w), 2)
		length += math.Pow(float64(w), 2)
	}
	return math.Sqrt(difference / length)
}

// TestPrecision holds bfloat16 to the errors that docs/configuration.md states, on
// small towers of both kinds; it must differ from float32, or it was never switched on.
func TestPrecision(t *testing.T) {
	if !cpu.X86.HasAVX512BF16 && !cpu.X86.HasAMXBF16 {
		m, err := graphs.Open(exported(t), graphs.Options{Device: "cpu", Precision: graphs.BFloat16})
		if lacking := new(graphs.PrecisionError); !errors.As(err, &lacking) {
			t.Errorf("want a PrecisionError, got %v, %v", m, err)
		}
		return
	}
	for _, name := range []string{"vit", "resnet"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "model")
			if err := export.Checkpoint(t.Context(), filepath.Join("testdata/golden-small", name), dir, false); err != nil {
				t.Fatal(err)
			}
			results := map[graphs.Precision]map[string][]float32{}
			for _, p := range []graphs.Precision{graphs.Float32, graphs.BFloat16} {
				m := open(t, dir, graphs.Options{Device: "cpu", Precision: p})
				if m.Precision() != p {
					t.Errorf("precision %s, want %s", m.Precision(), p)
				}
				pictures, err := m.EncodeImage(t.Context(), ramp(4), 4)
				if err != nil {
					t.Fatal(err)
				}
				_, tokens := prompts()
				for i, id := range tokens.IDs {
					tokens.IDs[i] = max(id, 1)
				}
				texts, err := m.EncodeText(t.Context(), tokens)
				if err != nil {
					t.Fatal(err)
				}
				g := packedStep(t, m)
				results[p] = map[string][]float32{"pictures": pictures.Data, "texts": texts.Data, "logits": g.Logits.Data, "gradient": g.Gradient.Data}
			}
			for what, bound := range map[string]float64{"pictures": 0.015, "texts": 0.015, "logits": 0.02, "gradient": 0.1} {
				e := errorOf(results[graphs.Float32][what], results[graphs.BFloat16][what])
				t.Logf("%s: relative error %.2g", what, e)
				if e > bound || e == 0 {
					t.Errorf("%s: relative error %.2g, want above 0 and at most %g", what, e, bound)
				}
			}
		})
	}
}
