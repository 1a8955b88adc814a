package label_test

import (
	"math"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/label"
	"github.com/upl-host/upl-host/host/learn/head"
)

const golden = "../../graphs/testdata/golden-small/vit/expected.npz"

func matrixOf(t *testing.T, arrays map[string]array.Array, key string) array.Matrix {
	t.Helper()
	m, err := arrays[key].Matrix()
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return m
}

// softmax(100 f t'), as PyTorch computes it.
func TestProbabilitiesEqualPyTorch(t *testing.T) {
	arrays, err := array.ReadArchive(golden)
	if err != nil {
		t.Fatal(err)
	}
	features, text, want := matrixOf(t, arrays, "image_features"), matrixOf(t, arrays, "text_features"), matrixOf(t, arrays, "probabilities")
	got := array.NewMatrix(want.Rows, want.Cols)
	label.Probabilities(head.ClassFeatures{Matrix: text, Scale: 100}, features, got)
	for i := range want.Data {
		if d := math.Abs(float64(want.Data[i] - got.Data[i])); d > 1e-5 {
			t.Errorf("value %d is %g, want %g", i, got.Data[i], want.Data[i])
		}
	}
}

func TestClassifyPicksRowsWhateverTheThreads(t *testing.T) {
	arrays, err := array.ReadArchive(golden)
	if err != nil {
		t.Fatal(err)
	}
	pool, text := matrixOf(t, arrays, "pool"), matrixOf(t, arrays, "text_features")
	rows := make([]int, 3000) // several blocks
	for i := range rows {
		rows[i] = i * 7 % pool.Rows
	}
	classify := func(threads int) array.Matrix {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		path := filepath.Join(t.TempDir(), "p.npy")
		if err := label.Classify(t.Context(), path, pool, rows, head.ClassFeatures{Matrix: text, Scale: 100}); err != nil {
			t.Fatal(err)
		}
		m, err := array.Map(path)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		return m.Clone()
	}
	one, eight := classify(1), classify(8)
	if diff := cmp.Diff(one, eight); diff != "" {
		t.Error("1 and 8 threads differ", diff)
	}
	all := array.NewMatrix(pool.Rows, text.Rows)
	label.Probabilities(head.ClassFeatures{Matrix: text, Scale: 100}, pool, all)
	for i, row := range rows {
		for c, v := range one.Row(i) {
			if math.Abs(float64(v-all.Row(row)[c])) > 1e-6 {
				t.Fatalf("row %d is not that of picture %d", i, row)
			}
		}
	}
}

func TestSoftmaxSumsToOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row := rapid.SliceOfN(rapid.Float32Range(-1000, 1000), 1, 50).Draw(t, "logits")
		label.Softmax(row)
		sum := 0.0
		for _, p := range row {
			if p < 0 || p > 1 {
				t.Fatalf("a probability of %g", p)
			}
			sum += float64(p)
		}
		if math.Abs(sum-1) > 1e-5 {
			t.Fatalf("they sum to %g", sum)
		}
	})
}

func TestMeanOfTemplates(t *testing.T) {
	a := array.Matrix{Rows: 1, Cols: 2, Data: []float32{1, 0}}
	b := array.Matrix{Rows: 1, Cols: 2, Data: []float32{0, 1}}
	got := label.MeanOfTemplates([]array.Matrix{a, b})
	h := float32(math.Sqrt(0.5))
	if diff := cmp.Diff([]float32{h, h}, got.Data); diff != "" {
		t.Error(diff)
	}
}
