//go:build tensorflow

package encode_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/export"
	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/host/encode"
)

const demo = "../../examples/demo"

func open(t *testing.T, name string, threads int) (*graphs.Model, *preprocess.Transform) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := export.Checkpoint(t.Context(), filepath.Join(demo, "models", name), dir, false); err != nil {
		t.Fatal(err)
	}
	model, err := graphs.Open(dir, graphs.Options{Device: "cpu", Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := model.Close(); err != nil {
			t.Error(err)
		}
	})
	c := model.Config()
	transform, err := preprocess.New(preprocess.Config{
		Size: c.ImageSize, ResizeMode: c.ResizeMode, Interpolation: c.Interpolation, Mean: c.Mean, Std: c.Std,
	})
	if err != nil {
		t.Fatal(err)
	}
	return model, transform
}

// encodeAll encodes files with an empty cache and returns their features.
func encodeAll(t *testing.T, model *graphs.Model, transform *preprocess.Transform, files []string, batch int) map[string][]float32 {
	t.Helper()
	cache, err := encode.OpenCache(t.TempDir(), model.Config().EmbeddingWidth, slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	result, err := encode.Encode(context.Background(), encode.Files(files), []encode.Model{{Name: "m", Tower: model, Transform: transform, Cache: cache}}, encode.Options{BatchSize: batch})
	if err != nil {
		t.Fatal(err)
	}
	features := map[string][]float32{}
	for i, file := range files {
		features[file] = slices.Clone(cache.Get(result.Keys[i]))
	}
	if err := cache.Close(); err != nil {
		t.Fatal(err)
	}
	return features
}

// A picture's features are the same bits wherever it stands in a batch, whatever
// stands beside it, and whatever the number of threads: what the cache rests on.
func TestFeaturesDependOnThePictureAlone(t *testing.T) {
	files, err := filepath.Glob(demo + "/images/glyphs/test/*/*.png")
	if err != nil || len(files) < 150 {
		t.Fatal("the demo's pictures are missing", err)
	}
	files = files[:150]
	for _, name := range []string{"vit", "rn"} {
		t.Run(name, func(t *testing.T) {
			two, transform := open(t, name, 2)
			one, _ := open(t, name, 1)
			shuffled := slices.Clone(files)
			rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			for _, batch := range []int{1, 2, 8, 13, 32} {
				want := encodeAll(t, two, transform, files, batch)
				for what, got := range map[string]map[string][]float32{
					"in another order": encodeAll(t, two, transform, shuffled, batch),
					"with few others":  encodeAll(t, two, transform, shuffled[:41], batch),
					"with one thread":  encodeAll(t, one, transform, shuffled, batch),
				} {
					different := 0
					for file, features := range got {
						if !slices.Equal(features, want[file]) {
							different++
						}
					}
					if different > 0 {
						t.Errorf("batches of %d, %s: %d of %d pictures have other features", batch, what, different, len(got))
					}
				}
			}
		})
	}
}
