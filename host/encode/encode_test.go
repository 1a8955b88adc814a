package encode_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/host/encode"
)

// means is a tower whose features are the means of a picture's three channels.
type means struct {
	calls int
	// stop ends ctx's work after that many calls; nan spoils the features.
	stop func()
	nan  bool
}

func (m *means) EncodeImage(ctx context.Context, pixels []float32, n int) (array.Matrix, error) {
	m.calls++
	if m.stop != nil && m.calls == 2 {
		m.stop()
	}
	out := array.NewMatrix(n, 3)
	size := len(pixels) / n
	for i := range n {
		for p, v := range pixels[i*size : (i+1)*size] {
			out.Row(i)[p%3] += v / float32(size)
		}
		if m.nan {
			out.Row(i)[1] = float32(math.NaN())
		}
	}
	return out, ctx.Err()
}

func transform(t *testing.T) *preprocess.Transform {
	t.Helper()
	tr, err := preprocess.New(preprocess.Config{
		Size: 16, ResizeMode: "clip", Interpolation: "bicubic", Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{1, 1, 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func pictures(t *testing.T, n int) []string {
	t.Helper()
	files, err := filepath.Glob("../../examples/demo/images/glyphs/test/*/*.png")
	if err != nil || len(files) < n {
		t.Fatal("the demo's pictures are missing", err)
	}
	return files[:n]
}

func openCache(t *testing.T, folder string, log *bytes.Buffer) *encode.Cache {
	t.Helper()
	cache, err := encode.OpenCache(folder, 3, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return cache
}

func TestCacheHasNoPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := encode.OpenCache(filepath.Join(file, "features"), 3, slog.Default()); err == nil || !strings.Contains(err.Error(), "set cache.dir to a folder that can be written to") {
		t.Errorf("the cache's folder is a file: %v", err)
	}
}

func TestCacheIsUsedAndRepaired(t *testing.T) {
	folder, files, log := t.TempDir(), pictures(t, 20), new(bytes.Buffer)
	run := func(tower *means) ([][]float32, int) {
		cache := openCache(t, folder, log)
		defer cache.Close()
		model := encode.Model{Name: "m", Tower: tower, Transform: transform(t), Cache: cache}
		result, err := encode.Encode(t.Context(), encode.Files(files), []encode.Model{model}, encode.Options{BatchSize: 8})
		if err != nil {
			t.Fatal(err)
		}
		var features [][]float32
		for _, key := range result.Keys {
			features = append(features, slices.Clone(cache.Get(key)))
		}
		return features, result.Encoded[0]
	}
	want, n := run(&means{})
	if n != 20 {
		t.Fatalf("%d pictures were encoded, not 20", n)
	}
	got, n := run(&means{})
	if n != 0 || cmp.Diff(want, got) != "" {
		t.Fatalf("with a warm cache %d pictures were encoded: %s", n, cmp.Diff(want, got))
	}
	shards, err := filepath.Glob(folder + "/*.npy")
	if err != nil || len(shards) == 0 {
		t.Fatal("there is no shard", err)
	}
	damage := map[string]func(data []byte) []byte{
		"a flipped byte": func(data []byte) []byte { data[len(data)-5] ^= 1; return data },
		"truncated":      func(data []byte) []byte { return data[:len(data)/2] },
		"empty":          func([]byte) []byte { return nil },
		"other width":    func(data []byte) []byte { return bytes.Replace(data, []byte("11)"), []byte("10)"), 1) },
	}
	for name, change := range damage {
		t.Run(name, func(t *testing.T) {
			log.Reset()
			data, err := os.ReadFile(shards[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(shards[0], change(data), 0o644); err != nil {
				t.Fatal(err)
			}
			got, n := run(&means{})
			if n != 20 || cmp.Diff(want, got) != "" {
				t.Errorf("%d pictures were encoded anew: %s", n, cmp.Diff(want, got))
			}
			if !strings.Contains(log.String(), "unreadable") {
				t.Errorf("no warning in %q", log)
			}
		})
	}
}

func TestInterruptedWorkIsKept(t *testing.T) {
	folder, files, log := t.TempDir(), pictures(t, 40), new(bytes.Buffer)
	ctx, cancel := context.WithCancel(t.Context())
	cache := openCache(t, folder, log)
	tower := &means{stop: cancel}
	_, err := encode.Encode(ctx, encode.Files(files), []encode.Model{{Name: "m", Tower: tower, Transform: transform(t), Cache: cache}}, encode.Options{BatchSize: 8})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("the error is %v", err)
	}
	if err := cache.Close(); err != nil {
		t.Fatal(err)
	}
	cache = openCache(t, folder, log)
	defer cache.Close()
	result, err := encode.Encode(t.Context(), encode.Files(files), []encode.Model{{Name: "m", Tower: &means{}, Transform: transform(t), Cache: cache}}, encode.Options{BatchSize: 8})
	if err != nil {
		t.Fatal(err)
	}
	if n := result.Encoded[0]; n != 32 {
		t.Errorf("%d pictures were encoded after the first batch of 8 was kept, want 32", n)
	}
}

func TestBadPicturesAreSkippedOrFail(t *testing.T) {
	files := pictures(t, 3)
	bad := filepath.Join(t.TempDir(), "bad.png")
	if err := os.WriteFile(bad, []byte("no picture"), 0o644); err != nil {
		t.Fatal(err)
	}
	files = slices.Insert(files, 1, bad, filepath.Join(t.TempDir(), "gone.png"))
	model := func() []encode.Model {
		return []encode.Model{{Name: "m", Tower: &means{}, Transform: transform(t), Cache: encode.NewCache(3)}}
	}
	result, err := encode.Encode(t.Context(), encode.Files(files), model(), encode.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Skipped) != 2 || result.Skipped[0].Index != 1 || !errors.Is(result.Skipped[0].Reason, preprocess.ErrNotPicture) {
		t.Errorf("skipped are %+v", result.Skipped)
	}
	if result.Encoded[0] != 3 {
		t.Errorf("%d pictures were encoded, not 3", result.Encoded[0])
	}
	var fault *encode.PictureError
	if _, err := encode.Encode(t.Context(), encode.Files(files), model(), encode.Options{FailOnBadPicture: true}); !errors.As(err, &fault) || fault.File != bad {
		t.Errorf("the error is %v, want one that names %s", err, bad)
	}
}

func TestNaNNamesThePicture(t *testing.T) {
	files := pictures(t, 3)
	model := encode.Model{Name: "m", Tower: &means{nan: true}, Transform: transform(t), Cache: encode.NewCache(3)}
	var fault *encode.PictureError
	if _, err := encode.Encode(t.Context(), encode.Files(files), []encode.Model{model}, encode.Options{}); !errors.As(err, &fault) || fault.File != files[0] {
		t.Errorf("the error is %v, want one that names %s", err, files[0])
	}
}

// What a killed process left half-written goes, unless it may still be at work.
func TestHalfWrittenShardsAreSwept(t *testing.T) {
	folder := t.TempDir()
	left, young := filepath.Join(folder, ".left.npy123"), filepath.Join(folder, ".young.npy456")
	for _, path := range []string{left, young} {
		if err := os.WriteFile(path, []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	yesterday := time.Now().Add(-24 * time.Hour)
	if err := os.Chtimes(left, yesterday, yesterday); err != nil {
		t.Fatal(err)
	}
	defer openCache(t, folder, new(bytes.Buffer)).Close()
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("yesterday's is still there: %v", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("the young one is gone: %v", err)
	}
}

// Each model encodes what it wants, of pictures that are read once.
func TestModelsWantDifferentPictures(t *testing.T) {
	files := pictures(t, 10)
	all, odd := encode.NewCache(3), encode.NewCache(3)
	result, err := encode.Encode(t.Context(), encode.Files(files), []encode.Model{
		{Name: "all", Tower: &means{}, Transform: transform(t), Cache: all},
		{Name: "odd", Tower: &means{}, Transform: transform(t), Cache: odd, Wants: func(i int) bool { return i%2 == 1 }},
	}, encode.Options{BatchSize: 4})
	if err != nil {
		t.Fatal(err)
	}
	for i, key := range result.Keys {
		if all.Get(key) == nil || (odd.Get(key) != nil) != (i%2 == 1) {
			t.Errorf("picture %d is in the wrong caches", i)
		}
	}
	if diff := cmp.Diff([]int{10, 5}, result.Encoded); diff != "" {
		t.Error(diff)
	}
	path := filepath.Join(t.TempDir(), "f.npy")
	if err := encode.WriteFeatures(path, all, result.Keys); err != nil {
		t.Fatal(err)
	}
	written, err := array.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all.Get(result.Keys[9]), written.Data.([]float32)[27:]); diff != "" {
		t.Error(diff)
	}
}

// places is a tower that says at which place of its batch a picture stood.
type places struct{}

func (places) EncodeImage(_ context.Context, _ []float32, n int) (array.Matrix, error) {
	out := array.NewMatrix(n, 3)
	for i := range n {
		out.Row(i)[0] = float32(i)
	}
	return out, nil
}

// TestPlacesInABatch: what the cache has already leaves the others in their places.
func TestPlacesInABatch(t *testing.T) {
	files := pictures(t, 16)
	cache := encode.NewCache(3)
	for _, files := range [][]string{files[:3], files} {
		result, err := encode.Encode(t.Context(), encode.Files(files), []encode.Model{{Name: "m", Tower: places{}, Transform: transform(t), Cache: cache}}, encode.Options{BatchSize: 8})
		if err != nil {
			t.Fatal(err)
		}
		for i, key := range result.Keys {
			if got := cache.Get(key)[0]; got != float32(i%8) {
				t.Errorf("picture %d of %d was at place %v, not %d", i, len(files), got, i%8)
			}
		}
	}
}

func TestBatchSize(t *testing.T) {
	for asked, want := range map[int]int{1: 1, 2: 8, 8: 8, 9: 16, 32: 32, 100: 104} {
		if got := encode.BatchSize(asked); got != want {
			t.Errorf("of %d asked for: %d, want %d", asked, got, want)
		}
	}
}
