//go:build tensorflow

package backbone_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/clip"
	"github.com/upl-host/upl-host/graphs/export"
	"github.com/upl-host/upl-host/host/backbone"
)

const demo = "../../examples/demo/models"

// imagenetTemplates are the seven that CLIP's authors found to serve as well as all 80.
var imagenetTemplates = []string{
	"itap of a {}.", "a bad photo of the {}.", "a origami {}.", "a photo of the large {}.",
	"a {} in a video game.", "art of the {}.", "a photo of the small {}.",
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

func exported(tb testing.TB, name string) string {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "model")
	if err := export.Checkpoint(tb.Context(), filepath.Join(demo, name), dir, false); err != nil {
		tb.Fatal(err)
	}
	return dir
}

func open(tb testing.TB, dir string, threads int) *backbone.Backbone {
	tb.Helper()
	d, err := backbone.Describe(dir, "")
	if err != nil {
		tb.Fatal(err)
	}
	b, err := d.Open(graphs.Options{Device: "cpu", Threads: threads})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := b.Close(); err != nil {
			tb.Error(err)
		}
	})
	return b
}

func templates(tb testing.TB, d *backbone.Description, templates, names []string) []graphs.Tokens {
	tb.Helper()
	tokens, err := d.Templates(templates, names)
	if err != nil {
		tb.Fatal(err)
	}
	return tokens
}

// farthest is the largest difference of two elements.
func farthest(tb testing.TB, got, want array.Matrix) float64 {
	tb.Helper()
	if got.Rows != want.Rows || got.Cols != want.Cols {
		tb.Fatalf("%d x %d features, want %d x %d", got.Rows, got.Cols, want.Rows, want.Cols)
	}
	most := 0.0
	for i, w := range want.Data {
		most = max(most, math.Abs(float64(got.Data[i])-float64(w)))
	}
	return most
}

// Whatever the template (the class at its end, in the middle, at its start) and
// however many texts there are.
func TestTextsEqualEncodeText(t *testing.T) {
	b := open(t, exported(t, "rn"), 0)
	for _, template := range append(imagenetTemplates, "{}", "{} texture.") {
		for _, n := range []int{1, 2, 24, 700} {
			tokens := templates(t, b.Description, []string{template}, manyNames(n))[0]
			got, err := b.Texts(t.Context(), tokens)
			if err != nil {
				t.Fatal(err)
			}
			want, err := b.EncodeTexts(t.Context(), tokens)
			if err != nil {
				t.Fatal(err)
			}
			if most := farthest(t, got, want); most > 1e-5 {
				t.Errorf("%q, %d classes: a value is off by %g", template, n, most)
			}
		}
	}
}

// A model that does not describe its text tower is encoded by its own signature.
func TestTextsOfAnUnknownTower(t *testing.T) {
	dir := exported(t, "rn")
	path := filepath.Join(dir, graphs.ConfigFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	config := map[string]any{}
	if err := json.Unmarshal(raw, &config); err != nil {
		t.Fatal(err)
	}
	delete(config, "text_tower")
	unknown, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, unknown, 0o644); err != nil {
		t.Fatal(err)
	}
	b := open(t, dir, 0)
	tokens := templates(t, b.Description, []string{"a photo of a {}."}, manyNames(300))[0]
	got, err := b.Texts(t.Context(), tokens)
	if err != nil {
		t.Fatal(err)
	}
	want, err := b.EncodeTexts(t.Context(), tokens)
	if err != nil {
		t.Fatal(err)
	}
	if most := farthest(t, got, want); most > 0 {
		t.Errorf("a value is off by %g", most)
	}
}

// BenchmarkTexts encodes 7 templates of class names by RN50's text tower, 512 x 12 x 8:
// packed, and by encode_text over texts cut to the longest.
func BenchmarkTexts(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "model")
	tower := clip.Architecture{
		EmbeddingWidth: 1024, ImageSize: 32, ViT: &clip.ViT{Width: 64, Layers: 1, Heads: 1, Patch: 16, MLPWidth: 64},
		Text:      clip.Text{ContextLength: 77, Vocabulary: 49408, Width: 512, Layers: 12, Heads: 8, MLPWidth: 2048},
		QuickGELU: true, LayerNormEpsilon: clip.DefaultLayerNormEpsilon,
	}
	if err := export.Write(b.Context(), dir, export.Random("RN50", tower, 1), false); err != nil {
		b.Fatal(err)
	}
	model := open(b, dir, 0)
	for _, classes := range []int{10, 100, 1000} {
		tokens := templates(b, model.Description, imagenetTemplates, manyNames(classes))
		for name, encode := range map[string]func(graphs.Tokens) error{
			"packed": func(t graphs.Tokens) error { _, err := model.Texts(b.Context(), t); return err },
			"plain":  func(t graphs.Tokens) error { _, err := model.EncodeTexts(b.Context(), t); return err },
		} {
			b.Run(fmt.Sprintf("classes=%d/%s", classes, name), func(b *testing.B) {
				for b.Loop() {
					for _, t := range tokens {
						if err := encode(t); err != nil {
							b.Fatal(err)
						}
					}
				}
				b.ReportMetric(float64(b.N*classes*len(tokens))/b.Elapsed().Seconds(), "texts/s")
			})
		}
	}
}
