//go:build tensorflow

package graphs_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"image"
	"image/jpeg"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/checkpoint"
	"github.com/upl-host/upl-host/graphs/clip"
	"github.com/upl-host/upl-host/graphs/export"
	"github.com/upl-host/upl-host/graphs/preprocess"
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

// threadsVariable makes this program the child of TestThreads.
const threadsVariable = "UPL_TEST_THREADS"

// TestThreads: the same bytes from one thread, from three and from sixteen. Thread
// pools are the process's own, so that each run is a process.
func TestThreads(t *testing.T) {
	if n, err := strconv.Atoi(os.Getenv(threadsVariable)); err == nil {
		printResults(t, n)
		return
	}
	dir := filepath.Join(t.TempDir(), "model")
	if err := export.Write(t.Context(), dir, export.Random("wide", wide(), 1), false); err != nil {
		t.Fatal(err)
	}
	outputs := make([][]byte, 3)
	for i, n := range []string{"1", "3", "16"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestThreads$")
		path := filepath.Join(t.TempDir(), "results.npz")
		cmd.Env = append(os.Environ(), threadsVariable+"="+n, "UPL_TEST_MODEL="+dir, "UPL_TEST_OUTPUT="+path)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var err error
		if outputs[i], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(outputs[0], outputs[1]) || !bytes.Equal(outputs[0], outputs[2]) {
		t.Error("one thread, three and sixteen give different results")
	}
}

// wide are towers of a published model's widths: in narrow ones no sum is long
// enough to be cut.
func wide() clip.Architecture {
	return clip.Architecture{
		EmbeddingWidth: 512, ImageSize: 64, ViT: &clip.ViT{Width: 768, Layers: 1, Heads: 12, Patch: 16, MLPWidth: 3072},
		Text:             clip.Text{ContextLength: 77, Vocabulary: 49408, Width: 512, Layers: 1, Heads: 8, MLPWidth: 2048},
		LayerNormEpsilon: clip.DefaultLayerNormEpsilon,
	}
}

func printResults(t *testing.T, threads int) {
	t.Helper()
	m := open(t, os.Getenv("UPL_TEST_MODEL"), graphs.Options{Threads: threads})
	images, err := m.EncodeImage(t.Context(), ramp(8), 8)
	if err != nil {
		t.Fatal(err)
	}
	const classes = 24
	vectors := array.NewMatrix(16, 512)
	for i := range vectors.Data {
		vectors.Data[i] = float32(i%7-3) / 100
	}
	rows := make([][]int32, classes)
	for c := range rows {
		rows[c] = []int32{49406}
		for k := range vectors.Rows {
			rows[c] = append(rows[c], int32(-1-k))
		}
		rows[c] = append(rows[c], int32(1000+c), 49407)
	}
	tokens, targets := graphs.PadTokens(rows), array.NewMatrix(8, classes)
	for i := range 8 {
		targets.Row(i)[i] = 1
	}
	g, err := m.PromptGradient(t.Context(), vectors, tokens, images, targets, 100)
	if err != nil {
		t.Fatal(err)
	}
	err = array.WriteArchive(os.Getenv("UPL_TEST_OUTPUT"), map[string]array.Array{
		"images": images.Array(), "gradient": g.Gradient.Array(), "logits": g.Logits.Array(),
		"products": products[float32](t).Array(), "products in float64": products[float64](t).Array(),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// products are the last digits, a row each, of products as heads have them: wide, deep
// and of few rows.
func products[T float32 | float64](t *testing.T) array.Matrix {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	var all array.Matrix
	for _, size := range [][3]int{{256, 2000, 1024}, {2000, 1024, 256}, {30, 4000, 1000}, {1000, 30, 4096}} {
		a, b := graphs.Factor[T]{Rows: size[0], Cols: size[2]}, graphs.Factor[T]{Rows: size[1], Cols: size[2], Transposed: true}
		if size[2] == 256 { // as a gradient is
			a = graphs.Factor[T]{Rows: size[2], Cols: size[0], Transposed: true}
			b = graphs.Factor[T]{Rows: size[2], Cols: size[1]}
		}
		for _, f := range []*graphs.Factor[T]{&a, &b} {
			f.Data = make([]T, f.Rows*f.Cols)
			for i := range f.Data {
				f.Data[i] = T(random.NormFloat64())
			}
		}
		out := make([]T, size[0]*size[1])
		if err := graphs.Multiply(a, b, out); err != nil {
			t.Fatal(err)
		}
		raw, err := binary.Append(nil, binary.LittleEndian, out)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(raw)
		for _, b := range sum {
			all.Data = append(all.Data, float32(b))
		}
		all.Rows, all.Cols = all.Rows+1, len(sum)
	}
	return all
}

// TestThreadsAreFixed: a session that comes first, as the JPEG decoder's, does not decide
// the thread pool's size where FixThreads has.
func TestThreadsAreFixed(t *testing.T) {
	if runtime.GOOS != "linux" {
		return
	}
	if os.Getenv(threadsVariable) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestThreadsAreFixed$")
		cmd.Env = append(os.Environ(), threadsVariable+"=fixed")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	const threads = 5
	if err := graphs.FixThreads(threads); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := jpeg.Encode(&file, image.NewGray(image.Rect(0, 0, 8, 8)), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := preprocess.Decode(file.Bytes(), preprocess.Limits{}); err != nil {
		t.Fatal(err)
	}
	if err := graphs.Multiply(graphs.Factor[float32]{Rows: 1, Cols: 1, Data: []float32{2}}, graphs.Factor[float32]{Rows: 1, Cols: 1, Data: []float32{3}}, make([]float32, 1)); err != nil {
		t.Fatal(err)
	}
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		t.Fatal(err)
	}
	computing := 0
	for _, task := range tasks {
		status, err := os.ReadFile(task)
		if err != nil || !strings.Contains(string(status), "\ttf_Compute\n") {
			continue
		}
		computing++
		// A handler would run on a stack that oneDNN's kernels borrow the register of.
		_, blocked, _ := strings.Cut(string(status), "SigBlk:\t")
		mask, err := strconv.ParseUint(strings.TrimSpace(strings.SplitN(blocked, "\n", 2)[0]), 16, 64)
		if err != nil || mask&(1<<(syscall.SIGPROF-1)) == 0 || mask&(1<<(syscall.SIGINT-1)) == 0 {
			t.Errorf("a thread that computes takes signals: %x, %v", mask, err)
		}
	}
	if computing != threads {
		t.Errorf("%d threads compute, want %d", computing, threads)
	}
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
