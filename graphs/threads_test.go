//go:build tensorflow

package graphs_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/clip"
	"github.com/upl-host/upl-host/graphs/export"
	"github.com/upl-host/upl-host/graphs/preprocess"
)

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
