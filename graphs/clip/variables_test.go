package clip_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/graphs/clip"
)

// weights answers with given tensors, and with tensors of the index as value.
type weights map[string][]float32

var errMissing = errors.New("missing")

func (w weights) Tensor(name string) ([]int, []float32, error) {
	data, ok := w[name]
	if !ok {
		return nil, nil, errMissing
	}
	switch {
	case strings.HasSuffix(name, "conv1.weight"):
		return []int{2, 3, 3, 3}, data, nil
	case name == "text_projection":
		return []int{1, 1}, data, nil
	}
	return []int{len(data)}, data, nil
}

func smallResNet() clip.Architecture {
	a, err := clip.Named("RN50")
	if err != nil {
		panic(err)
	}
	a.ResNet.Width, a.ResNet.Heads = 4, 2
	return a
}

// TestFolding computes one output of the stem's convolution and batch norm both ways.
func TestFolding(t *testing.T) {
	w := weights{
		"visual.conv1.weight": make([]float32, 2*3*3*3),
		"visual.bn1.weight":   {2, -1}, "visual.bn1.bias": {0.5, 3},
		"visual.bn1.running_mean": {0.25, -4}, "visual.bn1.running_var": {4, 0.5},
	}
	for i := range w["visual.conv1.weight"] {
		w["visual.conv1.weight"][i] = float32(i%11) / 7
	}
	patch := make([]float64, 3*3*3) // [in][y][x]
	for i := range patch {
		patch[i] = math.Sin(float64(i))
	}
	kernel, bias := load(t, w, "visual.conv1.weight", []int{3, 3, 3, 2}), load(t, w, "visual.conv1.bias", []int{2})
	for out := range 2 {
		plain, folded := 0.0, float64(bias[out])
		for in := range 3 {
			for p := range 9 {
				plain += patch[in*9+p] * float64(w["visual.conv1.weight"][(out*3+in)*9+p])
				folded += patch[in*9+p] * float64(kernel[(p*3+in)*2+out])
			}
		}
		mean, variance := float64(w["visual.bn1.running_mean"][out]), float64(w["visual.bn1.running_var"][out])
		want := (plain-mean)/math.Sqrt(variance+1e-5)*float64(w["visual.bn1.weight"][out]) + float64(w["visual.bn1.bias"][out])
		if d := math.Abs(folded - want); !(d < 1e-5) {
			t.Errorf("channel %d: folded %g, want %g", out, folded, want)
		}
	}
}

func load(t *testing.T, w clip.Weights, name string, shape []int) []float32 {
	t.Helper()
	for _, v := range smallResNet().Variables() {
		if v.Name == name {
			if fmt.Sprint(v.Shape) != fmt.Sprint(shape) {
				t.Errorf("%s has shape %v, want %v", name, v.Shape, shape)
			}
			data, err := v.Load(w)
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
	}
	t.Fatalf("there is no variable %s", name)
	return nil
}

func TestLoadFaults(t *testing.T) {
	variables := make(map[string]clip.Variable)
	for _, v := range smallResNet().Variables() {
		variables[v.Name] = v
	}
	nan := make([]float32, 512)
	nan[7] = float32(math.NaN())
	for _, c := range []struct {
		name string
		w    weights
		want string
	}{
		{"text_projection", weights{}, "missing"},
		{"text_projection", weights{"text_projection": {1}}, "shape [1 1], its architecture wants [512 1024]"},
		{"ln_final.weight", weights{"ln_final.weight": nan}, "NaN at element 7"},
		{"visual.conv1.weight", weights{"visual.conv1.weight": make([]float32, 54)}, "visual.bn1.weight: missing"},
	} {
		_, err := variables[c.name].Load(c.w)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: want %q, got %v", c.name, c.want, err)
		}
	}
}

// TestParameters counts the learnt parameters of OpenAI's releases, as open_clip lists them.
func TestParameters(t *testing.T) {
	for name, want := range map[string]int{
		"RN50": 102_007_137, "RN101": 119_688_033, "RN50x4": 178_300_601, "RN50x16": 290_979_217, "RN50x64": 623_258_305,
		"ViT-B/32": 151_277_313, "ViT-B/16": 149_620_737, "ViT-L/14": 427_616_513,
	} {
		a, err := clip.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		n := 1 // logit_scale
		for _, tensor := range a.Tensors() {
			if strings.Contains(tensor.Name, ".running_") {
				continue
			}
			size := 1
			for _, d := range tensor.Shape {
				size *= d
			}
			n += size
		}
		if n != want {
			t.Errorf("%s has %d parameters, want %d", name, n, want)
		}
	}
}
