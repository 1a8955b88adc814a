//go:build tensorflow

package learn_test

import (
	"context"
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
	features, targets := data.Features.Slice(0, 32), data.Targets.Slice(0, 32)
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

// gradient is that of one context.
func gradient(ctx context.Context, g learn.Gradienter, vectors, features, targets array.Matrix) (graphs.Gradient, error) {
	gradients, err := g.Gradients(ctx, []graphs.Batch{{Vectors: vectors, Features: features, Targets: targets}})
	if err != nil {
		return graphs.Gradient{}, err
	}
	return gradients[0], nil
}
