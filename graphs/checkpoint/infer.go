package checkpoint

import (
	"fmt"
	"io/fs"
	"math"
	"strings"

	"github.com/upl-host/upl-host/graphs/checkpoint/torch"
	"github.com/upl-host/upl-host/graphs/clip"
)

func missingConfig(name string) error {
	return fmt.Errorf("%w: %s, which belongs beside these weights: they do not tell heads and activation; fetch it from where they come from", fs.ErrNotExist, name)
}

// infer finds the architecture in the weights' shapes, as build_model of OpenAI's
// clip/model.py does: heads are 64 wide, the activation is QuickGELU. Files of
// torch.save alone are read so, for they are how OpenAI's models come.
func (c *Checkpoint) infer() error {
	archive, ok := c.source.(*torch.Archive)
	if !ok {
		return missingConfig(openCLIPConfig)
	}
	s := shapes{tensors: c.tensors}
	textWidth := s.size("ln_final.weight", 0)
	c.Architecture = clip.Architecture{
		EmbeddingWidth: s.size("text_projection", 1),
		Text: clip.Text{
			ContextLength: s.size("positional_embedding", 0),
			Vocabulary:    s.size(tokenEmbedding, 0),
			Width:         textWidth,
			Heads:         textWidth / clip.HeadWidth,
			Layers:        s.count("transformer.resblocks.%d.attn.in_proj_weight"),
			MLPWidth:      s.size("transformer.resblocks.0.mlp.c_fc.weight", 0),
		},
		QuickGELU:        true,
		LayerNormEpsilon: clip.DefaultLayerNormEpsilon,
	}
	if _, isViT := c.tensors["visual.proj"]; isViT {
		s.vit(&c.Architecture)
	} else {
		s.resnet(&c.Architecture)
	}
	if len(s.missing) > 0 {
		return fmt.Errorf("%w: it is no whole CLIP: it lacks %s", ErrUnsupported, some(s.missing))
	}
	c.Preprocess = openAIPreprocess()
	return c.checkConstants(archive)
}

// shapes looks sizes up and notes what is not there.
type shapes struct {
	tensors map[string]recipe
	missing []string
}

func (s *shapes) size(name string, axis int) int {
	r, ok := s.tensors[name]
	if !ok || axis >= len(r.shape) {
		s.missing = append(s.missing, name)
		return 0
	}
	return r.shape[axis]
}

// count counts the tensors whose names have the numbers 0, 1, 2 … in a pattern.
func (s *shapes) count(pattern string) int {
	n := 0
	for {
		if _, ok := s.tensors[fmt.Sprintf(pattern, n)]; !ok {
			return n
		}
		n++
	}
}

// grid is the side of the square whose cells, and one token more, have positions.
func (s *shapes) grid(name string) int {
	return int(math.Round(math.Sqrt(float64(s.size(name, 0) - 1))))
}

func (s *shapes) vit(a *clip.Architecture) {
	width, patch := s.size("visual.conv1.weight", 0), s.size("visual.conv1.weight", 3)
	a.ImageSize = patch * s.grid("visual.positional_embedding")
	a.ViT = &clip.ViT{
		Width: width, Heads: width / clip.HeadWidth, Patch: patch,
		Layers:   s.count("visual.transformer.resblocks.%d.attn.in_proj_weight"),
		MLPWidth: s.size("visual.transformer.resblocks.0.mlp.c_fc.weight", 0),
	}
}

func (s *shapes) resnet(a *clip.Architecture) {
	const stride = 32 // of the whole tower
	a.ImageSize = stride * s.grid("visual.attnpool.positional_embedding")
	a.ResNet = &clip.ResNet{Width: s.size("visual.layer1.0.conv1.weight", 0)}
	a.ResNet.Heads = a.ResNet.AttentionPoolWidth() / clip.HeadWidth
	for stage := range a.ResNet.Layers {
		a.ResNet.Layers[stage] = s.count(fmt.Sprintf("visual.layer%d.", stage+1) + "%d.conv1.weight")
	}
}

// checkConstants compares what was inferred with the sizes that OpenAI's
// archives hold besides the weights.
func (c *Checkpoint) checkConstants(archive *torch.Archive) error {
	a := c.Architecture
	var faults []string
	for _, constant := range []struct {
		name string
		want int
	}{
		{"input_resolution", a.ImageSize},
		{"context_length", a.Text.ContextLength},
		{"vocab_size", a.Text.Vocabulary},
	} {
		if got, ok := archive.Int(constant.name); ok && got != int64(constant.want) {
			faults = append(faults, fmt.Sprintf("%s is %d, the weights' shapes give %d", constant.name, got, constant.want))
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("%w: %s", ErrMismatch, strings.Join(faults, "; "))
	}
	return nil
}
