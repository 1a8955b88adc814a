//go:build tensorflow

package learn_test

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/tokenizer"
	"github.com/upl-host/upl-host/host/learn"
)

// plainTower hides that a model can pack prompts, as of one that is no CLIP.
type plainTower struct{ learn.TextTower }

// TestOwnSignatures compares packed prompts with the model's own signatures,
// which other models' prompts go through.
func TestOwnSignatures(t *testing.T) {
	model, tokens := opened(t, filepath.Join(goldenSmall, "vit"))
	want := readReference(t, filepath.Join(goldenSmall, "vit", "expected.npz"))
	classNames := goldenClassNames(t)
	data := want.data(len(classNames))
	features, targets := data.Features.Slice(0, 32), data.Targets.Matrix.Slice(0, 32)
	for _, position := range []tokenizer.Position{tokenizer.End, tokenizer.Front} {
		shape := learn.Shape{Position: position}
		packed, err := learn.NewClassPrompts(t.Context(), model, tokens, classNames, shape)
		if err != nil {
			t.Fatal(err)
		}
		own, err := learn.NewClassPrompts(t.Context(), plainTower{model}, tokens, classNames, shape)
		if err != nil {
			t.Fatal(err)
		}
		vectors := want.matrix("context")
		got, err := gradient(t.Context(), packed, vectors, features, targets)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := gradient(t.Context(), own, vectors, features, targets)
		if err != nil {
			t.Fatal(err)
		}
		// Equal bytes would mean that one of them is not what it is meant to be.
		if d := distance(got.Gradient, plain.Gradient); d > 2e-5 || d == 0 {
			t.Errorf("%s: the packed gradient is %.1e from the model's own", position, d)
		}
		gotFeatures, err := packed.Features(t.Context(), vectors)
		if err != nil {
			t.Fatal(err)
		}
		plainFeatures, err := own.Features(t.Context(), vectors)
		if err != nil {
			t.Fatal(err)
		}
		if d := distance(gotFeatures, plainFeatures); d > 2e-6 {
			t.Errorf("%s: the packed features are %.1e from the model's own", position, d)
		}
	}
}

// TestOwnSignaturesOfSets compares candidate sets in the packed graph with what is
// made of a model that knows none of them.
func TestOwnSignaturesOfSets(t *testing.T) {
	model, tokens := opened(t, filepath.Join(goldenSmall, "vit"))
	want := readReference(t, filepath.Join(goldenSmall, "vit", "expected.npz"))
	classNames := goldenClassNames(t)
	features := want.data(len(classNames)).Features.Slice(0, 32)
	labels := make([]learn.Label, 32)
	for i := range labels {
		first := i % len(classNames)
		switch i % 3 {
		case 0:
			labels[i] = learn.Label{Set: []int{first, (first + 1) % len(classNames), (first + 4) % len(classNames)}, Weight: 0.5}
		case 1:
			labels[i] = learn.Label{Soft: make([]float32, len(classNames)), Weight: 2}
			labels[i].Soft[first], labels[i].Soft[(first+2)%len(classNames)] = 0.75, 0.25
		default:
			labels[i] = learn.Label{Class: first, Weight: 1}
		}
	}
	targets, err := learn.Targets(labels, len(classNames))
	if err != nil {
		t.Fatal(err)
	}
	b := graphs.Batch{Vectors: want.matrix("context"), Features: features, Targets: targets.Matrix, Sets: targets.Sets}
	var found []graphs.Gradient
	for _, tower := range []learn.TextTower{model, plainTower{model}} {
		prompts, err := learn.NewClassPrompts(t.Context(), tower, tokens, classNames, learn.Shape{})
		if err != nil {
			t.Fatal(err)
		}
		prompts.Prompt.LogitScale = 20 // so that the classes of a set share it
		g, err := prompts.Gradients(t.Context(), []graphs.Batch{b})
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, g[0])
	}
	packed, own := found[0], found[1]
	if d := distance(packed.Gradient, own.Gradient); d > 2e-5 || d == 0 {
		t.Errorf("the packed gradient is %.1e from the model's own", d)
	}
	if d := math.Abs(packed.Loss/own.Loss - 1); d > 1e-5 {
		t.Errorf("the packed loss is %.1e from the model's own", d)
	}
}

// gradient is that of one context.
func gradient(ctx context.Context, g learn.Gradienter, vectors, features, targets array.Matrix) (graphs.Gradient, error) {
	gradients, err := g.Gradients(ctx, []graphs.Batch{{Vectors: vectors, Features: features, Targets: targets}})
	if err != nil {
		return graphs.Gradient{}, err
	}
	return gradients[0], nil
}
