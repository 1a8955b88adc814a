package checkpoint_test

import (
	"errors"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/checkpoint"
	"github.com/upl-host/upl-host/graphs/checkpoint/internal/pickletest"
	"github.com/upl-host/upl-host/graphs/checkpoint/pickle"
	"github.com/upl-host/upl-host/graphs/clip"
	"github.com/upl-host/upl-host/graphs/safetensors"
)

const (
	golden = "../testdata/golden-small"
	demo   = "../../examples/demo/models"
)

func open(t *testing.T, path string) *checkpoint.Checkpoint {
	t.Helper()
	c, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, c)
	return c
}

func closeAfter(t *testing.T, c io.Closer) {
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

type named map[string][]float32

// compare names the tensors that differ in any value.
func compare(t *testing.T, what string, want, got named) {
	t.Helper()
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("%s: %s", what, diff)
	}
	for name := range want {
		if !slices.Equal(want[name], got[name]) {
			t.Errorf("%s: %s differs", what, name)
		}
	}
}

func tensors(t *testing.T, c *checkpoint.Checkpoint) named {
	t.Helper()
	all := named{}
	for _, name := range c.Names() {
		shape, data, err := c.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		if want := product(shape); len(data) != want {
			t.Fatalf("%s: %d values of shape %v", name, len(data), shape)
		}
		all[name] = data
	}
	return all
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

func goldenViT() clip.Architecture {
	return clip.Architecture{
		EmbeddingWidth: 64, ImageSize: 64, QuickGELU: true, LayerNormEpsilon: 1e-5,
		ViT:  &clip.ViT{Width: 64, Layers: 2, Heads: 2, Patch: 16, MLPWidth: 256},
		Text: clip.Text{ContextLength: 77, Vocabulary: 2014, Width: 64, Layers: 2, Heads: 2, MLPWidth: 256},
	}
}

func TestArchitectures(t *testing.T) {
	transformers := goldenViT()
	transformers.Text.Heads = 1
	resnet := goldenViT()
	resnet.ViT = nil
	resnet.ResNet = &clip.ResNet{Layers: [4]int{1, 2, 1, 1}, Width: 8, Heads: 8}
	demoText := clip.Text{ContextLength: 40, Vocabulary: 4096, Width: 128, Layers: 3, Heads: 2, MLPWidth: 512}
	for path, want := range map[string]struct {
		name         string
		architecture clip.Architecture
	}{
		golden + "/vit":               {"vit", goldenViT()},
		golden + "/vit/openai.pt":     {"openai", goldenViT()},
		golden + "/vit/state_dict.pt": {"state_dict", goldenViT()},
		golden + "/vit-transformers":  {"vit-transformers", transformers},
		golden + "/resnet":            {"resnet", resnet},
		demo + "/rn": {"rn", clip.Architecture{
			EmbeddingWidth: 128, ImageSize: 64, QuickGELU: true, LayerNormEpsilon: 1e-5,
			ResNet: &clip.ResNet{Layers: [4]int{1, 2, 2, 1}, Width: 16, Heads: 8}, Text: demoText,
		}},
		demo + "/vit/open_clip_model.safetensors": {"vit", clip.Architecture{
			EmbeddingWidth: 128, ImageSize: 64, QuickGELU: true, LayerNormEpsilon: 1e-5,
			ViT: &clip.ViT{Width: 128, Layers: 5, Heads: 2, Patch: 8, MLPWidth: 512}, Text: demoText,
		}},
	} {
		t.Run(path, func(t *testing.T) {
			c := open(t, path)
			if c.Name != want.name {
				t.Errorf("name %q", c.Name)
			}
			if diff := cmp.Diff(want.architecture, c.Architecture); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(openAIPreprocess(), c.Preprocess); diff != "" {
				t.Error(diff)
			}
			for _, file := range []string{c.Tokenizer.Vocabulary, c.Tokenizer.Merges} {
				if _, err := os.Stat(file); err != nil {
					t.Error(err)
				}
			}
			// The variables of the graph can all be loaded.
			for _, v := range c.Architecture.Variables() {
				if data, err := v.Load(c); err != nil || len(data) != product(v.Shape) {
					t.Errorf("%s: %d values, %v", v.Name, len(data), err)
				}
			}
		})
	}
}

func openAIPreprocess() checkpoint.Preprocess {
	return checkpoint.Preprocess{
		ResizeMode: "clip", Interpolation: "bicubic",
		Mean: [3]float32{0.48145466, 0.4578275, 0.40821073},
		Std:  [3]float32{0.26862954, 0.26130258, 0.27577711},
	}
}

// TestFormatsAgree compares one model in four forms, value by value.
func TestFormatsAgree(t *testing.T) {
	safe := tensors(t, open(t, golden+"/vit"))
	compare(t, "state dict", safe, tensors(t, open(t, golden+"/vit/state_dict.pt")))
	script := tensors(t, open(t, golden+"/vit/openai.pt"))
	// float32 in the archive, as OpenAI published it, float16 in the others.
	if got, want := float64(script["logit_scale"][0]), float64(safe["logit_scale"][0]); math.Abs(got-want) > math.Abs(want)/2048 {
		t.Errorf("logit_scale is %v, in the safetensors %v", got, want)
	}
	delete(script, "attn_mask")
	script["logit_scale"] = safe["logit_scale"]
	compare(t, "TorchScript archive", safe, script)
}

// TestWholeVocabulary opens the reference models of CLIP's whole vocabulary,
// which are too large for the repository, where UPL_GOLDEN says they lie.
func TestWholeVocabulary(t *testing.T) {
	folder := os.Getenv("UPL_GOLDEN")
	if folder == "" {
		return
	}
	safe := tensors(t, open(t, folder+"/vit"))
	compare(t, "state dict", safe, tensors(t, open(t, folder+"/vit/state_dict.pt")))
	for _, name := range []string{"vit", "vit/openai.pt", "resnet", "vit-transformers"} {
		if c := open(t, filepath.Join(folder, name)); c.Architecture.Text.Vocabulary != 49408 {
			t.Errorf("%s: a vocabulary of %d", name, c.Architecture.Text.Vocabulary)
		}
	}
}

// TestPrefixes reads the names of parallel runs, of training checkpoints, and of
// open_clip's CustomTextCLIP.
func TestPrefixes(t *testing.T) {
	want := tensors(t, open(t, golden+"/vit"))
	for name, c := range map[string]struct {
		rename func(string) string
		wrap   func(*pickle.Dict) any
	}{
		"training": {
			func(name string) string { return "module." + name },
			func(d *pickle.Dict) any { return pickletest.Dict("epoch", 3, "state_dict", d) },
		},
		"custom text": {
			func(name string) string {
				if strings.HasPrefix(name, "visual.") || name == "logit_scale" {
					return name
				}
				return "text." + name
			},
			func(d *pickle.Dict) any { return d },
		},
	} {
		folder := t.TempDir()
		write(t, filepath.Join(folder, "epoch_3.pt"), repack(t, open(t, golden+"/vit"), c.rename, c.wrap))
		copyFile(t, golden+"/vit/open_clip_config.json", filepath.Join(folder, "open_clip_config.json"))
		compare(t, name, want, tensors(t, open(t, folder)))
	}
}

// repack writes a checkpoint's tensors as torch.save would, under other names.
func repack(t *testing.T, c *checkpoint.Checkpoint, rename func(string) string, wrap func(*pickle.Dict) any) []byte {
	t.Helper()
	dict := pickletest.Dict()
	storages := make([][]byte, 0, len(c.Names()))
	for i, name := range c.Names() {
		shape, data, err := c.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		dict.Entries = append(dict.Entries, pickle.Entry{Key: rename(name), Value: contiguous(strconv.Itoa(i), shape)})
		storages = append(storages, safetensors.Float32(name, shape, data).Bytes)
	}
	return pickletest.Save(wrap(dict), storages...)
}

func rowMajor(shape []int) []int {
	strides := make([]int, len(shape))
	for i, n := len(shape)-1, 1; i >= 0; i-- {
		strides[i] = n
		n *= shape[i]
	}
	return strides
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	write(t, to, read(t, from))
}

// copyFolder copies files, with a change to some: nil leaves a file out.
func copyFolder(t *testing.T, from string, change map[string]func([]byte) []byte) string {
	t.Helper()
	folder := t.TempDir()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		content := read(t, filepath.Join(from, entry.Name()))
		if f, ok := change[entry.Name()]; ok {
			if f == nil {
				continue
			}
			content = f(content)
		}
		write(t, filepath.Join(folder, entry.Name()), content)
	}
	return folder
}

// replace changes a text that must be there.
func replace(t *testing.T, old, new string) func([]byte) []byte {
	return func(content []byte) []byte {
		t.Helper()
		if !strings.Contains(string(content), old) {
			t.Fatalf("no %q to replace", old)
		}
		return []byte(strings.Replace(string(content), old, new, 1))
	}
}

// TestInferred opens state dicts without a configuration: all but the heads, for
// which OpenAI's rule of 64 channels a head holds, is what the file was made with.
func TestInferred(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"openai.pt", "state_dict.pt"} {
		path := filepath.Join(folder, name)
		copyFile(t, golden+"/vit/"+name, path)
		want := goldenViT()
		want.ViT.Heads, want.Text.Heads = 1, 1
		c := open(t, path)
		if diff := cmp.Diff(want, c.Architecture); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if c.Tokenizer != (checkpoint.TokenizerFiles{}) {
			t.Errorf("tokenizer files %v where there are none", c.Tokenizer)
		}
	}
}

// stateDict writes random weights as a state dict whose storages are of one
// byte pattern, with more entries after the weights.
func stateDict(t *testing.T, a clip.Architecture, more ...pickle.Entry) []byte {
	t.Helper()
	dict := &pickle.Dict{Entries: more}
	largest := 0
	list := append(a.Tensors(), clip.Tensor{Name: "logit_scale"})
	for _, tensor := range list {
		largest = max(largest, product(tensor.Shape))
	}
	storage := pickletest.Storage("HalfStorage", "0", largest)
	for _, tensor := range list {
		dict.Entries = append(dict.Entries, pickle.Entry{
			Key:   tensor.Name,
			Value: pickletest.Tensor(storage, 0, pickletest.Sizes(tensor.Shape...), pickletest.Sizes(rowMajor(tensor.Shape)...)),
		})
	}
	return pickletest.Save(dict, make([]byte, 2*largest), []byte{224, 0, 0, 0, 0, 0, 0, 0})
}

// TestInferredPaper infers each architecture of the paper from its shapes.
func TestInferredPaper(t *testing.T) {
	for _, name := range clip.ArchitectureNames() {
		want, err := clip.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		want.Text.Vocabulary = 1000 // for a smaller file
		path := filepath.Join(t.TempDir(), "model.pt")
		write(t, path, stateDict(t, want))
		if diff := cmp.Diff(want, open(t, path).Architecture); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestConstants(t *testing.T) {
	resolution := pickle.Entry{Key: "input_resolution", Value: pickletest.Tensor(pickletest.Storage("LongStorage", "1", 1), 0, pickletest.Sizes(), pickletest.Sizes())}
	for name, fits := range map[string]bool{"ViT-B/32": true, "ViT-L/14-336": false} {
		a, err := clip.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		a.Text.Vocabulary = 1000
		path := filepath.Join(t.TempDir(), "model.pt")
		write(t, path, stateDict(t, a, resolution))
		c, err := checkpoint.Open(path)
		if fits != (err == nil) || !fits && !errors.Is(err, checkpoint.ErrMismatch) {
			t.Errorf("%s, pictures of 224 pixels: %v", name, err)
		}
		if err == nil {
			closeAfter(t, c)
		}
	}
}

// contiguous is a tensor that takes the whole of a storage of float32.
func contiguous(key string, shape []int) any {
	storage := pickletest.Storage("FloatStorage", key, product(shape))
	return pickletest.Tensor(storage, 0, pickletest.Sizes(shape...), pickletest.Sizes(rowMajor(shape)...))
}
