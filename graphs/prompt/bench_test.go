//go:build tensorflow

package prompt_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/export"
	"github.com/upl-host/upl-host/graphs/prompt"
	"github.com/upl-host/upl-host/graphs/tokenizer"
)

// BenchmarkGradient is a step of prompt learning, forward and backward, batch 32,
// 16 vectors: packed, of one seed and (a seed) of as many as go together; and by the model's own prompt_gradient over prompts cut to
// the longest and over padded ones. median-ms and min-ms are
// what to compare on a machine that does other things too.
func BenchmarkGradient(b *testing.B) {
	parent := b // whose folders outlive the benchmarks within
	small, large := "", ""
	for _, c := range []struct {
		name    string
		dir     *string
		make    func(b *testing.B) string
		classes int
		padded  bool
	}{
		{"demo", &small, func(b *testing.B) string { return exported(b, filepath.Join(demo, "models", "rn")) }, 24, true},
		{"RN50", &large, trueSize, 37, true},
		{"RN50", &large, trueSize, 101, true},
		{"RN50", &large, trueSize, 397, false},
		{"RN50", &large, trueSize, 1000, false},
	} {
		b.Run(fmt.Sprintf("%s/classes=%d", c.name, c.classes), func(b *testing.B) {
			if *c.dir == "" { // not made where it is not benchmarked
				*c.dir = c.make(parent)
			}
			benchmarkSteps(b, *c.dir, c.classes, c.padded)
		})
	}
}

// trueSize is RN50's text tower, 512 x 12 x 8, with random weights.
func trueSize(b *testing.B) string {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "model")
	if err := export.Write(b.Context(), dir, export.Random("RN50", wide(12), 1), false); err != nil {
		b.Fatal(err)
	}
	return dir
}

func benchmarkSteps(b *testing.B, dir string, classes int, all bool) {
	model := open(b, dir, 0)
	prompts := ids(b, tokens(b, model), manyNames(classes), contextLength, tokenizer.End, false)
	random := rand.New(rand.NewPCG(1, 1))
	features, targets := batch(model, random, 32, classes)
	vectors := randomVectors(random, contextLength, model.Config().TextWidth)
	packed := pack(b, model, prompts, prompt.Limits{})
	own := func(t graphs.Tokens) func() error {
		return func() error {
			_, err := model.PromptGradient(b.Context(), vectors, t, features, targets, 100)
			return err
		}
	}
	steps := map[string]func() error{"packed": func() error {
		_, err := packed.Gradient(b.Context(), vectors, features, targets, 100)
		return err
	}}
	together := packed.Layout().Together(16)
	if together > 1 {
		batches := slices.Repeat([]graphs.Batch{{Vectors: vectors, Features: features, Targets: targets}}, together)
		steps["seeds"] = func() error {
			_, err := packed.Gradients(b.Context(), batches, 100)
			return err
		}
	}
	if all {
		steps["truncated"], steps["padded"] = own(prompts), own(padded(prompts, model.Config().ContextLength))
	}
	for _, name := range []string{"packed", "seeds", "truncated", "padded"} {
		step, ok := steps[name]
		if !ok {
			continue
		}
		contexts := 1
		if name == "seeds" {
			contexts = together
		}
		b.Run(name, func(b *testing.B) {
			if err := step(); err != nil { // the first builds what later ones use
				b.Fatal(err)
			}
			var times []float64
			for b.Loop() {
				began := time.Now()
				if err := step(); err != nil {
					b.Fatal(err)
				}
				times = append(times, float64(time.Since(began).Microseconds())/1000/float64(contexts))
			}
			slices.Sort(times)
			b.ReportMetric(times[len(times)/2], "median-ms")
			b.ReportMetric(times[0], "min-ms")
		})
	}
}
