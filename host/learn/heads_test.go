package learn_test

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/safetensors"
	"github.com/upl-host/upl-host/host/label"
	"github.com/upl-host/upl-host/host/learn"
	"github.com/upl-host/upl-host/host/learn/adapter"
	"github.com/upl-host/upl-host/host/learn/head"
	"github.com/upl-host/upl-host/host/learn/internal/golden"
	"github.com/upl-host/upl-host/host/learn/probe"
	"github.com/upl-host/upl-host/host/learn/tip"
)

// TestFold holds the ensembles of prompts and of templates to the reference.
func TestFold(t *testing.T) {
	for _, c := range golden.Cases(t, "fold-prompts") {
		prompts := c.Matrices(t, c.Params.Prompts)
		for i, p := range prompts {
			prompts[i] = p.Clone()
			for k := range p.Rows {
				row := prompts[i].Row(k)
				length := math.Sqrt(dot(row, row))
				for d, v := range row {
					row[d] = float32(float64(v) / length)
				}
			}
		}
		folded, err := label.MeanOfTemplates(prompts), error(nil)
		if !c.Params.Renormalise {
			folded, err = learn.Ensemble(prompts)
		}
		if err != nil {
			t.Fatal(err)
		}
		golden.Near(t, c.Name, folded, c.Want(t, "folded")[0], 1e-6)
	}
}

// heads are two of each kind, for 2 classes of 3 features.
func heads(text array.Matrix) map[string][]head.Head {
	cache := func(alpha float64) head.Head {
		return tip.Cache{
			Keys: learn.RandomContext(3, 4, 3), Values: []tip.Value{{Key: 0, Class: 1, Weight: 1}, {Key: 3, Class: 0, Weight: 0.5}},
			Text: text, Scale: 22.5, Alpha: alpha, Beta: 5.5,
		}
	}
	linear := func(seed uint64) head.Head {
		return probe.Probe{Weights: learn.RandomContext(seed, 2, 3), Bias: []float32{0.5, -0.25}, L2: 3}
	}
	return map[string][]head.Head{
		head.KindAdapter: {adapter.Random(1, text, 22.5, 0.2), adapter.Random(2, text, 22.5, 0.2)},
		head.KindCache:   {cache(1.17), cache(2)},
		head.KindProbe:   {linear(4), linear(5)},
	}
}

func headClassifier(kind string) learn.Classifier {
	c := newClassifier()
	c.Learned, c.Prompts, c.Inputs, c.Method, c.Deterministic = array.Matrix{}, 0, "abc", kind, true
	for i, h := range heads(c.ZeroShot)[kind] {
		c.Heads = append(c.Heads, learn.SeedHead{Seed: uint64(i + 7), Head: h})
	}
	return c
}

// TestHeadsFile writes and reads heads of each kind, and classifies by the mean of
// their logits.
func TestHeadsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "classifier.safetensors")
	for _, kind := range []string{head.KindAdapter, head.KindCache, head.KindProbe} {
		want := headClassifier(kind)
		if err := want.Write(path); err != nil {
			t.Fatal(err)
		}
		got, err := learn.ReadClassifier(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", kind, diff)
		}
		features, mean := learn.RandomContext(9, 5, 3), array.NewMatrix(5, 2)
		got.Best().Logits(features, mean)
		one, other := array.NewMatrix(5, 2), array.NewMatrix(5, 2)
		got.Heads[0].Logits(features, one)
		got.Heads[1].Logits(features, other)
		for i, v := range mean.Data {
			if want := (float64(one.Data[i]) + float64(other.Data[i])) / 2; math.Abs(float64(v)-want) > 1e-6 || one.Data[i] == other.Data[i] {
				t.Errorf("%s: logit %d is %g, of %g and %g", kind, i, v, one.Data[i], other.Data[i])
			}
		}
	}
}

// TestBest sees what classifies where nothing, or prompts, were learnt.
func TestBest(t *testing.T) {
	c := newClassifier()
	if diff := cmp.Diff(head.Head(head.ClassFeatures{Matrix: c.Learned, Scale: 22.5}), c.Best()); diff != "" {
		t.Error(diff)
	}
	c.Learned, c.Prompts = array.Matrix{}, 0
	if diff := cmp.Diff(head.Head(head.ClassFeatures{Matrix: c.ZeroShot, Scale: 22.5}), c.Best()); diff != "" {
		t.Error(diff)
	}
}

func TestDamagedHeads(t *testing.T) {
	folder := t.TempDir()
	damaged := filepath.Join(folder, "damaged.safetensors")
	for _, c := range []struct {
		kind, from, to string // in the metadata's heads
		tensor         string
		change         func(*safetensors.Tensor)
	}{
		{kind: head.KindCache, from: `"alpha":1.17`, to: `"alpha":-1`},
		{kind: head.KindCache, from: `"beta":5.5`, to: `"gamma":5.5`},
		{kind: head.KindCache, from: `"kind":"tip-adapter"`, to: `"kind":"other"`},
		{kind: head.KindCache, tensor: "head.0.values", change: func(t *safetensors.Tensor) { t.Bytes[0] = 9 }},
		{kind: head.KindCache, tensor: "head.1.values", change: func(t *safetensors.Tensor) { t.Shape = []int{4} }},
		{kind: head.KindCache, tensor: "head.0.weights", change: func(t *safetensors.Tensor) { t.Bytes[3] = 0xff }},
		{kind: head.KindCache, tensor: "head.0.keys", change: func(t *safetensors.Tensor) { t.Shape = []int{3, 4} }},
		{kind: head.KindAdapter, from: `"ratio":0.2`, to: `"ratio":1.2`},
		{kind: head.KindAdapter, tensor: "head.0.w1", change: func(t *safetensors.Tensor) { t.Name = "head.0.w3" }},
		{kind: head.KindAdapter, tensor: "head.0.w2", change: func(t *safetensors.Tensor) { t.Shape = []int{1, 3} }},
		{kind: head.KindProbe, tensor: "head.0.bias", change: func(t *safetensors.Tensor) { t.Shape = []int{2, 1} }},
		{kind: head.KindProbe, tensor: "head.0.weights", change: func(t *safetensors.Tensor) { t.Shape = []int{3, 2} }},
		{kind: head.KindProbe, tensor: "head.0.weights", change: func(t *safetensors.Tensor) { copy(t.Bytes, "\x00\x00\xc0\x7f") }},
	} {
		whole := filepath.Join(folder, c.kind+".safetensors")
		if err := headClassifier(c.kind).Write(whole); err != nil {
			t.Fatal(err)
		}
		hit := false
		rewrite(t, whole, damaged, func(metadata map[string]string, tensor *safetensors.Tensor) {
			switch {
			case c.change == nil:
				changed := strings.Replace(metadata["heads"], c.from, c.to, 1)
				hit = hit || changed != metadata["heads"]
				metadata["heads"] = changed
			case tensor.Name == c.tensor:
				c.change(tensor)
				hit = true
			}
		})
		what := fmt.Sprintf("%s: %s to %s, %s", c.kind, c.from, c.to, c.tensor)
		if _, err := learn.ReadClassifier(damaged); !hit || !errors.Is(err, safetensors.ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat (changed: %v)", what, err, hit)
		}
	}
}

// rewrite copies a file of tensors of any type, changed.
func rewrite(t *testing.T, from, to string, change func(map[string]string, *safetensors.Tensor)) {
	t.Helper()
	file, err := safetensors.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}()
	metadata := file.Metadata()
	var tensors []safetensors.Tensor
	for _, name := range file.Names() {
		info, _ := file.Info(name)
		data, err := file.Bytes(name)
		if err != nil {
			t.Fatal(err)
		}
		tensor := safetensors.Tensor{Name: name, Type: info.Type, Shape: info.Shape, Bytes: make([]byte, data.Size())}
		if _, err := data.ReadAt(tensor.Bytes, 0); err != nil {
			t.Fatal(err)
		}
		change(metadata, &tensor)
		tensors = append(tensors, tensor)
	}
	if err := safetensors.Write(to, tensors, metadata); err != nil {
		t.Fatal(err)
	}
}
