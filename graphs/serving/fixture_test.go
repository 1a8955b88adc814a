//go:build tensorflow

package serving_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	tf "github.com/wamuir/graft/tensorflow"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/export"
	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/graphs/savedmodel"
	"github.com/upl-host/upl-host/graphs/serving"
)

func demo(parts ...string) string {
	return filepath.Join(append([]string{"..", "..", "examples", "demo"}, parts...)...)
}

func kinds(names ...string) []string {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = filepath.Join("..", "testdata", "golden-small", "images", name)
	}
	return paths
}

// exported is a model of the demo as a SavedModel.
func exported(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := export.Checkpoint(t.Context(), demo("models", name), dir, false); err != nil {
		t.Fatal(err)
	}
	return dir
}

// learnt is the classifier of a context that PyTorch learnt on the demo.
func learnt(t *testing.T, model string) serving.Classifier {
	t.Helper()
	expected, err := array.ReadArchive(demo("expected-glyphs.npz"))
	if err != nil {
		t.Fatal(err)
	}
	features, err := expected[model+"_context_text_features"].Matrix()
	if err != nil {
		t.Fatal(err)
	}
	// As of an ensemble, whose rows are shorter than 1.
	for i := range features.Data {
		features.Data[i] *= 0.9
	}
	return serving.Classifier{
		ClassFeatures: features, LogitScale: 28, ClassNames: expected["class_names"].Data.([]string),
		Origin: serving.Origin{Run: "glyphs", Model: model, ModelHash: "h1:=", Prompts: 4, Templates: []string{"a photo of a {}."}},
	}
}

// write writes a served classifier and returns its folder.
func write(t *testing.T, model string, c serving.Classifier) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "served")
	if err := serving.Write(t.Context(), model, dir, c, false); err != nil {
		t.Fatal(err)
	}
	return dir
}

// served is a classifier in a session of its own.
type served struct{ *tf.SavedModel }

func load(t *testing.T, dir string) served {
	t.Helper()
	model, err := tf.LoadSavedModel(dir, []string{savedmodel.Tag}, &tf.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := model.Session.Close(); err != nil {
			t.Error(err)
		}
	})
	return served{model}
}

// classify returns an output of the signature serving_default.
func (s served) classify(t *testing.T, output string, files ...string) (any, error) {
	t.Helper()
	signature := s.Signatures[serving.SignatureServing]
	bytes, err := tf.NewTensor(files)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Session.Run(
		map[tf.Output]*tf.Tensor{s.tensor(t, signature.Inputs[serving.InputBytes].Name): bytes},
		[]tf.Output{s.tensor(t, signature.Outputs[output].Name)}, nil)
	if err != nil {
		return nil, err
	}
	return out[0].Value(), nil
}

func (s served) probabilities(t *testing.T, files ...string) [][]float32 {
	t.Helper()
	p, err := s.classify(t, serving.OutputScores, files...)
	if err != nil {
		t.Fatal(err)
	}
	return p.([][]float32)
}

// squares are the pictures as the classifier's graph decodes and resizes them.
func (s served) squares(t *testing.T, files ...string) [][][][]uint8 {
	t.Helper()
	for _, op := range s.Graph.Operations() {
		if op.Type() != "MapDefun" {
			continue
		}
		bytes, err := tf.NewTensor(files)
		if err != nil {
			t.Fatal(err)
		}
		in := s.Signatures[serving.SignatureServing].Inputs[serving.InputBytes]
		out, err := s.Session.Run(map[tf.Output]*tf.Tensor{s.tensor(t, in.Name): bytes}, []tf.Output{op.Output(0)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out[0].Value().([][][][]uint8)
	}
	t.Fatal("the graph maps no function over the pictures")
	return nil
}

func (s served) tensor(t *testing.T, name string) tf.Output {
	t.Helper()
	operation, output, _ := strings.Cut(name, ":")
	index, err := strconv.Atoi(output)
	op := s.Graph.Operation(operation)
	if err != nil || op == nil {
		t.Fatalf("the graph has no tensor %q", name)
	}
	return op.Output(index)
}

// own is our own way from pictures to probabilities.
type own struct {
	model     *graphs.Model
	transform *preprocess.Transform
}

func open(t *testing.T, dir string) own {
	t.Helper()
	model, err := graphs.Open(dir, graphs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := model.Close(); err != nil {
			t.Error(err)
		}
	})
	c := model.Config()
	return own{model, transform(t, preprocess.Config{
		Size: c.ImageSize, ResizeMode: c.ResizeMode, Interpolation: c.Interpolation, Mean: c.Mean, Std: c.Std,
	})}
}

func transform(t *testing.T, c preprocess.Config) *preprocess.Transform {
	t.Helper()
	transform, err := preprocess.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return transform
}

func (o own) probabilities(t *testing.T, c serving.Classifier, files ...string) [][]float32 {
	t.Helper()
	each := o.transform.Size() * o.transform.Size() * 3
	pixels := make([]float32, len(files)*each)
	for i, file := range files {
		picture, err := preprocess.Decode([]byte(file), preprocess.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		o.transform.Pixels(picture, pixels[i*each:])
	}
	features, err := o.model.EncodeImage(t.Context(), pixels, len(files))
	if err != nil {
		t.Fatal(err)
	}
	all := make([][]float32, len(files))
	for i := range all {
		all[i] = softmax(features.Row(i), c)
	}
	return all
}

func softmax(features []float32, c serving.Classifier) []float32 {
	exponentials := make([]float64, c.ClassFeatures.Rows)
	sum := 0.0
	for k := range exponentials {
		product := 0.0
		for d, v := range c.ClassFeatures.Row(k) {
			product += float64(v) * float64(features[d])
		}
		exponentials[k] = math.Exp(float64(c.LogitScale) * (product - 1)) // products are at most 1
		sum += exponentials[k]
	}
	p := make([]float32, len(exponentials))
	for k, e := range exponentials {
		p[k] = float32(e / sum)
	}
	return p
}

// difference is the largest of two tables of probabilities, and how many rows
// have another largest class.
func difference(t *testing.T, got, want [][]float32) (largest float64, others int) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range got {
		if len(got[i]) != len(want[i]) {
			t.Fatalf("row %d has %d classes, want %d", i, len(got[i]), len(want[i]))
		}
		for k := range got[i] {
			largest = math.Max(largest, math.Abs(float64(got[i][k])-float64(want[i][k]))) // keeps NaN
		}
		if argmax(got[i]) != argmax(want[i]) {
			others++
		}
	}
	return largest, others
}

func argmax(row []float32) int { return slices.Index(row, slices.Max(row)) }

func read(t *testing.T, paths ...string) []string {
	t.Helper()
	files := make([]string, len(paths))
	for i, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[i] = string(content)
	}
	return files
}

// some are n test pictures of the demo, spread over its classes.
func some(t *testing.T, set string, n int) []string {
	t.Helper()
	all, err := filepath.Glob(demo("images", set, "test", "*", "*"))
	if err != nil || len(all) < n {
		t.Fatalf("%d pictures: %v", len(all), err)
	}
	picked := make([]string, n)
	for i := range picked {
		picked[i] = all[i*len(all)/n]
	}
	return picked
}
