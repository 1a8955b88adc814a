package clip

import (
	"errors"
	"fmt"
	"strings"
)

// Architecture describes a CLIP of two towers: all that its graph needs but the weights.
type Architecture struct {
	EmbeddingWidth int // D, the width of the space in which the towers meet
	ImageSize      int // pixels on a side of the (square) picture
	// Exactly one of ViT and ResNet is set.
	ViT    *ViT
	ResNet *ResNet
	Text   Text
	// QuickGELU is x sigmoid(1.702 x), which OpenAI trained with; otherwise GELU is exact (erf).
	QuickGELU bool
	// LayerNormEpsilon is 1e-5 in every published CLIP.
	LayerNormEpsilon float32
}

// ViT is CLIP's vision transformer: pre-LN, a class token, and layer norms
// before the first and after the last block.
//
// Heads: open_clip's configurations give head_width (64 where absent) and
// heads = width / head_width; OpenAI's archives say nothing, heads = width / 64;
// transformers' give num_attention_heads.
type ViT struct {
	Width, Layers, Heads int
	Patch                int // pixels on a side of a patch; divides ImageSize
	MLPWidth             int // 4 x Width in every published CLIP
}

// ResNet is CLIP's ModifiedResNet: three convolutions as stem, average pooling
// before strided convolutions, attention pooling at the end.
//
// Heads of the attention pooling: Width x 32 / head_width, where open_clip's
// head_width is 64 if absent, and OpenAI's is 64.
type ResNet struct {
	Layers [4]int // bottlenecks of each stage
	Width  int    // channels behind the stem; 64 for RN50
	Heads  int    // of the attention pooling
}

// Text is CLIP's causal text transformer.
//
// Heads: open_clip's `heads`, transformers' num_attention_heads; OpenAI's
// archives: width / 64.
type Text struct {
	ContextLength        int // tokens of the longest text, 77 in CLIP
	Vocabulary           int // rows of the token embedding, 49,408 in CLIP
	Width, Layers, Heads int
	MLPWidth             int // 4 x Width in every published CLIP
}

// Weights are a checkpoint's tensors under open_clip's (OpenAI's) names:
// visual.conv1.weight, transformer.resblocks.0.attn.in_proj_weight, and so on;
// in PyTorch's layouts (linear: [out, in]; convolution: [out, in, height, width]).
type Weights interface {
	// Tensor returns a tensor's shape (empty: a scalar) and values in row-major
	// order; the caller does not change them. A name that is not there is an error.
	Tensor(name string) (shape []int, data []float32, err error)
}

// DefaultLayerNormEpsilon is PyTorch's, which every published CLIP uses.
const DefaultLayerNormEpsilon = 1e-5

// HeadWidth is the width of an attention head in OpenAI's CLIPs and, where a
// configuration does not say otherwise, in open_clip's.
const HeadWidth = 64

// AttentionPoolWidth is the number of channels of the last stage (Width x 32).
func (r ResNet) AttentionPoolWidth() int { return r.Width * 32 }

// limits keep sizes from a foreign file within what a tensor may have.
const (
	maxWidth      = 1 << 16
	maxVocabulary = 1 << 22
	maxImageSize  = 1 << 13
)

// Validate reports every size that cannot be.
func (a Architecture) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	positive := func(name string, value, limit int) {
		check(value > 0 && value <= limit, "%s is %d, want 1 to %d", name, value, limit)
	}
	heads := func(name string, width, heads int) {
		check(heads > 0 && width%max(heads, 1) == 0, "%s: %d heads do not divide the width %d", name, heads, width)
	}
	positive("embedding width", a.EmbeddingWidth, maxWidth)
	positive("image size", a.ImageSize, maxImageSize)
	check(a.LayerNormEpsilon > 0, "layer norm epsilon is %g, want above 0", a.LayerNormEpsilon)
	switch {
	case (a.ViT == nil) == (a.ResNet == nil):
		check(false, "want one image tower, ViT or ResNet")
	case a.ViT != nil:
		v := a.ViT
		positive("image tower's width", v.Width, maxWidth)
		positive("image tower's layers", v.Layers, 1024)
		positive("image tower's MLP width", v.MLPWidth, 4*maxWidth)
		heads("image tower", v.Width, v.Heads)
		check(v.Patch > 0 && v.Patch <= a.ImageSize, "patches of %d pixels do not fit pictures of %d", v.Patch, a.ImageSize)
	default:
		r := a.ResNet
		positive("image tower's width", r.Width, maxWidth/32)
		check(r.Width%2 == 0, "image tower's width %d is odd: the stem has half of it", r.Width)
		for i, n := range r.Layers {
			positive(fmt.Sprintf("bottlenecks of stage %d", i+1), n, 1024)
		}
		heads("attention pooling", r.AttentionPoolWidth(), r.Heads)
		check(a.ImageSize%32 == 0, "image size %d is no multiple of 32", a.ImageSize)
	}
	t := a.Text
	positive("context length", t.ContextLength, maxWidth)
	positive("vocabulary", t.Vocabulary, maxVocabulary)
	positive("text tower's width", t.Width, maxWidth)
	positive("text tower's layers", t.Layers, 1024)
	positive("text tower's MLP width", t.MLPWidth, 4*maxWidth)
	heads("text tower", t.Width, t.Heads)
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("architecture: %w", err)
	}
	return nil
}

// ErrUnknown marks a name that is no architecture's.
var ErrUnknown = errors.New("unknown architecture")

// Named returns an architecture of the paper by OpenAI's name for it, as
// ArchitectureNames lists them; for others the error is ErrUnknown.
func Named(name string) (Architecture, error) {
	for _, entry := range named() {
		if entry.name == name {
			return entry.architecture, nil
		}
	}
	return Architecture{}, fmt.Errorf("%w %q: there are %s", ErrUnknown, name, strings.Join(ArchitectureNames(), ", "))
}

// ArchitectureNames lists what Named knows.
func ArchitectureNames() []string {
	table := named()
	names := make([]string, len(table))
	for i, entry := range table {
		names[i] = entry.name
	}
	return names
}

type namedArchitecture struct {
	name         string
	architecture Architecture
}

// named is the table of OpenAI's releases: arXiv 2103.00020, tables 19 and 20.
func named() []namedArchitecture {
	resnet := func(size, embedding int, layers [4]int, width, textWidth int) Architecture {
		r := ResNet{Layers: layers, Width: width}
		r.Heads = r.AttentionPoolWidth() / HeadWidth
		return openAI(size, embedding, textWidth, nil, &r)
	}
	vit := func(size, embedding, patch, width, layers, textWidth int) Architecture {
		v := ViT{Width: width, Layers: layers, Heads: width / HeadWidth, Patch: patch, MLPWidth: 4 * width}
		return openAI(size, embedding, textWidth, &v, nil)
	}
	return []namedArchitecture{
		{"RN50", resnet(224, 1024, [4]int{3, 4, 6, 3}, 64, 512)},
		{"RN101", resnet(224, 512, [4]int{3, 4, 23, 3}, 64, 512)},
		{"RN50x4", resnet(288, 640, [4]int{4, 6, 10, 6}, 80, 640)},
		{"RN50x16", resnet(384, 768, [4]int{6, 8, 18, 8}, 96, 768)},
		{"RN50x64", resnet(448, 1024, [4]int{3, 15, 36, 10}, 128, 1024)},
		{"ViT-B/32", vit(224, 512, 32, 768, 12, 512)},
		{"ViT-B/16", vit(224, 512, 16, 768, 12, 512)},
		{"ViT-L/14", vit(224, 768, 14, 1024, 24, 768)},
		{"ViT-L/14-336", vit(336, 768, 14, 1024, 24, 768)},
	}
}

func openAI(size, embedding, textWidth int, vit *ViT, resnet *ResNet) Architecture {
	return Architecture{
		EmbeddingWidth: embedding, ImageSize: size, ViT: vit, ResNet: resnet,
		Text: Text{
			ContextLength: 77, Vocabulary: 49408,
			Width: textWidth, Layers: 12, Heads: textWidth / HeadWidth, MLPWidth: 4 * textWidth,
		},
		QuickGELU: true, LayerNormEpsilon: DefaultLayerNormEpsilon,
	}
}
