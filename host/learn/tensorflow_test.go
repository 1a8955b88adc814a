//go:build tensorflow

package learn_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/export"
	"github.com/upl-host/upl-host/graphs/safetensors"
	"github.com/upl-host/upl-host/graphs/tokenizer"
	"github.com/upl-host/upl-host/host/learn"
	"github.com/upl-host/upl-host/host/learn/numeric"
)

const (
	goldenSmall = "../../graphs/testdata/golden-small"
	demo        = "../../examples/demo"
	// referenceScale is the 1/tau of the reference values; the checkpoints have
	// it in float16, 3e-4 off.
	referenceScale = 100
)

// opened exports a checkpoint and opens it, with its tokenizer.
func opened(t *testing.T, checkpoint string) (*graphs.Model, tokenizer.Tokenizer) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	if err := export.Checkpoint(context.Background(), checkpoint, dir, false); err != nil {
		t.Fatal(err)
	}
	model, err := graphs.Open(dir, graphs.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := model.Close(); err != nil {
			t.Error(err)
		}
	})
	c := model.Config()
	tokens, err := tokenizer.New(tokenizer.Config{
		Dir: filepath.Join(dir, "assets.extra"), Kind: c.Tokenizer.Kind,
		Vocabulary: c.Tokenizer.Vocabulary, Merges: c.Tokenizer.Merges, ContextLength: c.ContextLength,
	})
	if err != nil {
		t.Fatal(err)
	}
	return model, tokens
}

// reference holds the values that PyTorch computed.
type reference struct {
	t      *testing.T
	values map[string]array.Array
}

func readReference(t *testing.T, path string) reference {
	t.Helper()
	values, err := array.ReadArchive(path)
	if err != nil {
		t.Fatal(err)
	}
	return reference{t, values}
}

// matrix returns an array with all but its last dimension as rows.
func (r reference) matrix(key string) array.Matrix {
	r.t.Helper()
	a, ok := r.values[key]
	if !ok {
		r.t.Fatalf("there is no %s", key)
	}
	values, err := a.Float32()
	if err != nil {
		r.t.Fatal(err)
	}
	cols := a.Shape[len(a.Shape)-1]
	return array.Matrix{Rows: len(values) / cols, Cols: cols, Data: values}
}

func (r reference) numbers(key string) []float64 {
	r.t.Helper()
	values, ok := r.values[key].Data.([]float64)
	if !ok {
		r.t.Fatalf("%s is %T", key, r.values[key].Data)
	}
	return values
}

func (r reference) data(classes int) learn.Data {
	r.t.Helper()
	labels, err := r.values["pool_labels"].Int()
	if err != nil {
		r.t.Fatal(err)
	}
	hard := make([]learn.Label, len(labels))
	for i, class := range labels {
		hard[i] = learn.Label{Class: class, Weight: 1}
	}
	targets, err := learn.Targets(hard, classes)
	if err != nil {
		r.t.Fatal(err)
	}
	return learn.Data{Features: r.matrix("pool"), Targets: targets}
}

// distance is the relative L2 distance of got from want.
func distance(got, want array.Matrix) float64 {
	difference, norm := 0.0, 0.0
	for i, w := range want.Data {
		d := float64(got.Data[i]) - float64(w)
		difference += d * d
		norm += float64(w) * float64(w)
	}
	return math.Sqrt(difference / norm)
}

func goldenClassNames(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(goldenSmall, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases struct {
		ClassNames []string `json:"class_names"`
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	return cases.ClassNames
}

// TestPyTorch compares with the reference: each variant's loss and gradient,
// and the context after 9 steps of torch.optim.SGD.
func TestPyTorch(t *testing.T) {
	for _, name := range []string{"vit", "resnet"} {
		t.Run(name, func(t *testing.T) {
			model, tokens := opened(t, filepath.Join(goldenSmall, name))
			want := readReference(t, filepath.Join(goldenSmall, name, "expected.npz"))
			classNames := goldenClassNames(t)
			data := want.data(len(classNames))
			batch := learn.Data{Features: data.Features.Slice(0, 32), Targets: data.Targets.Slice(0, 32)}
			soft := learn.Data{Features: batch.Features, Targets: numeric.Targets{Matrix: want.matrix("soft_targets").Clone()}}
			for i, weight := range want.matrix("weights").Data {
				for c := range soft.Targets.Cols {
					soft.Targets.Row(i)[c] *= weight
				}
			}
			for _, c := range []struct {
				suffix string
				shape  learn.Shape
				data   learn.Data
			}{
				{"", learn.Shape{}, batch},
				{"_middle", learn.Shape{Position: tokenizer.Middle}, batch},
				{"_front", learn.Shape{Position: tokenizer.Front}, batch},
				{"_class_specific", learn.Shape{ClassSpecific: true}, batch},
				{"_soft", learn.Shape{}, soft},
			} {
				prompts, err := learn.NewClassPrompts(t.Context(), model, tokens, classNames, c.shape)
				if err != nil {
					t.Fatal(err)
				}
				prompts.Prompt.LogitScale = referenceScale
				vectors := want.matrix("context")
				if c.shape.ClassSpecific {
					vectors = want.matrix("class_contexts")
				}
				got, err := gradient(t.Context(), prompts, vectors, c.data.Features, c.data.Targets.Matrix)
				if err != nil {
					t.Fatal(err)
				}
				loss := math.Abs(got.Loss/want.numbers("loss" + c.suffix)[0] - 1)
				gradient := distance(got.Gradient, want.matrix("gradient"+c.suffix))
				t.Logf("%s: loss %.1e, gradient %.1e", "gradient"+c.suffix, loss, gradient)
				if loss > 1e-4 || gradient > 1e-4 {
					t.Errorf("%s: the loss is %.1e off, the gradient %.1e", "gradient"+c.suffix, loss, gradient)
				}
			}
			checkSGD(t, model, tokens, classNames, want, data)
		})
	}
}

func checkSGD(t *testing.T, model *graphs.Model, tokens tokenizer.Tokenizer, classNames []string, want reference, data learn.Data) {
	t.Helper()
	prompts, err := learn.NewClassPrompts(t.Context(), model, tokens, classNames, learn.Shape{Length: 16})
	if err != nil {
		t.Fatal(err)
	}
	prompts.Prompt.LogitScale = referenceScale
	features, err := prompts.Features(t.Context(), want.matrix("context"))
	if err != nil {
		t.Fatal(err)
	}
	if d := distance(features, want.matrix("prompt_features")); d > 1e-4 {
		t.Errorf("prompt features are %.1e off", d)
	}
	settings := learn.DefaultSettings()
	settings.Epochs, settings.Seeds = 3, []uint64{1}
	var losses []float64
	initial := want.matrix("context")
	contexts, err := learn.Run(t.Context(), learn.Job{
		Folder: t.TempDir(), Prompt: prompts.Prompt, Gradienter: prompts, Data: data, Settings: settings,
		Initial: &initial, Order: learn.InOrder,
		Events: learn.Events{OnStep: func(s learn.Step) { losses = append(losses, s.Loss) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	worst := 0.0
	for i, loss := range want.numbers("sgd_losses") {
		worst = max(worst, math.Abs(losses[i]/loss-1))
	}
	d := distance(contexts[0].Vectors, want.matrix("context_after_sgd"))
	t.Logf("9 steps of SGD: losses %.1e, context %.1e", worst, d)
	if len(losses) != 9 || worst > 1e-4 || d > 1e-3 {
		t.Errorf("after %d steps the losses are %.1e off, the context %.1e", len(losses), worst, d)
	}
}

// TestWords begins a context as words, and trains and resumes with it.
func TestWords(t *testing.T) {
	model, tokens := opened(t, filepath.Join(goldenSmall, "vit"))
	file, err := safetensors.Open(filepath.Join(goldenSmall, "vit", "open_clip_model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}()
	shape, embedding, err := file.Float32("token_embedding.weight")
	if err != nil {
		t.Fatal(err)
	}
	ids, err := tokens.Words("a photo of a")
	if err != nil {
		t.Fatal(err)
	}
	classNames := []string{"sea", "sunflower"}
	prompts, err := learn.NewClassPrompts(t.Context(), model, tokens, classNames, learn.Shape{InitialWords: "a photo of a"})
	if err != nil {
		t.Fatal(err)
	}
	initial := prompts.Initial()
	if prompts.Prompt.Length != len(ids) || initial.Rows != len(ids) || initial.Cols != shape[1] {
		t.Fatalf("a context of %d vectors, %d x %d, of %d words", prompts.Prompt.Length, initial.Rows, initial.Cols, len(ids))
	}
	for i, id := range ids {
		if diff := cmp.Diff(embedding[int(id)*shape[1]:][:shape[1]], initial.Row(i)); diff != "" {
			t.Errorf("word %d: %s", i, diff)
		}
	}
	specific, err := learn.NewClassPrompts(t.Context(), model, tokens, classNames,
		learn.Shape{Length: len(ids), InitialWords: "a photo of a", ClassSpecific: true})
	if err != nil {
		t.Fatal(err)
	}
	// Words in the place of vectors: the features are those of the plain text.
	for _, p := range []*learn.ClassPrompts{prompts, specific} {
		got, err := p.Features(t.Context(), *p.Initial())
		if err != nil {
			t.Fatal(err)
		}
		rows := make([][]int32, 0, len(classNames))
		for _, name := range classNames {
			row, err := tokens.Encode("a photo of a " + name + ".")
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, row)
		}
		want, err := model.EncodeText(t.Context(), graphs.PadTokens(rows))
		if err != nil {
			t.Fatal(err)
		}
		if d := distance(got, want); d > 1e-6 {
			t.Errorf("features of words as context are %.1e from those of the text", d)
		}
	}
	if _, err := learn.NewClassPrompts(t.Context(), model, tokens, classNames, learn.Shape{Length: 7, InitialWords: "a photo of a"}); err == nil {
		t.Error("4 words were taken for 7 vectors")
	}
	other := prompts.Prompt
	other.ModelHash = "0"
	if _, err := learn.Bind(model, tokens, other); !errors.Is(err, learn.ErrOtherModel) {
		t.Errorf("%v, want ErrOtherModel", err)
	}
	var long *tokenizer.LengthError
	if _, err := learn.NewClassPrompts(t.Context(), model, tokens, classNames, learn.Shape{Length: 75}); !errors.As(err, &long) {
		t.Errorf("%v, want a LengthError", err)
	}
}

// TestDemo binds the context that PyTorch learned on the demo.
func TestDemo(t *testing.T) {
	want := readReference(t, filepath.Join(demo, "expected-glyphs.npz"))
	classNames, ok := want.values["class_names"].Data.([]string)
	if !ok {
		t.Fatal("there are no class names")
	}
	for _, name := range []string{"vit", "rn"} {
		model, tokens := opened(t, filepath.Join(demo, "models", name))
		prompts, err := learn.NewClassPrompts(t.Context(), model, tokens, classNames, learn.Shape{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := prompts.Features(t.Context(), want.matrix(name+"_context"))
		if err != nil {
			t.Fatal(err)
		}
		d := distance(got, want.matrix(name+"_context_text_features"))
		t.Logf("%s: %.1e", name, d)
		if d > 1e-4 {
			t.Errorf("%s: the learned context's class features are %.1e off", name, d)
		}
	}
}

// TestSameBytes interrupts a training on TensorFlow, of two seeds side by side.
func TestSameBytes(t *testing.T) {
	model, tokens := opened(t, filepath.Join(goldenSmall, "vit"))
	want := readReference(t, filepath.Join(goldenSmall, "vit", "expected.npz"))
	classNames := goldenClassNames(t)
	prompts, err := learn.NewClassPrompts(t.Context(), model, tokens, classNames, learn.Shape{Length: 4})
	if err != nil {
		t.Fatal(err)
	}
	settings := learn.DefaultSettings()
	settings.Epochs, settings.Seeds, settings.Together = 3, []uint64{1, 2}, 2
	job := learn.Job{Folder: t.TempDir(), Prompt: prompts.Prompt, Gradienter: prompts, Data: want.data(len(classNames)), Settings: settings}
	mustRun(t, job)
	undisturbed := contents(t, job.Folder)

	job.Folder = t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	job.Events.OnEpoch = func(_ uint64, e learn.Epoch) {
		if e.Epoch == 1 {
			cancel()
		}
	}
	if _, err := learn.Run(ctx, job); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, want context.Canceled", err)
	}
	job.Events = learn.Events{}
	mustRun(t, job)
	if diff := cmp.Diff(undisturbed, contents(t, job.Folder)); diff != "" {
		t.Error(diff)
	}
}

// TestDivergedModel raises the rate until nothing is left of a context.
func TestDivergedModel(t *testing.T) {
	model, tokens := opened(t, filepath.Join(goldenSmall, "vit"))
	want := readReference(t, filepath.Join(goldenSmall, "vit", "expected.npz"))
	classNames := goldenClassNames(t)
	prompts, err := learn.NewClassPrompts(t.Context(), model, tokens, classNames, learn.Shape{Length: 4})
	if err != nil {
		t.Fatal(err)
	}
	settings := learn.DefaultSettings()
	settings.Epochs, settings.Seeds, settings.LearningRate = 3, []uint64{5}, 1e25
	_, err = learn.Run(t.Context(), learn.Job{
		Folder: t.TempDir(), Prompt: prompts.Prompt, Gradienter: prompts, Data: want.data(len(classNames)), Settings: settings,
	})
	var diverged *learn.DivergedError
	if !errors.As(err, &diverged) {
		t.Fatalf("%v, want a DivergedError", err)
	}
	if diverged.Seed != 5 || diverged.Epoch != 1 || diverged.Step != 0 {
		t.Errorf("it diverged at %+v, want the first step of the full rate", diverged)
	}
}
