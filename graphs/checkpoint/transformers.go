package checkpoint

import (
	"path/filepath"

	"github.com/upl-host/upl-host/graphs/clip"
)

// readTransformers reads config.json and, if it is there, the picture
// processor's configuration. Defaults are those of transformers' CLIPTextConfig
// and CLIPVisionConfig (models/clip/configuration_clip.py).
func (c *Checkpoint) readTransformers(folder string) error {
	err := readConfig(filepath.Join(folder, transformersConfig), func(root section) {
		if kind := value(root, "model_type", "clip"); kind != "clip" {
			root.fault(ErrUnsupported, "model_type", "%q is not supported, only clip", kind)
			return
		}
		transformersTowers(root, &c.Architecture)
	})
	if err != nil {
		return err
	}
	c.Preprocess = openAIPreprocess()
	for _, file := range []struct{ name, key string }{
		{"preprocessor_config.json", ""},
		{"processor_config.json", "image_processor"}, // since version 5
	} {
		path := filepath.Join(folder, file.name)
		if !exists(path) {
			continue
		}
		return readConfig(path, func(s section) {
			if file.key != "" {
				s = s.object(file.key)
			}
			c.Preprocess = transformersPreprocess(s, c.Architecture.ImageSize)
		})
	}
	return nil
}

// tower is what both towers' configurations have.
type tower struct {
	width, layers, heads, mlp int
	activation                string
	epsilon                   float32
}

// readTower reads a tower's configuration; fields of overrides win, as in
// transformers, which wrote text_config_dict beside text_config.
func readTower(s, overrides section, width, heads int) tower {
	t := tower{width: width, layers: 12, heads: heads, mlp: 4 * width, activation: "quick_gelu", epsilon: clip.DefaultLayerNormEpsilon}
	for _, s := range []section{s, overrides} {
		decode(s, "hidden_size", &t.width)
		decode(s, "num_hidden_layers", &t.layers)
		decode(s, "num_attention_heads", &t.heads)
		decode(s, "intermediate_size", &t.mlp)
		decode(s, "hidden_act", &t.activation)
		decode(s, "layer_norm_eps", &t.epsilon)
	}
	return t
}

func transformersTowers(root section, a *clip.Architecture) {
	text, textOverrides := root.object("text_config"), root.object("text_config_dict")
	vision, visionOverrides := root.object("vision_config"), root.object("vision_config_dict")
	t, v := readTower(text, textOverrides, 512, 8), readTower(vision, visionOverrides, 768, 12)
	*a = clip.Architecture{
		EmbeddingWidth:   value(root, "projection_dim", 512),
		ViT:              &clip.ViT{Width: v.width, Layers: v.layers, Heads: v.heads, MLPWidth: v.mlp, Patch: 32},
		Text:             clip.Text{Width: t.width, Layers: t.layers, Heads: t.heads, MLPWidth: t.mlp, ContextLength: 77, Vocabulary: 49408},
		ImageSize:        224,
		QuickGELU:        v.activation == "quick_gelu",
		LayerNormEpsilon: v.epsilon,
	}
	channels := 3
	for _, s := range []section{vision, visionOverrides} {
		a.ImageSize = s.side("image_size", a.ImageSize)
		decode(s, "patch_size", &a.ViT.Patch)
		decode(s, "num_channels", &channels)
	}
	end := -1
	for _, s := range []section{text, textOverrides} {
		decode(s, "max_position_embeddings", &a.Text.ContextLength)
		decode(s, "vocab_size", &a.Text.Vocabulary)
		decode(s, "eos_token_id", &end)
	}
	// What transformers does with id 2 is CLIP's own rule: the end token is the
	// largest id. Any other must then be the largest there is.
	if end != -1 && end != 2 && end != a.Text.Vocabulary-1 {
		text.fault(ErrUnsupported, "eos_token_id", "%d is not the last of %d tokens, by which CLIP finds a text's end", end, a.Text.Vocabulary)
	}
	if channels != 3 {
		vision.fault(ErrUnsupported, "num_channels", "%d, only pictures of 3 are read", channels)
	}
	checkActivations(text, vision, t, v)
}

func checkActivations(text, vision section, t, v tower) {
	for _, side := range []struct {
		section
		tower
	}{{text, t}, {vision, v}} {
		switch side.activation {
		case "quick_gelu", "gelu":
		default:
			side.fault(ErrUnsupported, "hidden_act", "%q is not supported, only quick_gelu and gelu", side.activation)
		}
	}
	if t.activation != v.activation {
		text.fault(ErrUnsupported, "hidden_act", "%q, and %q in the image tower: towers of different activation are not supported", t.activation, v.activation)
	}
	if t.epsilon != v.epsilon {
		text.fault(ErrUnsupported, "layer_norm_eps", "%g, and %g in the image tower: towers of different epsilon are not supported", t.epsilon, v.epsilon)
	}
}

// transformersPreprocess reads the configuration of a CLIPImageProcessor.
func transformersPreprocess(s section, imageSize int) Preprocess {
	p := openAIPreprocess()
	const bicubic = 3 // PIL.Image.Resampling
	switch resample := value(s, "resample", bicubic); resample {
	case bicubic:
	case 2:
		p.Interpolation = "bilinear"
	case 0:
		p.Interpolation = "nearest"
	default:
		s.fault(ErrUnsupported, "resample", "filter %d is not supported, only 0 (nearest), 2 (bilinear) and 3 (bicubic)", resample)
	}
	if value(s, "do_normalize", true) {
		s.channels("image_mean", &p.Mean)
		s.channels("image_std", &p.Std)
	} else {
		p.Mean, p.Std = [3]float32{}, [3]float32{1, 1, 1}
	}
	const perLevel = 1.0 / 255
	if factor := value(s, "rescale_factor", perLevel); factor < perLevel*0.999 || factor > perLevel*1.001 {
		s.fault(ErrUnsupported, "rescale_factor", "%g, only 1/255 is supported", factor)
	}
	for _, key := range []string{"do_resize", "do_rescale"} {
		if !value(s, key, true) {
			s.fault(ErrUnsupported, key, "false is not supported")
		}
	}
	size := s.extent("size", imageSize)
	crop := size
	if value(s, "do_center_crop", true) {
		crop = s.extent("crop_size", imageSize)
	}
	switch {
	case size.shortest == imageSize && crop.is(imageSize):
	case size.is(imageSize):
		p.ResizeMode = "squash"
	default:
		s.fault(ErrUnsupported, "size", "pictures are resized to %v and cut to %v, and the image tower takes %d pixels", size, crop, imageSize)
	}
	return p
}

// extent is the size of a picture: that of its shortest edge, or of both.
type extent struct{ shortest, height, width int }

func (e extent) is(side int) bool { return e.height == side && e.width == side }

// extent reads a size as any version of transformers writes it.
func (s section) extent(key string, absent int) extent {
	raw := s.fields[key]
	if len(raw) > 0 && raw[0] != '{' {
		side := s.side(key, absent)
		return extent{shortest: side, height: side, width: side}
	}
	if len(raw) == 0 {
		return extent{shortest: absent, height: absent, width: absent}
	}
	o := s.object(key)
	return extent{shortest: value(o, "shortest_edge", 0), height: value(o, "height", 0), width: value(o, "width", 0)}
}
