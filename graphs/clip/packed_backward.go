//go:build tensorflow

package clip

import (
	"fmt"
	"math"

	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"
)

// backward takes the gradient with respect to the end tokens' rows behind the
// last block, [S*C, W], back to the context, [S*L, W]. The weights are frozen, so
// that only the gradients of rows are needed; and in the first block only those
// of the rows that hold context vectors.
func (t packedTower) backward(in tensors, kept []keptBlock, ends, gradient tf.Output) tf.Output {
	last := len(kept) - 1
	gradient, ok := t.derivative("of_last_block", ends, kept[last].rows.x, gradient)
	if !ok {
		return tf.Output{} // the scope keeps the error
	}
	zero := t.constant(int32(0))
	learnt := t.reshape(op.Where(t.at("learnt"), op.Less(t.at("less"), in["ids"], zero)), -1)
	if last == 0 {
		gradient = t.gather(gradient, learnt)
	}
	for i := last - 1; i >= 0; i-- {
		block := t.in(fmt.Sprintf("block%d_gradient", i))
		if i > 0 {
			gradient = block.blockGradient(kept[i], gradient, nil)
		} else {
			gradient = block.blockGradient(kept[i], gradient, &learnt)
		}
	}
	vector := op.Sub(t.at("vector"), op.Neg(t.at("neg"), t.gather(in["ids"], learnt)), t.constant(int32(1)))
	vectors := t.mul(t.size(in["context"], 0), t.size(in["context"], 1))
	return op.UnsortedSegmentSum(t.at("vectors"), gradient, vector, vectors)
}

// blockGradient takes a gradient of a block's rows back through it; only, where
// it is given, are the rows that are wanted.
func (t packedTower) blockGradient(k keptBlock, gradient tf.Output, only *tf.Output) tf.Output {
	mlp := t.in("mlp")
	hidden := op.MatMul(mlp.at("matmul"), gradient, mlp.read(k.name+"mlp.c_proj.weight"))
	hidden = mlp.activationGradient(k.hidden, hidden)
	rows := op.MatMul(mlp.at("matmul"), hidden, mlp.read(k.name+"mlp.c_fc.weight"))
	gradient = mlp.add(gradient, mlp.layerNormGradient(k.between, k.name+"ln_2", rows))

	values := op.MatMul(t.at("matmul"), gradient, t.read(k.name+"attn.out_proj.weight"))
	qkv := t.in("attention").attentionGradient(k.attention, values)
	if only != nil {
		gradient, qkv = t.gather(gradient, *only), t.gather(qkv, *only)
		k.rows = normed{t.gather(k.rows.x, *only), t.gather(k.rows.mean, *only), t.gather(k.rows.inverse, *only)}
	}
	rows = op.MatMul(t.at("matmul"), qkv, t.read(k.name+"attn.in_proj_weight"))
	return t.add(gradient, t.layerNormGradient(k.rows, k.name+"ln_1", rows))
}

// after makes what is added wait for x: what is computed again must not be
// computed, and held, before its turn.
func (t packedTower) after(x tf.Output) packedTower {
	if t.scope.Err() != nil {
		return t
	}
	inner := *t.graph
	inner.scope = t.scope.WithControlDependencies(x.Op)
	return packedTower{&inner, t.packing}
}

// layerNormGradient is dx = inverse (d - mean(d) - s mean(d s)), s the
// standardised rows and d the gradient times the weight.
func (t packedTower) layerNormGradient(n normed, name string, gradient tf.Output) tf.Output {
	t = t.in("norm")
	last := t.constant([]int32{-1})
	mean := func(x tf.Output) tf.Output { return op.Mean(t.at("mean"), x, last, op.MeanKeepDims(true)) }
	d := t.mul(gradient, t.read(name+".weight"))
	s := t.after(gradient).standardised(n)
	d = op.Sub(t.at("sub"), op.Sub(t.at("sub"), d, mean(d)), t.mul(s, mean(t.mul(d, s))))
	return t.mul(d, n.inverse)
}

// activationGradient is the gradient times the activation's derivative at x.
func (t packedTower) activationGradient(x, gradient tf.Output) tf.Output {
	g := t.after(gradient).in("activation")
	if g.QuickGELU { // s + 1.702 x s (1 - s), s = sigmoid(1.702 x)
		scaled := g.scaled(x, 1.702)
		s := op.Sigmoid(g.at("sigmoid"), scaled)
		return g.add(g.mul(gradient, s), g.mul(scaled, op.SigmoidGrad(g.at("slope"), s, gradient)))
	}
	// Phi(x) + x phi(x), of the normal distribution.
	cumulative := g.scaled(g.add(op.Erf(g.at("erf"), g.scaled(x, math.Sqrt2/2)), g.constant(float32(1))), 0.5)
	density := g.scaled(op.Exp(g.at("exp"), g.scaled(op.Square(g.at("square"), x), -0.5)), float32(1/math.Sqrt(2*math.Pi)))
	return g.mul(gradient, g.add(cumulative, g.mul(x, density)))
}

// attentionGradient takes the gradient of an attention's merged values, [R, W],
// back to its queries, keys and values, [R, 3W].
func (t packedTower) attentionGradient(k keptAttention, values tf.Output) tf.Output {
	count, width := int32(t.Text.Heads), int32(t.Text.Width)
	values = t.transpose(t.reshape(values, -1, count, width/count), 1, 0, 2)
	prefix := t.in("prefix").prefixGradient(k, t.prefixRows(values))
	shared, own := t.in("own").ownGradient(k, t.ownRows(values))
	prefix.k, prefix.v = t.add(prefix.k, shared.k), t.add(prefix.v, shared.v)

	queries := t.scaled(t.join(prefix.q, own.q), t.queryScale())
	qkv := op.Pack(t.at("pack"), []tf.Output{queries, t.join(prefix.k, own.k), t.join(prefix.v, own.v)})
	return t.reshape(t.transpose(qkv, 2, 0, 1, 3), -1, 3*width)
}

// prefixGradient is that of the prefix's attention to itself, with respect to
// scaled queries.
func (t packedTower) prefixGradient(k keptAttention, values tf.Output) heads {
	scores := t.softmaxGradient(k.causal, t.product(values, k.prefix.v, transposed))
	return heads{
		q: t.product(scores, k.prefix.k, plain),
		k: t.turned(scores, k.prefix.q),
		v: t.turned(k.causal, values),
	}
}

// ownGradient is that of the blocks' attention, with respect to keys and values
// of the prefix (shared) and to all of the blocks' (own).
func (t packedTower) ownGradient(k keptAttention, values tf.Output) (shared, own heads) {
	width := t.headWidth()
	inBlocks := t.byBlock(values, width)
	ofPrefix, ofOwn := t.after(values).unmix(k.mixed)
	weights := t.mix(t.product(values, k.prefix.v, transposed), t.product(inBlocks, t.byBlock(k.own.v, width), transposed))
	toPrefix, toOwn := t.unmix(t.softmaxGradient(k.mixed, weights))
	shared = heads{k: t.turned(toPrefix, k.own.q), v: t.turned(ofPrefix, values)}
	back := func(x tf.Output) tf.Output { return t.bySeed(t.byRow(x, t.own, width)) }
	own = heads{
		q: t.add(t.product(toPrefix, k.prefix.k, plain), back(t.product(toOwn, t.byBlock(k.own.k, width), plain))),
		k: back(t.turned(toOwn, t.byBlock(k.own.q, width))),
		v: back(t.turned(ofOwn, inBlocks)),
	}
	return shared, own
}

// softmaxGradient is w (d - sum(d w)) of weights w and their gradient d.
func (t packedTower) softmaxGradient(w, d tf.Output) tf.Output {
	sum := op.Sum(t.at("sum"), t.mul(d, w), t.constant([]int32{-1}), op.SumKeepDims(true))
	return t.mul(w, op.Sub(t.at("sub"), d, sum))
}

// turned is x' y.
func (t packedTower) turned(x, y tf.Output) tf.Output {
	return op.BatchMatMulV2(t.at("turned"), x, y, op.BatchMatMulV2AdjX(true))
}
