//go:build tensorflow

package graphs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/checkpoint"
	"github.com/upl-host/upl-host/graphs/clip"
	"github.com/upl-host/upl-host/graphs/export"
	"github.com/upl-host/upl-host/graphs/savedmodel"
)

const golden = "testdata/golden-small/vit"

func exported(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	if err := export.Checkpoint(t.Context(), golden, dir, false); err != nil {
		t.Fatal(err)
	}
	return dir
}

func open(t *testing.T, dir string, o graphs.Options) *graphs.Model {
	t.Helper()
	m, err := graphs.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

const picture = 64 * 64 * 3

// ramp is some pixels.
func ramp(n int) []float32 {
	pixels := make([]float32, n*picture)
	for i := range pixels {
		pixels[i] = float32(i*7%23)/10 - 1
	}
	return pixels
}

// prompts are two prompts over two context vectors, and such vectors.
func prompts() (array.Matrix, graphs.Tokens) {
	vectors := array.NewMatrix(2, 64)
	for i := range vectors.Data {
		vectors.Data[i] = float32(i%5) / 50
	}
	return vectors, graphs.PadTokens([][]int32{{2012, -1, -2, 5, 2013}, {2012, -1, -2, 6, 7, 2013}})
}

func TestOpen(t *testing.T) {
	dir := exported(t)
	m := open(t, dir, graphs.Options{Device: "cpu", Threads: 1})
	if m.Device() != "CPU" || m.Dir() != dir || !m.Has("prompt_gradient") || m.Has("similarity") {
		t.Errorf("device %s, folder %s, signatures %v", m.Device(), m.Dir(), m.Signatures())
	}
	sum, err := graphs.Hash(dir)
	if err != nil || sum != m.Hash() || !strings.HasPrefix(sum, "h1:") {
		t.Errorf("hash %s, the opened model's %s: %v", sum, m.Hash(), err)
	}
	c := m.Config()
	if c.EmbeddingWidth != 64 || c.TextWidth != 64 || c.ContextLength != 77 || c.TextTower == nil || !c.Causal || c.ImageSize != 64 {
		t.Errorf("%+v", c)
	}
	if c.LogitScale < 1 || c.Tokenizer.Vocabulary != "vocab.json" {
		t.Errorf("logit scale %v, tokenizer %+v", c.LogitScale, c.Tokenizer)
	}
	for name, key := range map[string]string{"vocab.json": c.Tokenizer.Vocabulary, "merges.txt": c.Tokenizer.Merges} {
		want, err := os.ReadFile(filepath.Join(golden, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(graphs.AssetPath(dir, key))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s was not copied: %v", name, err)
		}
	}
	devices, err := graphs.Devices()
	if err != nil || len(devices) == 0 || devices[0].Name != "CPU:0" || graphs.Version() == "" {
		t.Errorf("devices %v of TensorFlow %s: %v", devices, graphs.Version(), err)
	}
}

func TestOpenFaults(t *testing.T) {
	rewrite := func(edit func(map[string]any)) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			raw, err := os.ReadFile(filepath.Join(dir, graphs.ConfigFile))
			if err != nil {
				t.Fatal(err)
			}
			values := map[string]any{}
			if err := json.Unmarshal(raw, &values); err != nil {
				t.Fatal(err)
			}
			edit(values)
			writeJSON(t, dir, values)
		}
	}
	truncate := func(name string, size int64) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, name), size); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		want  error
		text  string
	}{
		{"no folder", func(t *testing.T, dir string) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}, graphs.ErrConfig, "upl.json"},
		{"no graph", func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "saved_model.pb")); err != nil {
				t.Fatal(err)
			}
		}, savedmodel.ErrFormat, "saved_model.pb"},
		{"truncated graph", truncate("saved_model.pb", 1000), savedmodel.ErrFormat, "saved_model.pb"},
		{"truncated weights", truncate("variables/variables.data-00000-of-00001", 1000), savedmodel.ErrFormat, "weights"},
		{"empty index", truncate("variables/variables.index", 0), savedmodel.ErrFormat, "weights"},
		{"embedding width", rewrite(func(v map[string]any) { v["embedding_width"] = 32 }), graphs.ErrContract, "[?, 64]"},
		{"text width", rewrite(func(v map[string]any) { v["text_width"] = 32 }), graphs.ErrContract, "context"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := exported(t)
			c.spoil(t, dir)
			m, err := graphs.Open(dir, graphs.Options{})
			if err == nil {
				t.Fatal("opened", m.Close())
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("want %v with %q, got %v", c.want, c.text, err)
			}
		})
	}
}

func TestNoGPU(t *testing.T) {
	devices, err := graphs.Devices()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		if d.Type == "GPU" {
			return
		}
	}
	for _, device := range []string{"gpu", "gpu:1"} {
		_, err := graphs.Open(exported(t), graphs.Options{Device: device})
		var missing *graphs.NoDeviceError
		if !errors.As(err, &missing) || missing.Asked != device || !strings.Contains(err.Error(), "CUDA") {
			t.Errorf("%s: want a NoDeviceError that says how to get a GPU, got %v", device, err)
		}
	}
	if _, err := graphs.Open(exported(t), graphs.Options{Device: "tpu"}); err == nil || !strings.Contains(err.Error(), "tpu") {
		t.Errorf("an unknown device: %v", err)
	}
}

// TestWrongInput: what a caller may get wrong is an error, not a crash of TensorFlow's.
func TestWrongInput(t *testing.T) {
	m := open(t, exported(t), graphs.Options{})
	ctx := t.Context()
	vectors, tokens := prompts()
	features, targets := array.NewMatrix(3, 64), array.NewMatrix(3, 2)
	features.Data[0], targets.Data[0] = 1, 1
	nan := ramp(3)
	nan[picture] = float32(math.NaN())
	badFeatures := features.Clone()
	badFeatures.Data[5] = float32(math.Inf(1))
	ids := func(row ...int32) graphs.Tokens { return graphs.PadTokens([][]int32{row}) }
	texts := func(t graphs.Tokens) error { _, err := m.EncodeText(ctx, t); return err }
	prompted := func(v array.Matrix, t graphs.Tokens) error { _, err := m.EncodePrompt(ctx, v, t); return err }
	gradient := func(features, targets array.Matrix) error {
		_, err := m.PromptGradient(ctx, vectors, tokens, features, targets, 100)
		return err
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"too few pixels":      {second(m.EncodeImage(ctx, ramp(1), 2)), "12288 values for 2 pictures"},
		"no pictures":         {second(m.EncodeImage(ctx, nil, 0)), "0 pictures"},
		"a pixel is NaN":      {second(m.EncodeImage(ctx, nan, 3)), "row 1"},
		"id beyond the table": {texts(ids(2012, 2014)), "token id 2014"},
		"a prompt as text":    {texts(ids(2012, -1, 2013)), "token id -1"},
		"no texts":            {texts(graphs.Tokens{}), "0 texts"},
		"too long":            {texts(graphs.Tokens{Rows: 1, Length: 78, IDs: make([]int32, 78)}), "78 tokens"},
		"a vector too many":   {prompted(vectors, ids(2012, -3, 2013)), "token id -3"},
		"narrow vectors":      {prompted(array.NewMatrix(2, 32), tokens), "[2, 32]"},
		"batch mismatch":      {gradient(array.NewMatrix(2, 64), targets), "do not fit"},
		"class mismatch":      {gradient(features, array.NewMatrix(3, 3)), "do not fit"},
		"infinite features":   {gradient(badFeatures, targets), "logits"},
		"narrow features":     {gradient(array.NewMatrix(3, 32), targets), "prompt_gradient"},
		"no such signature":   {second(m.Similarity(ctx, features, features)), "no signature similarity"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: want %q, got %v", name, c.want, c.err)
		}
	}
	if err := gradient(features, targets); err != nil {
		t.Errorf("after all that, a good call: %v", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := m.EncodeImage(cancelled, ramp(1), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// TestNoGradient: a model without prompt_gradient does all but that.
func TestNoGradient(t *testing.T) {
	c, err := checkpoint.Open(golden)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	model, err := clip.Build(c.Architecture, c)
	if err != nil {
		t.Fatal(err)
	}
	delete(model.Signatures, graphs.SignaturePromptGradient)
	config, err := graphs.ReadConfig(exported(t))
	if err != nil {
		t.Fatal(err)
	}
	model.Extra = func(extra string) error { return graphs.WriteConfig(filepath.Dir(extra), config) }
	dir := filepath.Join(t.TempDir(), "model")
	if err := savedmodel.Write(t.Context(), dir, model); err != nil {
		t.Fatal(err)
	}
	m := open(t, dir, graphs.Options{})
	vectors, tokens := prompts()
	if _, err := m.EncodePrompt(t.Context(), vectors, tokens); err != nil {
		t.Error(err)
	}
	_, err = m.PromptGradient(t.Context(), vectors, tokens, array.NewMatrix(1, 64), array.NewMatrix(1, 2), 1)
	if !errors.Is(err, graphs.ErrNoGradient) {
		t.Errorf("want ErrNoGradient, got %v", err)
	}
}

// TestConcurrentUse: goroutines that share a model, while others are opened and the
// collector frees what nobody holds, get the bytes that one alone gets.
func TestConcurrentUse(t *testing.T) {
	dir := exported(t)
	m := open(t, dir, graphs.Options{})
	want, err := m.EncodeImage(t.Context(), ramp(2), 2)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var background, group sync.WaitGroup
	background.Go(func() {
		for closed := false; !closed; {
			select {
			case <-done:
				closed = true
			default:
				runtime.GC()
			}
		}
	})
	group.Go(func() {
		for range 20 {
			other, err := graphs.Open(dir, graphs.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			if err := other.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	for range 16 {
		group.Go(func() {
			for range 50 {
				got, err := m.EncodeImage(t.Context(), ramp(2), 2)
				if err != nil || !slices.Equal(got.Data, want.Data) {
					t.Errorf("the features are not the same: %v", err)
					return
				}
			}
		})
	}
	group.Wait()
	close(done)
	background.Wait()
}

// TestMemoryIsBounded feeds 1 GB in all: tensors must be freed on the way.
func TestMemoryIsBounded(t *testing.T) {
	if runtime.GOOS != "linux" {
		return
	}
	m := open(t, exported(t), graphs.Options{})
	const n = 512
	pixels := ramp(n)
	var first int
	for i := range 40 {
		if _, err := m.EncodeImage(t.Context(), pixels, n); err != nil {
			t.Fatal(err)
		}
		if i == 4 {
			first = residentMB(t)
		}
	}
	if grown := residentMB(t) - first; grown > 600 {
		t.Errorf("memory grew by %d MB", grown)
	}
}

func residentMB(t *testing.T) int {
	t.Helper()
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(raw))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize() >> 20
}

// TestExportOfNothing: a checkpoint that is not there leaves nothing behind.
func TestExportOfNothing(t *testing.T) {
	folder := t.TempDir()
	err := export.Checkpoint(t.Context(), filepath.Join(folder, "none"), filepath.Join(folder, "model"), false)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("want fs.ErrNotExist, got %v", err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 0 {
		t.Errorf("left %v, %v", entries, err)
	}
}
