package clip

import (
	"fmt"
	"math"
)

// Kind says what a tensor of a checkpoint is, and so how a new one is drawn.
type Kind int

// The kinds of a checkpoint's tensors.
const (
	KindLinear      Kind = iota // [out, in], or [in, out] for projections
	KindConvolution             // [out, in, height, width]
	KindEmbedding               // token, class and positional embeddings
	KindScale                   // weights of norms: ones
	KindBias                    // biases and running means: zeros
	KindVariance                // running variances: ones
	KindBranch                  // weights of the norms that end a ResNet's residual branches
)

// Tensor is one tensor that a checkpoint of an architecture has.
type Tensor struct {
	Name  string
	Shape []int
	Kind  Kind
	// Deviation is that of CLIP's own initialisation (normal, mean 0), where the
	// kind leaves it open: section "initialize_parameters" of OpenAI's model.py.
	Deviation float64

	norm   string // of a convolution: the batch norm behind it
	folded bool   // of a batch norm: it goes into the convolution before it
	unseen bool   // no result depends on it
}

// Tensors lists what a checkpoint of this architecture has under open_clip's
// names, but for logit_scale and the count of batches in batch norms.
func (a Architecture) Tensors() []Tensor {
	l := new(tensorList)
	if a.ViT != nil {
		l.vit(a)
	} else {
		l.resnet(a)
	}
	return append(l.tensors, a.TextTensors()...)
}

// TextTensors lists the text tower's part of Tensors.
func (a Architecture) TextTensors() []Tensor {
	l := new(tensorList)
	l.text(a)
	return l.tensors
}

type tensorList struct{ tensors []Tensor }

func (l *tensorList) add(name string, kind Kind, deviation float64, shape ...int) {
	l.tensors = append(l.tensors, Tensor{Name: name, Shape: shape, Kind: kind, Deviation: deviation})
}

func (l *tensorList) norm(name string, width int) {
	l.add(name+".weight", KindScale, 0, width)
	l.add(name+".bias", KindBias, 0, width)
}

// linear adds a weight [out, in] and its bias.
func (l *tensorList) linear(name string, out, in int, deviation float64) {
	l.add(name+".weight", KindLinear, deviation, out, in)
	l.add(name+".bias", KindBias, 0, out)
}

// convolution adds a square kernel without bias and the batch norm behind it.
func (l *tensorList) convolution(name, norm string, out, in, size int) {
	// He et al., arXiv 1502.01852: keeps the variance through a ReLU.
	l.add(name+".weight", KindConvolution, math.Sqrt2*invSqrt(in*size*size), out, in, size, size)
	l.tensors[len(l.tensors)-1].norm = norm
	first := len(l.tensors)
	l.norm(norm, out)
	l.add(norm+".running_mean", KindBias, 0, out)
	l.add(norm+".running_var", KindVariance, 0, out)
	for i := range l.tensors[first:] {
		l.tensors[first+i].folded = true
	}
}

func (l *tensorList) transformer(prefix string, width, layers, mlp int) {
	attention := invSqrt(width)
	projection := attention * invSqrt(2*layers)
	for i := range layers {
		block := fmt.Sprintf("%stransformer.resblocks.%d.", prefix, i)
		l.norm(block+"ln_1", width)
		l.add(block+"attn.in_proj_weight", KindLinear, attention, 3*width, width)
		l.add(block+"attn.in_proj_bias", KindBias, 0, 3*width)
		l.linear(block+"attn.out_proj", width, width, projection)
		l.norm(block+"ln_2", width)
		l.linear(block+"mlp.c_fc", mlp, width, invSqrt(2*width))
		l.linear(block+"mlp.c_proj", width, mlp, projection)
	}
}

func (l *tensorList) text(a Architecture) {
	t := a.Text
	l.add("token_embedding.weight", KindEmbedding, 0.02, t.Vocabulary, t.Width)
	l.add("positional_embedding", KindEmbedding, 0.01, t.ContextLength, t.Width)
	l.transformer("", t.Width, t.Layers, t.MLPWidth)
	l.norm("ln_final", t.Width)
	l.add("text_projection", KindLinear, invSqrt(t.Width), t.Width, a.EmbeddingWidth)
}

func (l *tensorList) vit(a Architecture) {
	v := a.ViT
	grid := a.ImageSize / v.Patch
	scale := invSqrt(v.Width)
	l.add("visual.conv1.weight", KindConvolution, invSqrt(3*v.Patch*v.Patch), v.Width, 3, v.Patch, v.Patch)
	l.add("visual.class_embedding", KindEmbedding, scale, v.Width)
	l.add("visual.positional_embedding", KindEmbedding, scale, grid*grid+1, v.Width)
	l.norm("visual.ln_pre", v.Width)
	l.transformer("visual.", v.Width, v.Layers, v.MLPWidth)
	l.norm("visual.ln_post", v.Width)
	l.add("visual.proj", KindLinear, scale, v.Width, a.EmbeddingWidth)
}

// bottleneckExpansion is the widening of a bottleneck's last convolution.
const bottleneckExpansion = 4

func (l *tensorList) resnet(a Architecture) {
	r := a.ResNet
	half := r.Width / 2
	l.convolution("visual.conv1", "visual.bn1", half, 3, 3)
	l.convolution("visual.conv2", "visual.bn2", half, half, 3)
	l.convolution("visual.conv3", "visual.bn3", r.Width, half, 3)
	for _, b := range r.bottlenecks() {
		l.convolution(b.name+"conv1", b.name+"bn1", b.width, b.in, 1)
		l.convolution(b.name+"conv2", b.name+"bn2", b.width, b.width, 3)
		l.convolution(b.name+"conv3", b.name+"bn3", b.out(), b.width, 1)
		l.tensors[len(l.tensors)-4].Kind = KindBranch
		if b.downsample() {
			l.convolution(b.name+"downsample.0", b.name+"downsample.1", b.out(), b.in, 1)
		}
	}
	width, grid := r.AttentionPoolWidth(), a.ImageSize/32
	scale := invSqrt(width)
	l.add("visual.attnpool.positional_embedding", KindEmbedding, scale, grid*grid+1, width)
	for _, name := range []string{"q_proj", "k_proj", "v_proj"} {
		l.linear("visual.attnpool."+name, width, width, scale)
		l.tensors[len(l.tensors)-1].unseen = name == "k_proj" // see pooling.attend
	}
	l.linear("visual.attnpool.c_proj", a.EmbeddingWidth, width, scale)
}

// bottleneck is one residual block of the ModifiedResNet.
type bottleneck struct {
	name              string // prefix of its tensors' names
	in, width, stride int
}

func (b bottleneck) out() int { return b.width * bottleneckExpansion }

// downsample reports whether the block's shortcut is a convolution.
func (b bottleneck) downsample() bool { return b.stride > 1 || b.in != b.out() }

func (r ResNet) bottlenecks() []bottleneck {
	var blocks []bottleneck
	in := r.Width
	for stage, n := range r.Layers {
		width, stride := r.Width<<stage, 2
		if stage == 0 {
			stride = 1
		}
		for i := range n {
			b := bottleneck{name: fmt.Sprintf("visual.layer%d.%d.", stage+1, i), in: in, width: width, stride: stride}
			blocks = append(blocks, b)
			in, stride = b.out(), 1
		}
	}
	return blocks
}
