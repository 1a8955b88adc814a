package learn_test

import (
	"errors"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/safetensors"
	"github.com/upl-host/upl-host/host/learn"
	"github.com/upl-host/upl-host/host/learn/head"
)

// textClassifier is one of a model that compares texts itself: the first class has two
// of them, and there are three prompts.
func textClassifier(t *testing.T) learn.Classifier {
	t.Helper()
	c := newClassifier()
	c.ZeroShot, c.TextClasses = learn.RandomContext(2, 3, 5), []int{0, 1, 0}
	if err := c.Learn(threePrompts()); err != nil {
		t.Fatal(err)
	}
	return c
}

func threePrompts() []array.Matrix {
	return []array.Matrix{learn.RandomContext(4, 2, 5), learn.RandomContext(5, 2, 5), learn.RandomContext(6, 2, 5)}
}

// largest is a similarity that is not linear.
var largest = head.Similarity{Width: 3, Compare: func(pictures, texts array.Matrix) (array.Matrix, error) {
	logits := array.NewMatrix(pictures.Rows, texts.Rows)
	for i := range logits.Rows {
		for k := range logits.Cols {
			most := math.Inf(-1)
			for d, v := range pictures.Row(i) {
				most = max(most, float64(v)*float64(texts.Row(k)[d]))
			}
			logits.Row(i)[k] = float32(1e4 * most)
		}
	}
	return logits, nil
}}

func TestTextsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "classifier.safetensors")
	want := textClassifier(t)
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
		"a class without text": func(c *learn.Classifier) { c.TextClasses = []int{0, 0, 0} },
		"an unknown class":     func(c *learn.Classifier) { c.TextClasses = []int{0, 1, 2} },
		"a text more":          func(c *learn.Classifier) { c.TextClasses = []int{0, 1, 0, 1} },
		"a prompt more":        func(c *learn.Classifier) { c.Prompts++ },
		"narrower prompts":     func(c *learn.Classifier) { c.Learned = learn.RandomContext(1, 6, 4) },
		"scale":                func(c *learn.Classifier) { c.LogitScale = 0 },
		"heads":                func(c *learn.Classifier) { c.Heads = headClassifier(head.KindProbe).Heads },
	} {
		c := textClassifier(t)
		spoil(&c)
		if err := c.Write(path); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

// The logits of prompts are averaged, and not their features.
func TestTextsAreAveragedAsLogits(t *testing.T) {
	c := textClassifier(t)
	c.Similarity = largest
	pictures := learn.RandomContext(9, 4, 3)
	logits := func(h head.Head) array.Matrix {
		out := array.NewMatrix(pictures.Rows, 2)
		if err := h.Logits(pictures, out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	mean := make([]float64, 8)
	for _, features := range threePrompts() {
		one, err := c.ByPrompts([]array.Matrix{features})
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range logits(one).Data {
			mean[i] += float64(v) / 3
		}
	}
	for i, v := range logits(c.Best()).Data {
		if math.Abs(float64(v)-mean[i]) > 1e-5*math.Abs(mean[i]) {
			t.Errorf("logit %d is %g, want %g", i, v, mean[i])
		}
	}
	all, err := c.ByPrompts(threePrompts())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(logits(all).Data, logits(c.Best()).Data) {
		t.Error("the ensemble of all prompts is not what classifies")
	}
	zero := logits(c.ByZeroShot())
	each, err := largest.Compare(pictures, c.ZeroShot)
	if err != nil {
		t.Fatal(err)
	}
	for i := range zero.Rows {
		row := each.Row(i)
		want := []float32{float32((float64(row[0]) + float64(row[2])) / 2), row[1]}
		if !slices.Equal(zero.Row(i), want) {
			t.Errorf("picture %d zero-shot: %v, want %v", i, zero.Row(i), want)
		}
	}
	if _, err := c.ByPrompts([]array.Matrix{array.NewMatrix(2, 5), array.NewMatrix(2, 4)}); err == nil {
		t.Error("prompts of different widths make an ensemble")
	}
}

func TestDamagedTexts(t *testing.T) {
	folder := t.TempDir()
	path, damaged := filepath.Join(folder, "classifier.safetensors"), filepath.Join(folder, "damaged.safetensors")
	if err := textClassifier(t).Write(path); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(metadata map[string]string, t *safetensors.Tensor){
		"version":   func(metadata map[string]string, _ *safetensors.Tensor) { metadata["format_version"] = "1" },
		"prompts":   func(metadata map[string]string, _ *safetensors.Tensor) { metadata["prompts"] = "2" },
		"no list":   func(_ map[string]string, t *safetensors.Tensor) { rename(t, "zero_shot_classes", "other") },
		"the shape": func(_ map[string]string, t *safetensors.Tensor) { reshape(t, "zero_shot_classes", 3, 1) },
		"a class": func(_ map[string]string, t *safetensors.Tensor) {
			if t.Name == "zero_shot_classes" {
				t.Bytes[0] = 7
			}
		},
		"learned": func(_ map[string]string, t *safetensors.Tensor) { reshape(t, "learned", 6, 5) },
	} {
		rewrite(t, path, damaged, change)
		if _, err := learn.ReadClassifier(damaged); !errors.Is(err, safetensors.ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat", name, err)
		}
	}
}

func rename(t *safetensors.Tensor, from, to string) {
	if t.Name == from {
		t.Name = to
	}
}

func reshape(t *safetensors.Tensor, name string, shape ...int) {
	if t.Name == name {
		t.Shape = shape
	}
}
