package array_test

import (
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/array"
)

// Rows are read in any order, by several threads, and in more than one piece
// where they are converted.
func TestFile(t *testing.T) {
	const rows, cols = 300, 257
	single, double := array.NewMatrix(rows, cols), make([]float64, rows*cols)
	for i := range double {
		double[i] = float64(i) / 3
		single.Data[i] = float32(double[i])
	}
	for name, data := range map[string]any{"float32": single.Data, "float64": double} {
		path := filepath.Join(t.TempDir(), name+".npy")
		if err := array.WriteFile(path, array.Array{Shape: []int{rows, cols}, Data: data}); err != nil {
			t.Fatal(err)
		}
		f, err := array.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if f.Rows() != rows || f.Cols() != cols {
			t.Errorf("%s: %d x %d", name, f.Rows(), f.Cols())
		}
		var group sync.WaitGroup
		for _, part := range [][2]int{{0, rows}, {299, 1}, {17, 100}, {rows, 0}} {
			group.Go(func() {
				got := make([]float32, part[1]*cols)
				if err := f.Read(part[0], part[1], got); err != nil {
					t.Error(err)
				}
				if d := cmp.Diff(single.Data[part[0]*cols:(part[0]+part[1])*cols], got); d != "" {
					t.Errorf("%s, %d rows from %d on: %s", name, part[1], part[0], d)
				}
			})
		}
		group.Wait()
		for _, part := range [][2]int{{-1, 1}, {0, rows + 1}, {rows, 1}, {0, -1}} {
			if f.Read(part[0], part[1], make([]float32, (rows+1)*cols)) == nil {
				t.Errorf("%s: %d rows from %d on were read", name, part[1], part[0])
			}
		}
		// Cut off while it is read: an error, where a mapping would be a crash.
		if err := os.Truncate(path, 1000); err != nil {
			t.Fatal(err)
		}
		if err := f.Read(rows-1, 1, make([]float32, cols)); !errors.Is(err, array.ErrSize) {
			t.Errorf("%s: truncated: %v", name, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if _, err := array.Open(path); !errors.Is(err, array.ErrSize) {
			t.Errorf("%s: opening a truncated file: %v", name, err)
		}
	}
}

// Half-precision numbers are read as they are.
func TestFileOfHalves(t *testing.T) {
	values := []uint16{0x3c00, 0x3555, 0x0001, 0xc000, 0x7c00, 0x0000}
	path := filepath.Join(t.TempDir(), "half.npy")
	if err := array.WriteFile(path, array.Array{Shape: []int{3, 2}, Data: make([]float32, 6)}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = text[:len(text)-24]
	copy(text[len("\x93NUMPY\x01\x00\x00\x00{'descr': '<"):], "f2")
	for _, v := range values {
		text = binary.LittleEndian.AppendUint16(text, v)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := array.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := make([]float32, 6)
	if err := f.Read(0, 3, got); err != nil {
		t.Fatal(err)
	}
	want := []float32{1, 0.33325195, 1.0 / (1 << 24), -2, float32(math.Inf(1)), 0}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// A matrix that is made as it is written is the same as one that was there.
func TestGenerated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "g.npz")
	made := array.Generated(func(row int, dst []float32) { dst[row] = float32(row + 1) })
	if err := array.WriteArchive(path, map[string]array.Array{"m": {Shape: []int{2, 3}, Data: made}}); err != nil {
		t.Fatal(err)
	}
	got, err := array.ReadArchive(path)
	if err != nil {
		t.Fatal(err)
	}
	want := array.Array{Shape: []int{2, 3}, Data: []float32{1, 0, 0, 0, 2, 0}}
	if d := cmp.Diff(want, got["m"]); d != "" {
		t.Error(d)
	}
}
