//go:build tensorflow

package clip

import (
	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"
)

// image is the image tower: pixels [n, size, size, 3] to features [n, D], not normalised.
func (g *graph) image(pixels tf.Output) tf.Output {
	if g.ViT != nil {
		return g.in("vit").vit(pixels)
	}
	return g.in("resnet").resnet(pixels)
}

func (g *graph) vit(pixels tf.Output) tf.Output {
	v := g.ViT
	width, tokens := int32(v.Width), int32(g.ImageSize/v.Patch)*int32(g.ImageSize/v.Patch)+1
	stride := int64(v.Patch)
	patches := op.Conv2D(g.at("patches"), pixels, g.read("visual.conv1.weight"), []int64{1, stride, stride, 1}, "VALID")
	n := g.size(pixels, 0)
	class := op.BroadcastTo(g.at("class"), g.read("visual.class_embedding"), g.stack(n, g.constant(int32(1)), g.constant(width)))
	x := op.ConcatV2(g.at("tokens"), []tf.Output{class, g.reshape(patches, -1, tokens-1, width)}, g.constant(int32(1)))
	x = g.add(x, g.read("visual.positional_embedding"))
	s := sequence{
		rows:  g.layerNorm(g.reshape(x, -1, width), "visual.ln_pre"),
		batch: n, length: g.constant(tokens),
	}
	x = g.transformer(tower{"visual.", v.Width, v.Layers, v.Heads}, s, func(g *graph, name string, s sequence) tf.Output {
		return g.classBlock(name, s.rows, tokens)
	})
	return g.project(g.layerNorm(x, "visual.ln_post"), "visual.proj")
}

// classBlock is the last residual block, behind which only the class tokens go on: [n, width].
func (g *graph) classBlock(name string, rows tf.Output, tokens int32) tf.Output {
	attention, width := g.in("attention"), int32(g.ViT.Width)
	weight, bias := attention.read(name+"attn.in_proj_weight"), attention.read(name+"attn.in_proj_bias")
	part := func(i int32) tf.Output {
		return op.Slice(attention.at("part"), weight, attention.constant([]int32{i * width, 0}), attention.constant([]int32{width, width}))
	}
	partOfBias := func(i int32) tf.Output {
		return op.Slice(attention.at("part"), bias, attention.constant([]int32{i * width}), attention.constant([]int32{width}))
	}
	p := pooling{
		heads: int32(g.ViT.Heads), length: tokens, width: width,
		query: part(0), key: part(1), value: part(2), queryBias: partOfBias(0), valueBias: partOfBias(2),
	}
	x := attention.layerNorm(rows, name+"ln_1")
	values := p.attend(attention, attention.firstOf(x, tokens, width), x)
	classes := g.add(g.firstOf(rows, tokens, width), g.linear(values, name+"attn.out_proj.weight", name+"attn.out_proj.bias"))
	return g.mlp(name, classes)
}

// firstOf picks each sequence's first row: the class token.
func (g *graph) firstOf(rows tf.Output, length, width int32) tf.Output {
	x := g.reshape(rows, -1, length*width)
	return op.Slice(g.at("first"), x, g.constant([]int32{0, 0}), g.constant([]int32{-1, width}))
}

// resnet is CLIP's ModifiedResNet, NHWC, batch norms folded.
func (g *graph) resnet(pixels tf.Output) tf.Output {
	x := g.relu(g.convolution(pixels, "visual.conv1", 2))
	x = g.relu(g.convolution(x, "visual.conv2", 1))
	x = g.relu(g.convolution(x, "visual.conv3", 1))
	x = g.averagePool(x, 2)
	for _, b := range g.ResNet.bottlenecks() {
		x = g.in("bottleneck").bottleneck(x, b)
	}
	return g.in("attnpool").attentionPool(x)
}

// bottleneck strides by average pooling before its last convolution (Zhang,
// "Making Convolutional Networks Shift-Invariant Again", arXiv 1904.11486).
func (g *graph) bottleneck(x tf.Output, b bottleneck) tf.Output {
	y := g.relu(g.convolution(x, b.name+"conv1", 1))
	y = g.relu(g.convolution(y, b.name+"conv2", 1))
	if b.stride > 1 {
		y = g.averagePool(y, b.stride)
	}
	y = g.convolution(y, b.name+"conv3", 1)
	if b.downsample() {
		if b.stride > 1 {
			x = g.averagePool(x, b.stride)
		}
		x = g.convolution(x, b.name+"downsample.0", 1)
	}
	return g.relu(g.add(y, x))
}

// convolution pads a 3 x 3 kernel by 1 on every side, as PyTorch does:
// TensorFlow's SAME is that only where the stride is 1.
func (g *graph) convolution(x tf.Output, name string, stride int64) tf.Output {
	strides := []int64{1, stride, stride, 1}
	kernel := g.read(name + ".weight")
	var y tf.Output
	if stride == 1 {
		y = op.Conv2D(g.at("conv"), x, kernel, strides, "SAME")
	} else {
		y = op.Conv2D(g.at("conv"), x, kernel, strides, "EXPLICIT", op.Conv2DExplicitPaddings([]int64{0, 0, 1, 1, 1, 1, 0, 0}))
	}
	return op.BiasAdd(g.at("bias"), y, g.read(name+".bias"))
}

func (g *graph) relu(x tf.Output) tf.Output { return op.Relu(g.at("relu"), x) }

func (g *graph) averagePool(x tf.Output, size int) tf.Output {
	window := []int64{1, int64(size), int64(size), 1}
	return op.AvgPool(g.at("pool"), x, window, window, "VALID")
}

// attentionPool lets the mean of all positions attend to them (and to itself).
func (g *graph) attentionPool(x tf.Output) tf.Output {
	width, heads := g.ResNet.AttentionPoolWidth(), g.ResNet.Heads
	grid := g.ImageSize / 32
	tokens := int32(grid*grid + 1)
	x = g.reshape(x, -1, tokens-1, int32(width))
	mean := op.Mean(g.at("mean"), x, g.constant([]int32{1}), op.MeanKeepDims(true))
	x = op.ConcatV2(g.at("tokens"), []tf.Output{mean, x}, g.constant(int32(1)))
	x = g.reshape(g.add(x, g.read("visual.attnpool.positional_embedding")), -1, int32(width))
	const name = "visual.attnpool."
	p := pooling{
		heads: int32(heads), length: tokens, width: int32(width),
		query: g.read(name + "q_proj.weight"), key: g.read(name + "k_proj.weight"), value: g.read(name + "v_proj.weight"),
		queryBias: g.read(name + "q_proj.bias"), valueBias: g.read(name + "v_proj.bias"),
	}
	values := p.attend(g, g.firstOf(x, tokens, int32(width)), x)
	return g.linear(values, name+"c_proj.weight", name+"c_proj.bias")
}
