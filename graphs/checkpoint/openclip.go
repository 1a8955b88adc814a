package checkpoint

import (
	"bytes"
	"encoding/json"

	"github.com/upl-host/upl-host/graphs/clip"
)

// readOpenCLIP reads open_clip_config.json. Defaults are those of open_clip's
// CLIPVisionCfg and CLIPTextCfg (src/open_clip/model.py).
func (c *Checkpoint) readOpenCLIP(path string) error {
	return readConfig(path, func(root section) {
		model := root.object("model_cfg")
		if model.fields == nil {
			root.fault(ErrUnsupported, "model_cfg", "missing")
			return
		}
		a := &c.Architecture
		*a = clip.Architecture{
			EmbeddingWidth:   required[int](model, "embed_dim"),
			QuickGELU:        value(model, "quick_gelu", false),
			LayerNormEpsilon: clip.DefaultLayerNormEpsilon,
		}
		openCLIPVision(model.object("vision_cfg"), a)
		openCLIPText(model.object("text_cfg"), a)
		model.ignore("init_logit_scale", "nonscalar_logit_scale", "custom_text", "cast_dtype", "output_dict")
		model.rest()
		c.Preprocess = openCLIPPreprocess(root.object("preprocess_cfg"), a.ImageSize)
	})
}

func openCLIPVision(s section, a *clip.Architecture) {
	width, headWidth := value(s, "width", 768), value(s, "head_width", clip.HeadWidth)
	if headWidth <= 0 {
		s.fault(ErrUnsupported, "head_width", "%d is no width", headWidth)
		headWidth = clip.HeadWidth
	}
	patch, ratio := value(s, "patch_size", 16), value(s, "mlp_ratio", 4.0)
	a.ImageSize = s.side("image_size", 224)
	if raw := bytes.TrimSpace(s.fields["layers"]); len(raw) > 0 && raw[0] == '[' {
		r := &clip.ResNet{Width: width}
		r.Heads = r.AttentionPoolWidth() / headWidth
		stages := value(s, "layers", []int{})
		if copy(r.Layers[:], stages) != len(r.Layers) || len(stages) != len(r.Layers) {
			s.fault(ErrUnsupported, "layers", "%d stages, a ModifiedResNet has %d", len(stages), len(r.Layers))
		}
		a.ResNet = r
	} else {
		a.ViT = &clip.ViT{
			Width: width, Layers: value(s, "layers", 12), Heads: width / headWidth,
			Patch: patch, MLPWidth: int(float64(width) * ratio),
		}
	}
	if name := value(s, "timm_model_name", ""); name != "" {
		s.fault(ErrUnsupported, "timm_model_name", "the image tower %q of timm is not supported, only CLIP's ViT and ModifiedResNet", name)
	}
	s.ignore("timm_model_pretrained", "timm_pool", "timm_proj", "timm_proj_bias", "timm_drop", "timm_drop_path",
		"patch_dropout", "attn_pooler_queries", "attn_pooler_heads", "output_tokens")
	s.accept(map[string]string{"pool_type": "tok", "pos_embed_type": "learnable", "block_type": "default"})
	s.rest()
}

func openCLIPText(s section, a *clip.Architecture) {
	width := value(s, "width", 512)
	a.Text = clip.Text{
		ContextLength: value(s, "context_length", 77),
		Vocabulary:    value(s, "vocab_size", 49408),
		Width:         width,
		Heads:         value(s, "heads", 8),
		Layers:        value(s, "layers", 12),
		MLPWidth:      int(float64(width) * value(s, "mlp_ratio", 4.0)),
	}
	if name := value(s, "hf_model_name", ""); name != "" {
		s.fault(ErrUnsupported, "hf_model_name", "the text tower %q of transformers is not supported, only CLIP's", name)
	}
	s.ignore("hf_model_pretrained", "hf_proj_type", "hf_pooler_type", "pad_id", "eos_id", "output_tokens")
	s.accept(map[string]string{"pool_type": "argmax", "proj_type": "linear", "block_type": "default"})
	s.rest()
}

// openAIPreprocess is what OpenAI's clip.py does, and all others' default.
func openAIPreprocess() Preprocess {
	return Preprocess{
		ResizeMode: "clip", Interpolation: "bicubic",
		Mean: [3]float32{0.48145466, 0.4578275, 0.40821073},
		Std:  [3]float32{0.26862954, 0.26130258, 0.27577711},
	}
}

func openCLIPPreprocess(s section, imageSize int) Preprocess {
	p := openAIPreprocess()
	switch mode := value(s, "resize_mode", "shortest"); mode {
	case "shortest":
	case "squash":
		p.ResizeMode = "squash"
	default:
		s.fault(ErrUnsupported, "resize_mode", "%q is not supported, only shortest and squash", mode)
	}
	p.Interpolation = value(s, "interpolation", p.Interpolation)
	s.checkInterpolation("interpolation", p.Interpolation)
	s.channels("mean", &p.Mean)
	s.channels("std", &p.Std)
	if size := s.side("size", imageSize); size != imageSize {
		s.fault(ErrMismatch, "size", "%d, but the image tower takes %d pixels", size, imageSize)
	}
	s.accept(map[string]string{"mode": "RGB"})
	s.ignore("fill_color") // of borders that these modes do not add
	s.rest()
	return p
}

func (s section) checkInterpolation(key, name string) {
	switch name {
	case "bicubic", "bilinear", "nearest":
	default:
		s.fault(ErrUnsupported, key, "%q is not supported, only bicubic, bilinear and nearest", name)
	}
}

// channels reads a value for each of red, green and blue; json.Unmarshal alone
// would take lists of any length.
func (s section) channels(key string, into *[3]float32) {
	var list []json.Number
	if decode(s, key, &list); list == nil {
		return
	}
	if len(list) != len(into) {
		s.fault(ErrUnsupported, key, "%d values, want one for each of red, green and blue", len(list))
		return
	}
	decode(s, key, into)
}
