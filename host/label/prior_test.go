package label_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/label"
)

func TestReadPrior(t *testing.T) {
	names := []string{"cat", "dog, small"}
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	numbers := func(name string, shape []int, data any) string {
		path := filepath.Join(dir, name)
		if err := array.WriteFile(path, array.Array{Shape: shape, Data: data}); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, path := range []string{
		write("a.csv", "class,prior\n\"dog, small\",3\ncat, 1\n"),
		write("b.CSV", "cat,0.25\n\"dog, small\",0.75"),
		numbers("c.npy", []int{2}, []float64{0.25, 0.75}),
		numbers("d.npy", []int{2}, []int64{10, 30}),
	} {
		got, err := label.ReadPrior(path, names)
		if d := cmp.Diff([]float64{0.25, 0.75}, got); d != "" || err != nil {
			t.Errorf("%s: %v %s", path, err, d)
		}
	}
	for path, says := range map[string]string{
		write("twice.csv", "cat,1\ncat,1\n"):                "twice.csv:2: class \"cat\" for the second time",
		write("unknown.csv", "cat,1\nowl,1\n"):              "unknown.csv:2: there is no class \"owl\"",
		write("missing.csv", "cat,1\n"):                     "class \"dog, small\" is missing",
		write("word.csv", "cat,1\n\"dog, small\",many"):     "word.csv:2: \"many\" is no number",
		write("columns.csv", "cat,1,2\n"):                   "a class name and a number a line",
		write("below.csv", "cat,-1\n\"dog, small\",1\n"):    "class 0 has -1",
		write("nan.csv", "cat,nan\n\"dog, small\",1\n"):     "class 0 has NaN",
		write("inf.csv", "cat,inf\n\"dog, small\",1\n"):     "class 0 has +Inf",
		write("zero.csv", "cat,0\n\"dog, small\",0\n"):      "sums to 0",
		write("prior.txt", "1 2"):                           "none of .npy, .csv",
		write("none.npy", "1 2"):                            "NumPy",
		numbers("three.npy", []int{3}, []float32{1, 1, 1}):  "shape [3], and 2 values are wanted at most",
		numbers("one.npy", []int{1}, []float32{1}):          "1 values for 2 classes",
		numbers("matrix.npy", []int{1, 2}, []float32{1, 1}): "shape [1 2]",
		numbers("text.npy", []int{2}, []string{"a", "b"}):   "numbers",
		filepath.Join(dir, "nowhere.npy"):                   "no such file",
		filepath.Join(dir, "nowhere.csv"):                   "no such file",
	} {
		if got, err := label.ReadPrior(path, names); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, %v does not say %q", path, got, err, says)
		}
	}
	if _, err := label.Prior([]float64{math.MaxFloat64, math.MaxFloat64}, 2); err == nil {
		t.Error("an infinite sum")
	}
}

// What a policy reads of a matrix is its rows, in the order that is asked for.
func TestMatricesForPolicies(t *testing.T) {
	m := array.Matrix{Rows: 3, Cols: 2, Data: []float32{0, 1, 2, 3, 4, 5}}
	got := make([]float32, 4)
	if err := (label.Matrix{Matrix: m}).Read(1, 2, got); err != nil || !cmp.Equal(got, []float32{2, 3, 4, 5}) {
		t.Errorf("%v, %v", got, err)
	}
	picked := label.Picked{Matrix: m, Of: []int{2, 0, 2, 1}}
	if err := picked.Read(1, 2, got); err != nil || !cmp.Equal(got, []float32{0, 1, 4, 5}) || picked.Rows() != 4 || picked.Width() != 2 {
		t.Errorf("%v, %v", got, err)
	}
}
