//go:build tensorflow

package savedmodel_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/savedmodel"
)

// double is a model of two variables: y = x * a + b.
func double(load func() ([]float32, error)) savedmodel.Model {
	s := op.NewScope()
	variable := func(name string) tf.Output {
		return s.AddOperation(tf.OpSpec{Type: "VarHandleOp", Name: name, Attrs: map[string]any{
			"dtype": tf.Float, "shape": tf.MakeShape(2), "shared_name": name,
		}}).Output(0)
	}
	a, b := variable("layer.a"), variable("layer.b")
	x := op.Placeholder(s, tf.Float, op.PlaceholderShape(tf.MakeShape(-1, 2)))
	y := op.Mul(s, x, op.ReadVariableOp(s.SubScope("a"), a, tf.Float))
	y = op.AddV2(s, y, op.ReadVariableOp(s.SubScope("b"), b, tf.Float))
	return savedmodel.Model{
		Scope: s,
		Signatures: map[string]savedmodel.Signature{
			"line": {Inputs: map[string]tf.Output{"x": x}, Outputs: map[string]tf.Output{"y": y}},
		},
		Variables: []savedmodel.Variable{
			{Name: "layer.b", Handle: b, Shape: []int{2}, Load: func() ([]float32, error) { return []float32{10, 20}, nil }},
			{Name: "layer.a", Handle: a, Shape: []int{2}, Load: load},
		},
		Extra: func(dir string) error { return os.WriteFile(filepath.Join(dir, "note.txt"), []byte("a note"), 0o644) },
	}
}

func good() ([]float32, error) { return []float32{2, 3}, nil }

func TestWriteAndLoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "below", "model")
	m := double(good)
	m.ShardSize = 1
	if err := savedmodel.Write(t.Context(), dir, m); err != nil {
		t.Fatal(err)
	}
	signatures, err := graphs.Signatures(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]graphs.Signature{"line": {
		Inputs:  map[string]graphs.Tensor{"x": {Name: "Placeholder:0", Type: "float32", Shape: []int{-1, 2}}},
		Outputs: map[string]graphs.Tensor{"y": {Name: "AddV2:0", Type: "float32", Shape: []int{-1, 2}}},
	}}
	if d := cmp.Diff(want, signatures); d != "" {
		t.Error(d)
	}
	model, err := tf.LoadSavedModel(dir, []string{savedmodel.Tag}, &tf.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Session.Close()
	x, err := tf.NewTensor([][]float32{{1, 1}, {0, -1}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := model.Session.Run(map[tf.Output]*tf.Tensor{model.Graph.Operation("Placeholder").Output(0): x},
		[]tf.Output{model.Graph.Operation("AddV2").Output(0)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([][]float32{{12, 23}, {10, 17}}, out[0].Value()); d != "" {
		t.Error(d)
	}
	shards, err := filepath.Glob(filepath.Join(dir, "variables", "variables.data-*-of-00002"))
	if err != nil || len(shards) != 2 {
		t.Errorf("shards %v, %v", shards, err)
	}
	if note, err := os.ReadFile(filepath.Join(dir, savedmodel.ExtraFolder, "note.txt")); err != nil || string(note) != "a note" {
		t.Errorf("%q, %v", note, err)
	}
}

func TestEqualModelsEqualBytes(t *testing.T) {
	var sums [2]string
	for i := range sums {
		dir := filepath.Join(t.TempDir(), "model")
		if err := savedmodel.Write(t.Context(), dir, double(good)); err != nil {
			t.Fatal(err)
		}
		var err error
		if sums[i], err = graphs.Hash(dir); err != nil {
			t.Fatal(err)
		}
	}
	if sums[0] != sums[1] {
		t.Errorf("hashes differ: %v", sums)
	}
}

// TestWholeOrNot: whatever goes wrong, nothing is left, and what was there stays.
func TestWholeOrNot(t *testing.T) {
	broken := errors.New("unreadable")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	failing := double(good)
	failing.Extra = func(string) error { return broken }
	for name, c := range map[string]struct {
		ctx   context.Context
		model savedmodel.Model
		want  error
	}{
		"a weight cannot be read":  {t.Context(), double(func() ([]float32, error) { return nil, broken }), broken},
		"extra files cannot be":    {t.Context(), failing, broken},
		"interrupted":              {cancelled, double(good), context.Canceled},
		"a weight of another size": {t.Context(), double(func() ([]float32, error) { return []float32{1}, nil }), nil},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			old := filepath.Join(parent, "model")
			if err := savedmodel.Write(t.Context(), old, double(good)); err != nil {
				t.Fatal(err)
			}
			before, err := graphs.Hash(old)
			if err != nil {
				t.Fatal(err)
			}
			c.model.Overwrite = true
			err = savedmodel.Write(c.ctx, old, c.model)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("want %v, got %v", c.want, err)
			}
			after, err := graphs.Hash(old)
			if err != nil || after != before {
				t.Errorf("what was there has changed: %v", err)
			}
			if entries, err := os.ReadDir(parent); err != nil || len(entries) != 1 {
				t.Errorf("left behind: %v, %v", entries, err)
			}
		})
	}
}

func TestOverwrite(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "model")
	write := func(overwrite bool) error {
		m := double(good)
		m.Overwrite = overwrite
		return savedmodel.Write(t.Context(), dir, m)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, overwrite := range []bool{false, true} { // a folder that is no SavedModel is never replaced
		if err := write(overwrite); !errors.Is(err, savedmodel.ErrExists) {
			t.Errorf("overwrite %v: want ErrExists, got %v", overwrite, err)
		}
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := write(false); err != nil {
		t.Fatal(err)
	}
	if err := write(false); !errors.Is(err, savedmodel.ErrExists) {
		t.Errorf("want ErrExists, got %v", err)
	}
	if err := write(true); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(parent); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"garbage": "no protobuf", "empty": ""} {
		if err := os.WriteFile(filepath.Join(dir, "saved_model.pb"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := savedmodel.Read(dir); !errors.Is(err, savedmodel.ErrFormat) {
			t.Errorf("%s: want ErrFormat, got %v", name, err)
		}
	}
}
