package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/upl-host/upl-host/graphs/array"
)

// writeArray is npy FILE TYPE SHAPE VALUES…: it writes a .npy file, as in
// npy p.npy float32 1,2 0.5 0.5.
func writeArray(ts *testscript.TestScript, _ bool, args []string) {
	a := array.Array{}
	for side := range strings.SplitSeq(args[2], ",") {
		n, err := strconv.Atoi(side)
		ts.Check(err)
		a.Shape = append(a.Shape, n)
	}
	var floats []float32
	var integers []int64
	for _, text := range args[3:] {
		v, err := strconv.ParseFloat(text, 32)
		ts.Check(err)
		floats, integers = append(floats, float32(v)), append(integers, int64(v))
	}
	switch args[1] {
	case "float32":
		a.Data = floats
	case "int64":
		a.Data = integers
	default:
		ts.Fatalf("npy: no type %s", args[1])
	}
	if a.Len() != len(args)-3 {
		ts.Fatalf("npy: %d values for shape %v", len(args)-3, a.Shape)
	}
	ts.Check(array.WriteFile(ts.MkAbs(args[0]), a))
}

// showArrays is npz FILE: it prints the arrays of a .npz file, or that of a .npy.
func showArrays(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	if filepath.Ext(path) == ".npy" {
		a, err := array.ReadFile(path)
		ts.Check(err)
		fmt.Fprintln(ts.Stdout(), a.Shape, a.Data)
		return
	}
	arrays, err := array.ReadArchive(path)
	ts.Check(err)
	for name, a := range arrays {
		fmt.Fprintln(ts.Stdout(), name, a.Shape, a.Data)
	}
}

// The program selects, from files, what the shipped policies' reference values
// say.
func TestSelectGolden(t *testing.T) {
	t.Parallel()
	inputs, err := array.ReadArchive("../../strategies/testdata/inputs.npz")
	if err != nil {
		t.Fatal(err)
	}
	expected, err := array.ReadArchive("../../strategies/testdata/expected.npz")
	if err != nil {
		t.Fatal(err)
	}
	lines, err := os.ReadFile("../../strategies/testdata/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(lines)) {
		var c struct {
			Name, Kind, Policy, Inputs, Expected string
			Model                                *int // nil: all of them
			Params                               json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		if c.Kind != "selection" || !strings.HasSuffix(c.Name, "-1") {
			continue // one of each policy: what it makes of its data is tested elsewhere
		}
		t.Run(c.Name, func(t *testing.T) {
			dir := t.TempDir()
			out := filepath.Join(dir, "out.npz")
			arguments := []string{"select", "--policy", c.Policy, "--params", string(c.Params), "-o", out}
			p := inputs["probabilities"] // of "main"
			values, err := p.Float32()
			if err != nil {
				t.Fatal(err)
			}
			size := p.Shape[1] * p.Shape[2]
			for m := range p.Shape[0] {
				file := filepath.Join(dir, fmt.Sprintf("model%d.npy", m))
				if err := array.WriteFile(file, array.Array{Shape: p.Shape[1:], Data: values[m*size : (m+1)*size]}); err != nil {
					t.Fatal(err)
				}
				if c.Model == nil || *c.Model == m {
					arguments = append(arguments, "-p", file)
				}
			}
			succeed(t, arguments...)
			got, err := array.ReadArchive(out)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"rows", "classes", "weights"} {
				have, err1 := got[name].Float32()
				want, err2 := expected[c.Expected+"/"+name].Float32()
				if d := cmp.Diff(want, have); d != "" || err1 != nil || err2 != nil {
					t.Errorf("%s: %s %v %v", name, d, err1, err2)
				}
			}
		})
	}
}
