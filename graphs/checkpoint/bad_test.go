package checkpoint_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/upl-host/upl-host/graphs/checkpoint"
	"github.com/upl-host/upl-host/graphs/checkpoint/internal/pickletest"
	"github.com/upl-host/upl-host/graphs/checkpoint/pickle"
	"github.com/upl-host/upl-host/graphs/clip"
	"github.com/upl-host/upl-host/graphs/safetensors"
)

func cut(content []byte) []byte { return content[:len(content)-100] }

func text(s string) func([]byte) []byte { return func([]byte) []byte { return []byte(s) } }

// TestBadFiles replaces a file of weights.
func TestBadFiles(t *testing.T) {
	system := pickletest.Save(pickletest.Dict("w", &pickle.Object{
		Class: pickle.Global{Module: "posix", Name: "system"}, Args: pickle.Tuple{"true"},
	}))
	for name, c := range map[string]struct {
		content func([]byte) []byte
		want    string
	}{
		"empty":        {text(""), "empty"},
		"cut off":      {cut, "fetch the file again"},
		"header alone": {func(b []byte) []byte { return b[:20] }, "fetch the file again"},
		"PNG":          {text("\x89PNG\r\n\x1a\n0000"), "PNG"},
		"HTML":         {text("\n<!DOCTYPE html><html>"), "HTML"},
		"LFS pointer":  {text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 605157884\n"), "git lfs pull"},
		"JSON":         {text(`{"model_cfg": {}}`), "JSON"},
		"text":         {text("hello, I am no checkpoint at all"), "announce"},
		"os.system":    {func([]byte) []byte { return system }, "posix.system"},
		"flipped byte of the length": {func(b []byte) []byte {
			b[6] ^= 1
			return b
		}, "announce"},
		"flipped brace": {func(b []byte) []byte {
			b[8] ^= 1
			return b
		}, "brace"},
		"flipped byte of a size": {replace(t, `"shape":[64,64]`, `"shape":[74,64]`), "do not hold"},
		"sizes that overflow":    {replace(t, `"shape":[2014,64]`, `"shape":[18446744073709551615,64]`), "not a size"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := copyFolder(t, golden+"/vit", map[string]func([]byte) []byte{"open_clip_model.safetensors": c.content})
			for _, path := range []string{folder, filepath.Join(folder, "open_clip_model.safetensors")} {
				_, err := checkpoint.Open(path)
				if !errors.Is(err, checkpoint.ErrCorrupt) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want ErrCorrupt about %q", err, c.want)
				}
				if !strings.Contains(fmt.Sprint(err), "open_clip_model.safetensors") {
					t.Errorf("%v does not name the file", err)
				}
			}
		})
	}
}

// TestFlippedHeader flips each byte of a real header by its lowest bit: no flip
// goes unnoticed but those in the padding and in what no tower needs.
func TestFlippedHeader(t *testing.T) {
	folder := copyFolder(t, golden+"/vit", nil)
	path := filepath.Join(folder, "open_clip_model.safetensors")
	file := read(t, path)
	header := int(binary.LittleEndian.Uint64(file))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, f)
	for i := 0; i < 8+header; i += 7 {
		if file[i] == ' ' {
			continue
		}
		if _, err := f.WriteAt([]byte{file[i] ^ 1}, int64(i)); err != nil {
			t.Fatal(err)
		}
		c, err := checkpoint.Open(path)
		if err == nil {
			closeAfter(t, c)
			t.Errorf("byte %d, %q as %q: opened", i, file[i], file[i]^1)
		} else if !errors.Is(err, checkpoint.ErrCorrupt) && !errors.Is(err, checkpoint.ErrMismatch) {
			t.Errorf("byte %d: %v", i, err)
		}
		if _, err := f.WriteAt(file[i:i+1], int64(i)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMissing(t *testing.T) {
	for name, path := range map[string]string{
		"file":             filepath.Join(t.TempDir(), "absent.pt"),
		"weights":          t.TempDir(),
		"open_clip config": copyFolder(t, golden+"/vit", map[string]func([]byte) []byte{"open_clip_config.json": nil, "openai.pt": nil, "state_dict.pt": nil}),
		"config.json":      copyFolder(t, golden+"/vit-transformers", map[string]func([]byte) []byte{"config.json": nil}),
	} {
		if _, err := checkpoint.Open(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	pipe := filepath.Join(t.TempDir(), "pipe.pt")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := checkpoint.Open(pipe); !errors.Is(err, checkpoint.ErrCorrupt) {
		t.Errorf("a pipe: %v", err)
	}
	several := copyFolder(t, golden+"/vit", map[string]func([]byte) []byte{"open_clip_config.json": nil})
	if _, err := checkpoint.Open(several); !errors.Is(err, checkpoint.ErrUnsupported) || !strings.Contains(err.Error(), "openai.pt") {
		t.Errorf("several: %v", err)
	}
}

// TestConfigurations changes one thing in a configuration.
func TestConfigurations(t *testing.T) {
	const openCLIP, transformers = "open_clip_config.json", "config.json"
	for _, c := range []struct {
		file, old, new string
		kind           error
		want           string
	}{
		{openCLIP, `"model_cfg"`, `"model"`, checkpoint.ErrUnsupported, "model_cfg: missing"},
		{openCLIP, `"embed_dim": 64,`, ``, checkpoint.ErrUnsupported, "model_cfg.embed_dim: missing"},
		{openCLIP, `"embed_dim": 64`, `"embed_dim": "64"`, checkpoint.ErrUnsupported, `model_cfg.embed_dim: "64"`},
		{openCLIP, `{`, `[`, checkpoint.ErrCorrupt, openCLIP},
		{openCLIP, `"embed_dim": 64`, `"embed_dim": 32`, checkpoint.ErrMismatch, "text_projection is [64 64], not [64 32]"},
		{openCLIP, `"layers": 2`, `"layers": 3`, checkpoint.ErrMismatch, "12 tensors missing: visual.transformer.resblocks.2.ln_1.weight"},
		{openCLIP, `"layers": 2`, `"layers": 1`, checkpoint.ErrMismatch, "12 tensors not of a CLIP of this architecture: visual.transformer.resblocks.1"},
		{openCLIP, `"layers": 2`, `"layers": 1000000000`, checkpoint.ErrUnsupported, "layers"},
		{openCLIP, `"layers": 2`, `"layers": [1, 2]`, checkpoint.ErrUnsupported, "stages"},
		{openCLIP, `"width": 64`, `"width": 4294967296`, checkpoint.ErrUnsupported, "width"},
		{openCLIP, `"head_width": 32`, `"head_width": 0`, checkpoint.ErrUnsupported, "head_width"},
		{openCLIP, `"patch_size": 16`, `"patch_size": 0`, checkpoint.ErrUnsupported, "patches of 0"},
		{openCLIP, `"patch_size": 16`, `"patch_size": 16, "mlp_ratio": 3.5`, checkpoint.ErrMismatch, "not [224"},
		{openCLIP, `"image_size": 64`, `"image_size": [64, 32]`, checkpoint.ErrUnsupported, "not a square"},
		{openCLIP, `"image_size": 64`, `"image_size": 128`, checkpoint.ErrMismatch, "visual.positional_embedding is [17 64], not [65 64]"},
		{openCLIP, `"image_size": 64`, `"image_size": 64, "timm_model_name": "vit_b16_siglip"`, checkpoint.ErrUnsupported, "model_cfg.vision_cfg.timm_model_name"},
		{openCLIP, `"image_size": 64`, `"image_size": 64, "attentional_pool": true`, checkpoint.ErrUnsupported, "model_cfg.vision_cfg.attentional_pool"},
		{openCLIP, `"image_size": 64`, `"image_size": 64, "pool_type": "avg"`, checkpoint.ErrUnsupported, `vision_cfg.pool_type: "avg"`},
		{openCLIP, `"image_size": 64`, `"image_size": 64, "norm_kwargs": {"eps": 1e-6}`, checkpoint.ErrUnsupported, `norm_kwargs: {"eps":1e-6}`},
		{openCLIP, `"embed_dim": 64`, `"embed_dim": 64, "multimodal_cfg": {"width": 512}`, checkpoint.ErrUnsupported, "model_cfg.multimodal_cfg"},
		{openCLIP, `"embed_dim": 64`, `"embed_dim": 64, "init_logit_bias": -10`, checkpoint.ErrUnsupported, "model_cfg.init_logit_bias"},
		{openCLIP, `"vocab_size": 2014`, `"vocab_size": 2014, "hf_model_name": "roberta-base"`, checkpoint.ErrUnsupported, "model_cfg.text_cfg.hf_model_name"},
		{openCLIP, `"vocab_size": 2014`, `"vocab_size": 2014, "hf_tokenizer_name": "xlm"`, checkpoint.ErrUnsupported, "model_cfg.text_cfg.hf_tokenizer_name"},
		{openCLIP, `"vocab_size": 2014`, `"vocab_size": 2014, "no_causal_mask": true`, checkpoint.ErrUnsupported, "model_cfg.text_cfg.no_causal_mask"},
		{openCLIP, `"vocab_size": 2014`, `"vocab_size": 2013`, checkpoint.ErrMismatch, "token_embedding.weight is [2014 64], not [2013 64]"},
		{openCLIP, `"model_cfg"`, `"preprocess_cfg": {"resize_mode": "longest"}, "model_cfg"`, checkpoint.ErrUnsupported, "preprocess_cfg.resize_mode"},
		{openCLIP, `"model_cfg"`, `"preprocess_cfg": {"interpolation": "random"}, "model_cfg"`, checkpoint.ErrUnsupported, "preprocess_cfg.interpolation"},
		{openCLIP, `"model_cfg"`, `"preprocess_cfg": {"mean": [0.5]}, "model_cfg"`, checkpoint.ErrUnsupported, "preprocess_cfg.mean"},
		{openCLIP, `"model_cfg"`, `"preprocess_cfg": {"size": 224}, "model_cfg"`, checkpoint.ErrMismatch, "preprocess_cfg.size: 224"},
		{transformers, `"model_type": "clip",`, `"model_type": "siglip",`, checkpoint.ErrUnsupported, `model_type: "siglip"`},
		{transformers, `"hidden_act": "quick_gelu"`, `"hidden_act": "relu"`, checkpoint.ErrUnsupported, `text_config.hidden_act: "relu"`},
		{transformers, `"hidden_act": "quick_gelu"`, `"hidden_act": "gelu"`, checkpoint.ErrUnsupported, "towers of different activation"},
		{transformers, `"layer_norm_eps": 1e-05`, `"layer_norm_eps": 1e-06`, checkpoint.ErrUnsupported, "towers of different epsilon"},
		{transformers, `"eos_token_id": 2013`, `"eos_token_id": 7`, checkpoint.ErrUnsupported, "text_config.eos_token_id"},
		{transformers, `"num_channels": 3`, `"num_channels": 4`, checkpoint.ErrUnsupported, "vision_config.num_channels"},
		{transformers, `"num_attention_heads": 2`, `"num_attention_heads": 7`, checkpoint.ErrUnsupported, "7 heads"},
		{transformers, `"text_config"`, `"text_config_dict": {"vocab_size": 9}, "text_config"`, checkpoint.ErrUnsupported, "eos_token_id"},
		{transformers, `"projection_dim": 64`, `"projection_dim": 512`, checkpoint.ErrMismatch, "text_projection is [64 64], not [64 512]"},
	} {
		from := golden + "/vit"
		if c.file == transformers {
			from = golden + "/vit-transformers"
		}
		folder := copyFolder(t, from, map[string]func([]byte) []byte{c.file: replace(t, c.old, c.new)})
		_, err := checkpoint.Open(folder)
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %s for %s: %v\nwant %v about %q", c.file, c.new, c.old, err, c.kind, c.want)
		}
	}
}

// TestPictureProcessor reads what transformers says of pictures.
func TestPictureProcessor(t *testing.T) {
	half := [3]float32{0.5, 0.5, 0.5}
	for name, c := range map[string]struct {
		file, text string
		want       checkpoint.Preprocess
		fails      string
	}{
		"as OpenAI's": {"preprocessor_config.json", `{"size": {"shortest_edge": 64}, "crop_size": {"height": 64, "width": 64}, "resample": 3}`, openAIPreprocess(), ""},
		"older":       {"preprocessor_config.json", `{"size": 64, "crop_size": 64, "do_resize": true, "feature_extractor_type": "x"}`, openAIPreprocess(), ""},
		"squash":      {"preprocessor_config.json", `{"size": {"height": 64, "width": 64}, "do_center_crop": false, "resample": 2, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}`, checkpoint.Preprocess{ResizeMode: "squash", Interpolation: "bilinear", Mean: half, Std: half}, ""},
		"raw values":  {"preprocessor_config.json", `{"do_normalize": false, "resample": 0}`, checkpoint.Preprocess{ResizeMode: "clip", Interpolation: "nearest", Std: [3]float32{1, 1, 1}}, ""},
		"version 5":   {"processor_config.json", `{"image_processor": {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}}`, checkpoint.Preprocess{ResizeMode: "clip", Interpolation: "bicubic", Mean: half, Std: half}, ""},
		"lanczos":     {"preprocessor_config.json", `{"resample": 1}`, checkpoint.Preprocess{}, "resample"},
		"other size":  {"preprocessor_config.json", `{"size": {"shortest_edge": 256}}`, checkpoint.Preprocess{}, "size"},
		"no rescale":  {"preprocessor_config.json", `{"do_rescale": false}`, checkpoint.Preprocess{}, "do_rescale"},
		"other scale": {"preprocessor_config.json", `{"rescale_factor": 1}`, checkpoint.Preprocess{}, "rescale_factor"},
	} {
		folder := copyFolder(t, golden+"/vit-transformers", nil)
		write(t, filepath.Join(folder, c.file), []byte(c.text))
		if c.fails != "" {
			if _, err := checkpoint.Open(folder); !errors.Is(err, checkpoint.ErrUnsupported) || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if got := open(t, folder).Preprocess; got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestFaultsTogether has several faults in one configuration reported at once.
func TestFaultsTogether(t *testing.T) {
	folder := copyFolder(t, golden+"/vit", map[string]func([]byte) []byte{
		"open_clip_config.json": replace(t, `"patch_size": 16`, `"patch_size": 16, "timm_model_name": "x", "qk_norm": true, "pool_type": "avg"`),
	})
	_, err := checkpoint.Open(folder)
	for _, want := range []string{"timm_model_name", "qk_norm", "pool_type"} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

// TestForeignWeights opens state dicts that are no CLIP, not a whole one, or more.
func TestForeignWeights(t *testing.T) {
	tensor := func(class string) any {
		return pickletest.Tensor(pickletest.Storage(class, "0", 1), 0, pickletest.Sizes(), pickletest.Sizes())
	}
	a, err := clip.Named("ViT-B/32")
	if err != nil {
		t.Fatal(err)
	}
	nan := pickletest.Save(pickletest.Dict("fc.weight", tensor("FloatStorage")), safetensors.Float32("", nil, []float32{1}).Bytes)
	for name, c := range map[string]struct {
		file []byte
		kind error
		want string
	}{
		"no CLIP":        {nan, checkpoint.ErrUnsupported, "fc.weight"},
		"nothing":        {pickletest.Save(pickletest.Dict()), checkpoint.ErrUnsupported, "it has none"},
		"text alone":     {pickletest.Save(pickletest.Dict("token_embedding.weight", tensor("FloatStorage")), make([]byte, 4)), checkpoint.ErrUnsupported, "visual.layer1.0.conv1.weight"},
		"two models":     {pickletest.Save(pickletest.Dict("a.token_embedding.weight", tensor("FloatStorage"), "b.token_embedding.weight", tensor("FloatStorage")), make([]byte, 4)), checkpoint.ErrUnsupported, "several"},
		"a layer scale":  {stateDict(t, a, pickle.Entry{Key: "visual.transformer.resblocks.0.ls_1.gamma", Value: pickletest.Tensor(pickletest.Storage("LongStorage", "1", 1), 0, pickletest.Sizes(), pickletest.Sizes())}), nil, ""},
		"a scale, float": {stateDict(t, a, pickle.Entry{Key: "visual.ls.gamma", Value: pickletest.Tensor(pickletest.Storage("DoubleStorage", "1", 1), 0, pickletest.Sizes(), pickletest.Sizes())}), checkpoint.ErrMismatch, "visual.ls.gamma"},
	} {
		path := filepath.Join(t.TempDir(), "x.pt")
		write(t, path, c.file)
		opened, err := checkpoint.Open(path)
		if err == nil {
			closeAfter(t, opened)
		}
		if !errors.Is(err, c.kind) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %v about %q", name, err, c.kind, c.want)
		}
	}
}

// TestScaleThatIsNone refuses a logit scale that is NaN or overflows.
func TestScaleThatIsNone(t *testing.T) {
	for _, bits := range []uint16{0x7e00, 0x7c00, 0x6400} { // NaN, infinity, 1024
		folder := copyFolder(t, golden+"/vit", map[string]func([]byte) []byte{"open_clip_model.safetensors": func(b []byte) []byte {
			file := filepath.Join(t.TempDir(), "x")
			write(t, file, b)
			f, err := safetensors.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			closeAfter(t, f)
			data, err := f.Bytes("logit_scale")
			if err != nil {
				t.Fatal(err)
			}
			_, offset, _ := data.Outer()
			binary.LittleEndian.PutUint16(b[offset:], bits)
			return b
		}})
		if _, err := checkpoint.Open(folder); !errors.Is(err, checkpoint.ErrCorrupt) {
			t.Errorf("%x: %v", bits, err)
		}
	}
}
