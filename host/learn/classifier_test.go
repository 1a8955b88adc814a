package learn_test

import (
	"errors"
	"io/fs"
	"math"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/safetensors"
	"github.com/upl-host/upl-host/host/learn"
)

// TestEnsemble checks that one matrix stands for the mean of the prompts' logits.
func TestEnsemble(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "prompts")
		prompts := make([]array.Matrix, n)
		for i := range prompts {
			prompts[i] = learn.RandomContext(uint64(i), 3, 4)
		}
		mean, err := learn.Ensemble(prompts)
		if err != nil {
			t.Fatal(err)
		}
		f := learn.RandomContext(99, 1, 4).Data
		for c := range 3 {
			folded, averaged := dot(f, mean.Row(c)), 0.0
			for _, p := range prompts {
				averaged += dot(f, p.Row(c)) / float64(n)
			}
			if math.Abs(folded-averaged) > 1e-8 {
				t.Fatalf("class %d: %g, want %g", c, folded, averaged)
			}
		}
	})
	if _, err := learn.Ensemble(nil); err == nil {
		t.Error("no prompt makes an ensemble")
	}
	if _, err := learn.Ensemble([]array.Matrix{array.NewMatrix(2, 3), array.NewMatrix(3, 2)}); err == nil {
		t.Error("prompts of different classes make an ensemble")
	}
}

func dot(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func newClassifier() learn.Classifier {
	return learn.Classifier{
		Learned: learn.RandomContext(1, 2, 3), ZeroShot: learn.RandomContext(2, 2, 3), Prompts: 4,
		ClassNames: []string{"crème brûlée", `"a", b`}, Templates: []string{"a photo of a {}."},
		LogitScale: 22.5, Model: "m", ModelHash: "abc", Preprocessing: "clip 64", Software: "test",
	}
}

func TestClassifierFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "classifier.safetensors")
	want := newClassifier()
	untrained := want
	untrained.Learned, untrained.Prompts = array.Matrix{}, 0
	for _, c := range []learn.Classifier{want, untrained} {
		if err := c.Write(path); err != nil {
			t.Fatal(err)
		}
		got, err := learn.ReadClassifier(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, got); diff != "" {
			t.Error(diff)
		}
	}
	for name, spoil := range map[string]func(*learn.Classifier){
		"no names":         func(c *learn.Classifier) { c.ClassNames = nil },
		"a name more":      func(c *learn.Classifier) { c.ClassNames = append(c.ClassNames, "c") },
		"narrower learned": func(c *learn.Classifier) { c.Learned = learn.RandomContext(1, 2, 2) },
		"no prompts":       func(c *learn.Classifier) { c.Prompts = 0 },
		"scale":            func(c *learn.Classifier) { c.LogitScale = float32(math.Inf(1)) },
	} {
		c := newClassifier()
		spoil(&c)
		if err := c.Write(path); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	if _, err := learn.ReadClassifier(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want fs.ErrNotExist", err)
	}
	if _, err := learn.ReadContext(path); !errors.Is(err, safetensors.ErrFormat) {
		t.Errorf("a classifier read as a context: %v, want ErrFormat", err)
	}
}

// TestDamagedFiles changes what files say, one thing at a time.
func TestDamagedFiles(t *testing.T) {
	folder := t.TempDir()
	job := newJob(folder, 20)
	mustRun(t, job)
	context, classifier := learn.ContextPath(folder, 1), filepath.Join(folder, "classifier.safetensors")
	if err := newClassifier().Write(classifier); err != nil {
		t.Fatal(err)
	}
	readers := map[string]func(string) error{
		context:    func(path string) error { _, err := learn.ReadContext(path); return err },
		classifier: func(path string) error { _, err := learn.ReadClassifier(path); return err },
	}
	nan := float32(math.NaN())
	for _, c := range []struct {
		path, key, value string
		change           func(*safetensors.Tensor)
	}{
		{path: context, key: "format", value: "upl-host classifier"},
		{path: context, key: "format_version", value: "2"},
		{path: context, key: "class_names", value: `["a"`},
		{path: context, key: "class_names", value: `[]`},
		{path: context, key: "class_names", value: `["a","","b"]`},
		{path: context, key: "context_length", value: "3"},
		{path: context, key: "context_length", value: "-2"},
		{path: context, key: "class_token_position", value: "nowhere"},
		{path: context, key: "class_specific", value: "true"},
		{path: context, key: "seed", value: "-1"},
		{path: context, key: "logit_scale", value: "NaN"},
		{path: context, key: "epochs"},
		{path: context, change: func(t *safetensors.Tensor) { t.Name = "other" }},
		{path: context, change: func(t *safetensors.Tensor) { t.Type = safetensors.I32 }},
		{path: context, change: func(t *safetensors.Tensor) { t.Shape = []int{8} }},
		{path: context, change: func(t *safetensors.Tensor) {
			t.Bytes = safetensors.Float32("", nil, []float32{1, 2, 3, 4, 5, 6, 7, nan}).Bytes
		}},
		{path: classifier, key: "class_names", value: `["a","b","c"]`},
		{path: classifier, key: "prompts", value: "0"},
		{path: classifier, key: "prompts", value: "many"},
		{path: classifier, key: "templates"},
		{path: classifier, change: func(t *safetensors.Tensor) { t.Name = "other_" + t.Name }},
		{path: classifier, change: func(t *safetensors.Tensor) { t.Shape = []int{6, 1} }},
	} {
		damaged := filepath.Join(folder, "damaged.safetensors")
		rewrite(t, c.path, damaged, func(metadata map[string]string, tensor *safetensors.Tensor) {
			switch {
			case c.change != nil:
				c.change(tensor)
			case c.value == "":
				delete(metadata, c.key)
			default:
				metadata[c.key] = c.value
			}
		})
		if err := readers[c.path](damaged); !errors.Is(err, safetensors.ErrFormat) {
			t.Errorf("%s, %s = %s: %v, want ErrFormat", filepath.Base(c.path), c.key, c.value, err)
		}
	}
}
