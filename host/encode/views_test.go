package encode_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/host/encode"
)

// augmented are the features of views of files, view by view.
func augmented(t *testing.T, files []string, seed uint64, views, workers, batch int) [][][]float32 {
	t.Helper()
	models := make([]encode.Model, views)
	for v := range models {
		cache := openCache(t, t.TempDir(), new(bytes.Buffer))
		defer cache.Close()
		tr := transform(t)
		models[v] = encode.Model{
			Name: "m", Tower: &means{}, Transform: tr, Cache: cache,
			View: encode.View(tr, preprocess.TrainingAugmentation, seed, v),
		}
	}
	result, err := encode.Encode(t.Context(), encode.Files(files), models, encode.Options{Workers: workers, BatchSize: batch})
	if err != nil {
		t.Fatal(err)
	}
	features := make([][][]float32, views)
	for v, m := range models {
		for _, key := range result.Keys {
			features[v] = append(features[v], slices.Clone(m.Cache.Get(key)))
		}
	}
	return features
}

// A view depends on the picture's content, the seed and its own number: not on the
// file's name, its place in the list, the threads or the batches.
func TestViews(t *testing.T) {
	files := pictures(t, 12)
	want := augmented(t, files, 1, 3, 1, 4)
	if diff := cmp.Diff(want, augmented(t, files, 1, 3, 8, 5)); diff != "" {
		t.Error("threads and batches change views:", diff)
	}
	copied := filepath.Join(t.TempDir(), "another name.png")
	data, err := os.ReadFile(files[7])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied, data, 0o600); err != nil {
		t.Fatal(err)
	}
	alone := augmented(t, []string{copied}, 1, 3, 1, 4)
	for v := range want {
		if !slices.Equal(alone[v][0], want[v][7]) {
			t.Errorf("view %d of a copied picture is another one", v)
		}
	}
	other := augmented(t, files, 2, 3, 1, 4)
	for k := range files {
		if slices.Equal(want[0][k], want[1][k]) || slices.Equal(want[1][k], want[2][k]) {
			t.Errorf("two views of %s are the same", files[k])
		}
		if slices.Equal(want[0][k], other[0][k]) {
			t.Errorf("two seeds show the same of %s", files[k])
		}
	}
}
