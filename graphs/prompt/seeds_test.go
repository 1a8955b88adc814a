//go:build tensorflow

package prompt_test

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/prompt"
)

// TestSeeds computes contexts side by side, in one chunk and in several, and
// each alone.
func TestSeeds(t *testing.T) {
	model := open(t, exported(t, filepath.Join(golden, "vit")), 0)
	random := rand.New(rand.NewPCG(5, 1))
	for _, v := range variants() {
		names := classNames(t)
		prompts := ids(t, tokens(t, model), names, contextLength, v.position, v.classSpecific)
		for _, limits := range []prompt.Limits{{}, {ChunkRows: 60}} {
			p := pack(t, model, prompts, limits)
			batches := make([]graphs.Batch, 3)
			for s := range batches {
				batches[s].Features, batches[s].Targets = batch(model, random, 8, len(names))
				batches[s].Vectors = randomVectors(random, p.Layout().Vectors+1, 64)
			}
			together, err := p.Gradients(t.Context(), batches, 100)
			if err != nil {
				t.Fatal(err)
			}
			for s, b := range batches {
				alone, err := p.Gradient(t.Context(), b.Vectors, b.Features, b.Targets, 100)
				if err != nil {
					t.Fatal(err)
				}
				got := together[s]
				if l, d, z := relative(got.Loss, alone.Loss), distance(got.Gradient, alone.Gradient), distance(got.Logits, alone.Logits); l > lossBound || d > ownBound || z > ownBound {
					t.Errorf("%s, %+v, seed %d: the loss is %.1e off, the gradient %.1e, logits %.1e", v.name, limits, s, l, d, z)
				}
			}
		}
	}
	p := pack(t, model, graphs.PadTokens([][]int32{{2012, -1, 5, 2013}, {2012, -1, 6, 2013}}), prompt.Limits{})
	features, targets := batch(model, random, 2, 2)
	one := graphs.Batch{Vectors: randomVectors(random, 1, 64), Features: features, Targets: targets}
	for name, batches := range map[string][]graphs.Batch{
		"none":           nil,
		"other batches":  {one, {Vectors: one.Vectors, Features: features.Slice(0, 1), Targets: targets.Slice(0, 1)}},
		"other contexts": {one, {Vectors: randomVectors(random, 2, 64), Features: features, Targets: targets}},
	} {
		if _, err := p.Gradients(t.Context(), batches, 1); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
