package array_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/upl-host/upl-host/graphs/array"
)

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, cols := rapid.IntRange(0, 5).Draw(t, "rows"), rapid.IntRange(1, 5).Draw(t, "cols")
		want := array.NewMatrix(rows, cols)
		for i := range want.Data {
			want.Data[i] = rapid.Float32().Draw(t, "value")
		}
		var file bytes.Buffer
		if err := array.Write(&file, want.Array()); err != nil {
			t.Fatal(err)
		}
		if file.Len()%64 != rows*cols*4%64 {
			t.Fatalf("data of a file of %d bytes is not aligned to 64", file.Len())
		}
		got, err := array.Read(&file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Array(), got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestArchive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.npz")
	want := map[string]array.Array{
		"paths":  {Shape: []int{2}, Data: []string{"a/é.png", "b"}},
		"labels": {Shape: []int{3}, Data: []int64{1, -2, 3}},
		"f":      {Shape: []int{1, 2}, Data: []float64{1.5, math.Inf(1)}},
		"empty":  {Shape: []int{0}, Data: []int32{}},
		"mask":   {Shape: []int{2}, Data: []bool{true, false}},
	}
	if err := array.WriteArchive(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := array.ReadArchive(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

func TestMap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.npy")
	w, err := array.Create(path, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Append([]float32{1, 2, 3, 4}); err != nil {
		t.Fatal(err)
	}
	if err := w.Append([]float32{1}); err == nil {
		t.Error("half a row was taken")
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file is there before it is whole")
	}
	if err := w.Append([]float32{5, 6}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	m, err := array.Map(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if diff := cmp.Diff([]float32{5, 6}, m.Row(2)); diff != "" {
		t.Error(diff)
	}
	if err := os.Truncate(path, 136); err != nil {
		t.Fatal(err)
	}
	if _, err := array.Map(path); err == nil {
		t.Error("a truncated file was mapped")
	}
}

func TestFloat16(t *testing.T) {
	for bits, want := range map[uint16]float32{
		0x3c00: 1, 0xc000: -2, 0x0001: 1.0 / (1 << 24), 0x7bff: 65504, 0x8000: float32(math.Copysign(0, -1)), 0x7c00: float32(math.Inf(1)),
	} {
		if got := array.Float16(bits); math.Float32bits(got) != math.Float32bits(want) {
			t.Errorf("%#04x is %v, want %v", bits, got, want)
		}
	}
	if !math.IsNaN(float64(array.Float16(0x7e00))) {
		t.Error("0x7e00 is a number")
	}
}

func FuzzRead(f *testing.F) {
	var file bytes.Buffer
	if err := array.Write(&file, array.Array{Shape: []int{2, 2}, Data: []float32{1, 2, 3, 4}}); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add([]byte("\x93NUMPY\x01\x00\x46\x00{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999,), }    \n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := array.Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		if a.Len() > len(data) && a.Len() > 0 {
			if texts, ok := a.Data.([]string); !ok || len(texts) != a.Len() {
				t.Fatalf("%d elements out of %d bytes", a.Len(), len(data))
			}
		}
	})
}
