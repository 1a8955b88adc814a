//go:build tensorflow

package prompt_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/upl-host/upl-host/graphs/export"
	"github.com/upl-host/upl-host/graphs/prompt"
)

// TestOtherTowers: what the golden models do not have, exact GELU and a single
// layer, in one chunk and in several.
func TestOtherTowers(t *testing.T) {
	for _, c := range []struct {
		layers int
		quick  bool
	}{{1, true}, {1, false}, {3, false}} {
		t.Run(fmt.Sprintf("%d layers, quick GELU %v", c.layers, c.quick), func(t *testing.T) {
			a := wide(c.layers)
			a.QuickGELU = c.quick
			dir := filepath.Join(t.TempDir(), "model")
			if err := export.Write(t.Context(), dir, export.Random("other", a, 1), false); err != nil {
				t.Fatal(err)
			}
			model, names := open(t, dir, 0), manyNames(9)
			random := rand.New(rand.NewPCG(2, 2))
			features, targets := batch(model, random, 16, len(names))
			for _, v := range variants() {
				prompts := ids(t, tokens(t, model), names, contextLength, v.position, v.classSpecific)
				for _, limits := range []prompt.Limits{{}, {ChunkRows: 30}} {
					p := pack(t, model, prompts, limits)
					compare(t, model, p, prompts, randomVectors(random, p.Layout().Vectors, a.Text.Width), features, targets, ownBound)
				}
			}
		})
	}
}
