//go:build tensorflow

package clip

import (
	"fmt"
	"math"

	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"
)

// linear is x W' + b for x [n, in] and W [out, in], PyTorch's layout.
func (g *graph) linear(x tf.Output, weight, bias string) tf.Output {
	product := op.MatMul(g.at("matmul"), x, g.read(weight), op.MatMulTransposeB(true))
	return op.BiasAdd(g.at("bias"), product, g.read(bias))
}

// project is x W for x [n, in] and W [in, out], as CLIP keeps its projections.
func (g *graph) project(x tf.Output, weight string) tf.Output {
	return op.MatMul(g.at("matmul"), x, g.read(weight))
}

// layerNorm normalises the rows of x [n, width].
func (g *graph) layerNorm(x tf.Output, name string) tf.Output {
	g = g.in("norm")
	return g.affine(g.standardised(g.moments(x)), name)
}

// normed is x [n, width] with what layer norm makes of it: (x - mean) inverse, each [n, 1].
type normed struct{ x, mean, inverse tf.Output }

// moments are those of the rows of x.
func (g *graph) moments(x tf.Output) normed {
	g = g.in("moments")
	last := g.constant([]int32{-1})
	mean := op.Mean(g.at("mean"), x, last, op.MeanKeepDims(true))
	variance := op.Mean(g.at("variance"), op.SquaredDifference(g.at("difference"), x, mean), last, op.MeanKeepDims(true))
	return normed{x, mean, op.Rsqrt(g.at("rsqrt"), g.add(variance, g.constant(g.LayerNormEpsilon)))}
}

// standardised are rows of mean 0 and variance 1.
func (g *graph) standardised(n normed) tf.Output {
	return g.mul(op.Sub(g.at("sub"), n.x, n.mean), n.inverse)
}

// affine is the second half of a layer norm.
func (g *graph) affine(x tf.Output, name string) tf.Output {
	return g.add(g.mul(x, g.read(name+".weight")), g.read(name+".bias"))
}

// activation is quick GELU (OpenAI's) or exact GELU (Hendrycks & Gimpel, arXiv 1606.08415, section 2).
func (g *graph) activation(x tf.Output) tf.Output {
	if g.QuickGELU {
		return g.mul(x, op.Sigmoid(g.at("sigmoid"), g.scaled(x, 1.702)))
	}
	erf := op.Erf(g.at("erf"), g.scaled(x, math.Sqrt2/2))
	return g.scaled(g.mul(x, g.add(erf, g.constant(float32(1)))), 0.5)
}

// normalised are the rows of x [n, width] at length 1.
func (g *graph) normalised(x tf.Output) tf.Output {
	squares := op.Sum(g.at("sum"), op.Square(g.at("square"), x), g.constant([]int32{-1}), op.SumKeepDims(true))
	return g.mul(x, op.Rsqrt(g.at("rsqrt"), squares))
}

// sequence is a batch of n token rows each, flattened: [n * length, width].
type sequence struct {
	rows   tf.Output
	batch  tf.Output // n, scalar int32
	length tf.Output // scalar int32
	mask   tf.Output // added to attention scores [length, length]; none if its Op is nil
}

type tower struct {
	prefix               string
	width, layers, heads int
}

// transformer runs the pre-LN blocks over s. The last one is the tower's own:
// behind its attention only the rows matter that it returns.
func (g *graph) transformer(t tower, s sequence, last func(g *graph, name string, s sequence) tf.Output) tf.Output {
	block := func(i int) (*graph, string) {
		return g.in(fmt.Sprint("block", i)), fmt.Sprintf("%stransformer.resblocks.%d.", t.prefix, i)
	}
	for i := range t.layers - 1 {
		g, name := block(i)
		s.rows = g.block(t, name, s, func(x tf.Output) tf.Output { return x })
	}
	g, name := block(t.layers - 1)
	return last(g, name, s)
}

// block is one residual block: attention, then the MLP over the rows that keep takes.
func (g *graph) block(t tower, name string, s sequence, keep func(tf.Output) tf.Output) tf.Output {
	attended := g.in("attention").selfAttention(t, name+"attn.", g.layerNorm(s.rows, name+"ln_1"), s)
	x := g.add(keep(s.rows), g.linear(keep(attended), name+"attn.out_proj.weight", name+"attn.out_proj.bias"))
	return g.mlp(name, x)
}

// mlp is the second half of a residual block.
func (g *graph) mlp(name string, x tf.Output) tf.Output {
	g = g.in("mlp")
	hidden := g.activation(g.linear(g.layerNorm(x, name+"ln_2"), name+"mlp.c_fc.weight", name+"mlp.c_fc.bias"))
	return g.add(x, g.linear(hidden, name+"mlp.c_proj.weight", name+"mlp.c_proj.bias"))
}

// selfAttention returns the heads' values, concatenated, before the output projection: [n * length, width].
func (g *graph) selfAttention(t tower, name string, x tf.Output, s sequence) tf.Output {
	heads := g.constant(int32(t.heads))
	headWidth := g.constant(int32(t.width / t.heads))
	qkv := g.linear(x, name+"in_proj_weight", name+"in_proj_bias")
	qkv = op.Reshape(g.at("split"), qkv, g.stack(s.batch, s.length, g.constant(int32(3)), heads, headWidth))
	parts := op.Unpack(g.at("unpack"), g.transpose(qkv, 2, 0, 3, 1, 4), 3)
	if len(parts) != 3 {
		return tf.Output{} // the scope keeps the error
	}
	values := g.attention(parts[0], parts[1], parts[2], t.width/t.heads, s.mask)
	return g.reshape(g.transpose(values, 0, 2, 1, 3), -1, int32(t.width))
}

// attention is softmax(q k' / sqrt(headWidth) + mask) v over [n, heads, rows, headWidth].
func (g *graph) attention(q, k, v tf.Output, headWidth int, mask tf.Output) tf.Output {
	q = g.scaled(q, float32(1/math.Sqrt(float64(headWidth))))
	scores := op.BatchMatMulV2(g.at("scores"), q, k, op.BatchMatMulV2AdjY(true))
	if mask.Op != nil {
		scores = g.add(scores, mask)
	}
	return op.BatchMatMulV2(g.at("values"), op.Softmax(g.at("softmax"), scores), v)
}
