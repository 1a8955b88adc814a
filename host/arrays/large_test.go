package arrays_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk/sdktest"
	"github.com/upl-host/upl-host/strategies/selection/topk"
)

type matrix struct{ *array.File }

func (m matrix) Classes() int { return m.Cols() }

// BenchmarkLarge selects from 1,000,000 x 1000 probabilities in a file of 4 GB,
// which it makes in the folder UPL_LARGE and removes: by the policy in-process, and
// as the command does, by the module, with everything around it. Without that
// variable it does nothing. Run it with -benchtime 1x.
func BenchmarkLarge(b *testing.B) {
	folder := os.Getenv("UPL_LARGE")
	if folder == "" {
		return
	}
	const rows, classes = 1_000_000, 1000
	path := filepath.Join(folder, "large.npy")
	b.Cleanup(func() { _ = os.Remove(path) })
	writeLarge(b, path, rows, classes)

	b.Run("native", func(b *testing.B) {
		b.SetBytes(rows * classes * 4)
		for b.Loop() {
			f, err := array.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			in := plugins.Input{Ensemble: matrix{f}, Models: []plugins.Probabilities{matrix{f}}, ClassNames: make([]string, classes)}
			s, err := sdktest.Select(b.Context(), topk.Policy, in)
			if err != nil || len(s.Labels) == 0 {
				b.Fatalf("%d labels: %v", len(s.Labels), err)
			}
			if err := f.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("select", func(b *testing.B) {
		b.SetBytes(rows * classes * 4)
		for b.Loop() {
			j := job(b, "out.npz", "top-k", "", path)
			if _, err := j.Select(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// writeLarge makes the file: rows of ever larger confidence in ever another class.
func writeLarge(b *testing.B, path string, rows, classes int) {
	b.Helper()
	w, err := array.Create(path, rows, classes)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Abort()
	row := make([]float32, classes)
	for i := range rows {
		largest := 0.3 + 0.65*float32(i%4096)/4096
		for c := range row {
			row[c] = (1 - largest) / float32(classes-1)
		}
		row[i*7%classes] = largest
		if err := w.Append(row); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}
