//go:build tensorflow

package clip

import (
	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"
)

// masked is added to the scores of positions that must not be seen: exp of it is
// 0, and unlike -Inf it cannot make NaN.
const masked = -1e30

// text is the text tower: token ids [n, T] to features [n, D], not normalised.
// T is at most the context length. With a context [L, W], an id of -k stands
// for its k-th row.
func (g *graph) text(tokens tf.Output, context *tf.Output) tf.Output {
	t := g.Text
	width := int32(t.Width)
	n, length := g.size(tokens, 0), g.size(tokens, 1)
	x := g.add(g.embedding(tokens, context), g.positions(length))
	s := sequence{rows: g.reshape(x, -1, width), batch: n, length: length, mask: g.causalMask(length)}
	ends := g.ends(tokens, n, length)
	shape := tower{"", t.Width, t.Layers, t.Heads}
	x = g.transformer(shape, s, func(g *graph, name string, s sequence) tf.Output {
		return g.block(shape, name, s, func(rows tf.Output) tf.Output { return g.gather(rows, ends) })
	})
	return g.project(g.layerNorm(x, "ln_final"), "text_projection")
}

// embedding is the rows of the token embedding and of the context, [n, T, W].
// They are gathered apart and added, so that the gradient of the context does
// not drag the whole vocabulary's along.
func (g *graph) embedding(tokens tf.Output, context *tf.Output) tf.Output {
	table := g.read("token_embedding.weight")
	if context == nil {
		return g.gather(table, tokens)
	}
	zero := g.constant(int32(0))
	known := g.gather(table, op.Maximum(g.at("known"), tokens, zero))
	isToken := op.Cast(g.at("cast"), op.GreaterEqual(g.at("compare"), tokens, zero), tf.Float)
	known = g.mul(known, op.ExpandDims(g.at("expand"), isToken, g.constant(int32(-1))))
	// Row 0 is zero: what a token of the vocabulary takes from the context.
	none := g.constant([][]float32{make([]float32, g.Text.Width)})
	vectors := op.ConcatV2(g.at("vectors"), []tf.Output{none, *context}, zero)
	learnt := g.gather(vectors, op.Maximum(g.at("learnt"), op.Neg(g.at("negative"), tokens), zero))
	return g.add(known, learnt)
}

// positions are the first rows of the positional embedding, [T, W].
func (g *graph) positions(length tf.Output) tf.Output {
	size := g.stack(length, g.constant(int32(g.Text.Width)))
	return op.Slice(g.at("positions"), g.read("positional_embedding"), g.constant([]int32{0, 0}), size)
}

// causalMask hides later positions, [T, T].
func (g *graph) causalMask(length tf.Output) tf.Output {
	g = g.in("mask")
	index := op.Range(g.at("range"), g.constant(int32(0)), length, g.constant(int32(1)))
	row := op.ExpandDims(g.at("row"), index, g.constant(int32(1)))
	column := op.ExpandDims(g.at("column"), index, g.constant(int32(0)))
	later := op.Cast(g.at("cast"), op.Greater(g.at("later"), column, row), tf.Float)
	return g.scaled(later, masked)
}

// ends are the rows of the flattened sequence that hold the end tokens: the
// largest id of each text, as CLIP's vocabulary has it.
func (g *graph) ends(tokens, n, length tf.Output) tf.Output {
	g = g.in("end")
	position := op.ArgMax(g.at("argmax"), tokens, g.constant(int32(1)), op.ArgMaxOutputType(tf.Int32))
	start := g.mul(op.Range(g.at("range"), g.constant(int32(0)), n, g.constant(int32(1))), length)
	return g.add(start, position)
}
