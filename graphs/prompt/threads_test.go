//go:build tensorflow

package prompt_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/clip"
	"github.com/upl-host/upl-host/graphs/export"
	"github.com/upl-host/upl-host/graphs/prompt"
	"github.com/upl-host/upl-host/graphs/tokenizer"
)

// TestConcurrentUse packs and computes from several goroutines, beside the model's own signatures.
func TestConcurrentUse(t *testing.T) {
	model := open(t, exported(t, filepath.Join(golden, "vit")), 0)
	prompts := ids(t, tokens(t, model), classNames(t), contextLength, tokenizer.End, false)
	vectors := randomVectors(rand.New(rand.NewPCG(3, 1)), contextLength, 64)
	results := make([]array.Matrix, 4)
	var group sync.WaitGroup
	for i := range results {
		group.Go(func() {
			p, err := model.PackPrompts(prompts, prompt.Limits{})
			if err != nil {
				t.Error(err)
				return
			}
			if results[i], err = p.Features(context.Background(), vectors); err != nil {
				t.Error(err)
			}
			if _, err := model.EncodePrompt(context.Background(), vectors, prompts); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, r := range results[1:] {
		if d := cmp.Diff(results[0], r); d != "" {
			t.Error(d)
		}
	}
}

// threadsVariable makes this program the child of TestThreads.
const threadsVariable = "UPL_TEST_THREADS"

// TestThreads: the same bytes from one thread, two and five. Thread pools are
// the process's own, so that each run is a process.
func TestThreads(t *testing.T) {
	if n, err := strconv.Atoi(os.Getenv(threadsVariable)); err == nil {
		writeGradients(t, n)
		return
	}
	dir := filepath.Join(t.TempDir(), "model")
	if err := export.Write(t.Context(), dir, export.Random("wide", wide(2), 1), false); err != nil {
		t.Fatal(err)
	}
	var first []byte
	for _, n := range []string{"1", "2", "5"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestThreads$")
		path := filepath.Join(t.TempDir(), "results.npz")
		cmd.Env = append(os.Environ(), threadsVariable+"="+n, "UPL_TEST_MODEL="+dir, "UPL_TEST_OUTPUT="+path)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		results, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = results
		} else if !bytes.Equal(first, results) {
			t.Errorf("one thread and %s give different results", n)
		}
	}
}

// wide is a published model's text tower, of some layers: in a narrow one no sum
// is long enough to be cut.
func wide(layers int) clip.Architecture {
	return clip.Architecture{
		EmbeddingWidth: 1024, ImageSize: 32, ViT: &clip.ViT{Width: 64, Layers: 1, Heads: 1, Patch: 16, MLPWidth: 64},
		Text:      clip.Text{ContextLength: 77, Vocabulary: 49408, Width: 512, Layers: layers, Heads: 8, MLPWidth: 2048},
		QuickGELU: true, LayerNormEpsilon: clip.DefaultLayerNormEpsilon,
	}
}

// manyNames are class names of one to four words.
func manyNames(n int) []string {
	words := []string{"abbey", "oyster", "river", "tabby cat", "aircraft", "golden retriever", "sunflower", "boeing", "stadium"}
	names := make([]string, n)
	for i := range names {
		names[i] = words[i%len(words)]
		for k := i / len(words); k > 0; k /= len(words) {
			names[i] += " " + words[k%len(words)]
		}
	}
	return names
}

func writeGradients(t *testing.T, threads int) {
	t.Helper()
	model := open(t, os.Getenv("UPL_TEST_MODEL"), threads)
	tok := tokens(t, model)
	out := make(map[string]array.Array)
	const classes = 24
	for _, v := range variants() {
		p := pack(t, model, ids(t, tok, manyNames(classes), contextLength, v.position, v.classSpecific), prompt.Limits{})
		random := rand.New(rand.NewPCG(7, 7))
		features, targets := batch(model, random, 32, classes)
		g, err := p.Gradient(t.Context(), randomVectors(random, p.Layout().Vectors, 512), features, targets, 100)
		if err != nil {
			t.Fatal(err)
		}
		out["gradient"+v.name], out["logits"+v.name] = g.Gradient.Array(), g.Logits.Array()
		one := graphs.Batch{Vectors: randomVectors(random, p.Layout().Vectors, 512), Features: features, Targets: targets}
		two := graphs.Batch{Vectors: randomVectors(random, p.Layout().Vectors, 512), Features: features, Targets: targets}
		seeds, err := p.Gradients(t.Context(), []graphs.Batch{one, two}, 100)
		if err != nil {
			t.Fatal(err)
		}
		out["first_seed"+v.name], out["second_seed"+v.name] = seeds[0].Gradient.Array(), seeds[1].Gradient.Array()
	}
	if err := array.WriteArchive(os.Getenv("UPL_TEST_OUTPUT"), out); err != nil {
		t.Fatal(err)
	}
}
