package graphs_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs"
)

func validConfig() graphs.Config {
	return graphs.Config{
		Name: "test", ImageSize: 64, ResizeMode: graphs.ResizeCLIP, Interpolation: "bicubic",
		Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.25, 0.25, 0.25},
		Tokenizer:     graphs.Tokenizer{Kind: graphs.TokenizerCLIP, Vocabulary: "vocab.json", Merges: "merges.txt"},
		ContextLength: 77, LogitScale: 100, EmbeddingWidth: 64, TextWidth: 32, Causal: true,
		TextTower: &graphs.TextTower{
			Layers: 2, Heads: 4, MLPWidth: 128, Vocabulary: 2014, QuickGELU: true, LayerNormEpsilon: 1e-5,
			Variables: map[string]string{"ln_final.weight": "ln_final.weight"},
		},
	}
}

func TestConfigRoundTrip(t *testing.T) {
	dir := t.TempDir()
	want := validConfig()
	if err := graphs.WriteConfig(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := graphs.ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestConfigDefaults(t *testing.T) {
	dir := t.TempDir()
	writeJSON(t, dir, without(t, "resize_mode", "interpolation", "text_tower", "causal"))
	c, err := graphs.ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c.ResizeMode != graphs.ResizeCLIP || c.Interpolation != "bicubic" || c.TextTower != nil || c.Causal {
		t.Errorf("defaults: %+v", c)
	}
}

// without is a valid upl.json, as a map, less some keys; it has a key of its author's own.
func without(t *testing.T, keys ...string) map[string]any {
	t.Helper()
	raw, err := json.Marshal(validConfig())
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{}
	if err := json.Unmarshal(raw, &values); err != nil {
		t.Fatal(err)
	}
	values["trained_by"] = "someone"
	for _, key := range keys {
		delete(values, key)
	}
	return values
}

func writeJSON(t *testing.T, dir string, value any) {
	t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, graphs.ConfigFile), raw)
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestConfigFaults(t *testing.T) {
	for _, c := range []struct {
		name, key string
		value     any // nil: the key is missing
		want      string
	}{
		{"no name", "name", nil, "name is missing"},
		{"no width", "embedding_width", nil, "embedding_width is 0"},
		{"negative size", "image_size", -1, "image_size is -1"},
		{"absurd size", "image_size", 1 << 30, "image_size is 1073741824"},
		{"text for a number", "context_length", "77", "key context_length is a string"},
		{"mode", "resize_mode", "stretch", `resize_mode is "stretch"`},
		{"interpolation", "interpolation", "lanczos", `interpolation is "lanczos"`},
		{"zero deviation", "std", []float32{0.2, 0, 0.2}, "std[1] is 0"},
		{"logarithm of the scale", "logit_scale", -1, "1/tau itself"},
		{"no scale", "logit_scale", nil, "1/tau itself"},
		{"unknown tokenizer", "tokenizer", map[string]any{"kind": "words"}, `kind is "words"`},
		{"half a tokenizer", "tokenizer", map[string]any{"kind": "clip", "merges": "merges.txt"}, "belong together"},
		{"no tokens", "tokenizer", map[string]any{"kind": "tokens"}, "needs the key tokens"},
		{"a file elsewhere", "tokenizer", map[string]any{"kind": "tokens", "tokens": "../../secret"}, "not inside assets.extra"},
		{"heads", "text_tower", map[string]any{"layers": 1, "heads": 5, "mlp_width": 1, "vocabulary": 1, "layer_norm_epsilon": 1}, "5 heads"},
		{"not causal", "causal", false, "causal is false"},
	} {
		t.Run(c.name, func(t *testing.T) {
			values := without(t, c.key)
			if c.value != nil {
				values[c.key] = c.value
			}
			dir := t.TempDir()
			writeJSON(t, dir, values)
			_, err := graphs.ReadConfig(dir)
			if !errors.Is(err, graphs.ErrConfig) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "upl.json") {
				t.Errorf("want ErrConfig with %q, got %v", c.want, err)
			}
		})
	}
	if _, err := graphs.ReadConfig(t.TempDir()); !errors.Is(err, graphs.ErrConfig) || !strings.Contains(err.Error(), "upl-host export") {
		t.Errorf("a missing file must say what to do, got %v", err)
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, graphs.ConfigFile), []byte(`{"name": `))
	if _, err := graphs.ReadConfig(dir); !errors.Is(err, graphs.ErrConfig) {
		t.Errorf("truncated: %v", err)
	}
}

// FuzzReadConfig: whatever the file, there is an error or a valid configuration.
func FuzzReadConfig(f *testing.F) {
	raw, err := json.Marshal(validConfig())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"std": [1e39, null, 3]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, graphs.ConfigFile), raw)
		c, err := graphs.ReadConfig(dir)
		if err != nil {
			if !errors.Is(err, graphs.ErrConfig) {
				t.Errorf("not ErrConfig: %v", err)
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Errorf("read, but not valid: %v", err)
		}
	})
}

func TestCheckDevice(t *testing.T) {
	for _, device := range []string{"", "auto", "cpu", "gpu", "gpu:0", "gpu:11"} {
		if err := graphs.CheckDevice(device); err != nil {
			t.Error(err)
		}
	}
	for _, device := range []string{"GPU", "gpu:", "gpu:-1", "gpu:1x", "cpu:0", "tpu"} {
		if err := graphs.CheckDevice(device); err == nil {
			t.Errorf("%q must not be a device", device)
		}
	}
}

// signaturesOf are the signatures that validConfig promises.
func signaturesOf(c graphs.Config) map[string]graphs.Signature {
	float := func(shape ...int) graphs.Tensor { return graphs.Tensor{Name: "x:0", Type: "float32", Shape: shape} }
	tokens := graphs.Tensor{Name: "tokens:0", Type: "int32", Shape: []int{-1, -1}}
	type tensors = map[string]graphs.Tensor
	features := tensors{"features": float(-1, c.EmbeddingWidth)}
	return map[string]graphs.Signature{
		"encode_image":  {Inputs: tensors{"pixels": float(-1, c.ImageSize, c.ImageSize, 3)}, Outputs: features},
		"encode_text":   {Inputs: tensors{"tokens": tokens}, Outputs: features},
		"encode_prompt": {Inputs: tensors{"tokens": tokens, "context": float(-1, c.TextWidth)}, Outputs: features},
	}
}

func TestCheckContract(t *testing.T) {
	config := validConfig()
	if err := graphs.CheckContract(config, signaturesOf(config)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		spoil func(map[string]graphs.Signature, *graphs.Config)
		want  string
	}{
		{"no encode_text", func(s map[string]graphs.Signature, _ *graphs.Config) { delete(s, "encode_text") }, "no signature encode_text"},
		{"width", func(_ map[string]graphs.Signature, c *graphs.Config) { c.EmbeddingWidth = 65 }, "shape [?, 64], upl.json and the contract say [?, 65]"},
		{"text width", func(_ map[string]graphs.Signature, c *graphs.Config) { c.TextWidth = 64 }, "input context has shape [?, 32]"},
		{"picture size", func(_ map[string]graphs.Signature, c *graphs.Config) { c.ImageSize = 224 }, "input pixels has shape [?, 64, 64, 3]"},
		{"type", func(s map[string]graphs.Signature, _ *graphs.Config) {
			s["encode_text"].Inputs["tokens"] = graphs.Tensor{Name: "t:0", Type: "int64", Shape: []int{-1, -1}}
		}, "input tokens is int64, want int32"},
		{"rank", func(s map[string]graphs.Signature, _ *graphs.Config) {
			s["encode_text"].Outputs["features"] = graphs.Tensor{Name: "t:0", Type: "float32", Shape: []int{64}}
		}, "shape [64]"},
		{"an input of its own", func(s map[string]graphs.Signature, _ *graphs.Config) {
			s["encode_text"].Inputs["training"] = graphs.Tensor{Name: "t:0", Type: "bool"}
		}, "input training is not in the contract"},
		{"names", func(s map[string]graphs.Signature, _ *graphs.Config) {
			s["encode_image"].Inputs["images"] = s["encode_image"].Inputs["pixels"]
			delete(s["encode_image"].Inputs, "pixels")
		}, "no input pixels (there are: images)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := validConfig()
			signatures := signaturesOf(config)
			c.spoil(signatures, &config)
			err := graphs.CheckContract(config, signatures)
			if !errors.Is(err, graphs.ErrContract) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("want ErrContract with %q, got %v", c.want, err)
			}
		})
	}
	t.Run("unknown rank is no fault", func(t *testing.T) {
		signatures := signaturesOf(config)
		signatures["encode_text"].Outputs["features"] = graphs.Tensor{Name: "t:0", Type: "float32", AnyRank: true}
		if err := graphs.CheckContract(config, signatures); err != nil {
			t.Error(err)
		}
	})
}

// Where a model compares them itself, texts may have features of another width than
// pictures, whose width is still upl.json's.
func TestCheckContractOfSimilarity(t *testing.T) {
	config := validConfig()
	wide := func(width int) map[string]graphs.Tensor {
		return map[string]graphs.Tensor{"features": {Name: "x:0", Type: "float32", Shape: []int{-1, width}}}
	}
	check := func(pictures, texts, compared int) error {
		signatures := signaturesOf(config)
		for _, name := range []string{"encode_text", "encode_prompt"} {
			signatures[name] = graphs.Signature{Inputs: signatures[name].Inputs, Outputs: wide(texts)}
		}
		signatures["encode_image"] = graphs.Signature{Inputs: signatures["encode_image"].Inputs, Outputs: wide(pictures)}
		in := wide(compared)
		in["class_features"] = wide(texts)["features"]
		signatures["similarity"] = graphs.Signature{Inputs: in, Outputs: map[string]graphs.Tensor{"logits": wide(-1)["features"]}}
		return graphs.CheckContract(config, signatures)
	}
	width := config.EmbeddingWidth
	for _, compared := range []int{width, -1} {
		if err := check(width, 3*width, compared); err != nil {
			t.Error(err)
		}
	}
	for _, err := range []error{check(width+1, width, -1), check(width, width, width+1)} {
		if !errors.Is(err, graphs.ErrContract) || !strings.Contains(err.Error(), fmt.Sprintf("shape [?, %d], upl.json and the contract say [?, %d]", width+1, width)) {
			t.Errorf("a picture's width: %v", err)
		}
	}
}
