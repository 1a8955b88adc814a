//go:build tensorflow

package clip

import (
	"fmt"
	"math"

	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"
)

// packedTower is the text tower over packed rows, forth and back.
type packedTower struct {
	*graph
	packing
}

// in is graph.in.
func (t packedTower) in(name string) packedTower { return packedTower{t.graph.in(name), t.packing} }

// keptBlock is what the way back needs of a residual block: about 10 W numbers a
// row. What costs little (norms, activations) is computed again, and what
// TensorFlow's own gradients would keep beyond it, 26 W, is not.
type keptBlock struct {
	name      string
	rows      normed // what comes in
	attention keptAttention
	between   normed    // behind the attention
	hidden    tf.Output // before the activation, [R, MLPWidth]
}

// keptAttention is what the way back needs of an attention. Queries are scaled.
type keptAttention struct {
	prefix heads     // [heads, S, P, W/heads]
	own    heads     // [heads, S, G*B, W/heads]
	causal tf.Output // weights of a prefix's rows, [heads, S, P, P]
	mixed  tf.Output // weights of the blocks' rows, of the prefix and then of the block: [heads, S*G*B, P+B]
}

// heads are queries, keys and values.
type heads struct{ q, k, v tf.Output }

// forward returns the rows of the end tokens behind the last block, [S*C, W],
// and what the way back needs.
func (t packedTower) forward(in tensors) (tf.Output, []keptBlock) {
	vectors := t.reshape(in["context"], -1, int32(t.Text.Width))
	x := t.add(t.embedding(in["ids"], &vectors), t.gather(t.read("positional_embedding"), in["positions"]))
	kept := make([]keptBlock, t.Text.Layers)
	for i := range kept {
		kept[i].name = fmt.Sprintf("transformer.resblocks.%d.", i)
		block := t.in(fmt.Sprint("block", i))
		if i == len(kept)-1 {
			kept[i].rows.x = x
			x = block.lastBlock(kept[i].name, x)
		} else {
			x = block.block(&kept[i], x)
		}
	}
	return x, kept
}

// block is one residual block over all rows.
func (t packedTower) block(k *keptBlock, x tf.Output) tf.Output {
	k.rows = t.moments(x)
	qkv := t.linear(t.affine(t.standardised(k.rows), k.name+"ln_1"), k.name+"attn.in_proj_weight", k.name+"attn.in_proj_bias")
	attention := t.in("attention")
	k.attention.prefix, k.attention.own = attention.split(qkv)
	values := attention.lay(attention.join(attention.prefixAttention(&k.attention), attention.blockAttention(&k.attention)))
	x = t.add(x, t.linear(values, k.name+"attn.out_proj.weight", k.name+"attn.out_proj.bias"))
	k.between = t.moments(x)
	mlp := t.in("mlp")
	k.hidden = mlp.linear(mlp.affine(mlp.standardised(k.between), k.name+"ln_2"), k.name+"mlp.c_fc.weight", k.name+"mlp.c_fc.bias")
	return mlp.add(x, mlp.linear(mlp.activation(k.hidden), k.name+"mlp.c_proj.weight", k.name+"mlp.c_proj.bias"))
}

// lastBlock is the last residual block: behind its attention only the end tokens
// go on, [S*C, W].
func (t packedTower) lastBlock(name string, x tf.Output) tf.Output {
	qkv := t.linear(t.layerNorm(x, name+"ln_1"), name+"attn.in_proj_weight", name+"attn.in_proj_bias")
	attention := t.in("attention")
	var k keptAttention
	k.prefix, k.own = attention.split(qkv)
	values := t.gather(attention.lay(attention.blockAttention(&k)), t.lasts)
	x = t.gather(x, t.add(t.prefixes, t.lasts))
	x = t.add(x, t.linear(values, name+"attn.out_proj.weight", name+"attn.out_proj.bias"))
	return t.mlp(name, x)
}

// split makes heads of qkv [R, 3W].
func (t packedTower) split(qkv tf.Output) (prefix, own heads) {
	count, width := int32(t.Text.Heads), int32(t.Text.Width)
	parts := op.Unpack(t.at("unpack"), t.transpose(t.reshape(qkv, -1, 3, count, width/count), 1, 2, 0, 3), 3)
	if len(parts) != 3 {
		return heads{}, heads{} // the scope keeps the error
	}
	parts[0] = t.scaled(parts[0], t.queryScale())
	of := func(rows func(packedTower, tf.Output) tf.Output) heads {
		return heads{rows(t, parts[0]), rows(t, parts[1]), rows(t, parts[2])}
	}
	return of(packedTower.prefixRows), of(packedTower.ownRows)
}

func (t packedTower) queryScale() float32 {
	return float32(1 / math.Sqrt(float64(t.Text.Width/t.Text.Heads)))
}

// prefixRows are those of x [heads, R, width]: [heads, S, P, width].
func (t packedTower) prefixRows(x tf.Output) tf.Output {
	return t.bySeed(t.someRows(x, t.constant(int32(0)), t.prefixes))
}

// ownRows are the blocks' rows of x [heads, R, width]: [heads, S, G*B, width].
func (t packedTower) ownRows(x tf.Output) tf.Output {
	return t.bySeed(t.someRows(x, t.prefixes, t.own))
}

func (t packedTower) someRows(x, from, rows tf.Output) tf.Output {
	zero, count := t.constant(int32(0)), t.constant(int32(t.Text.Heads))
	// Sizes of -1 would do, but TensorFlow's gradient takes them at their word.
	return op.Slice(t.at("rows"), x, t.stack(zero, from, zero), t.stack(count, rows, t.size(x, 2)))
}

func (t packedTower) bySeed(x tf.Output) tf.Output {
	return op.Reshape(t.at("by_seed"), x, t.stack(t.constant(int32(t.Text.Heads)), t.seeds, t.constant(int32(-1)), t.size(x, 2)))
}

// byBlock is x [heads, …, G*B, width] as [heads, S*G, B, width].
func (t packedTower) byBlock(x tf.Output, width tf.Output) tf.Output {
	return op.Reshape(t.at("by_block"), x, t.stack(t.constant(int32(t.Text.Heads)), t.blocks, t.rows, width))
}

// byRow is x as [heads, rows, width].
func (t packedTower) byRow(x, rows, width tf.Output) tf.Output {
	return op.Reshape(t.at("by_row"), x, t.stack(t.constant(int32(t.Text.Heads)), rows, width))
}

func (t packedTower) headWidth() tf.Output { return t.constant(int32(t.Text.Width / t.Text.Heads)) }

// join undoes prefixRows and ownRows: [heads, R, W/heads].
func (t packedTower) join(prefix, own tf.Output) tf.Output {
	width := t.headWidth()
	rows := []tf.Output{t.byRow(prefix, t.prefixes, width), t.byRow(own, t.own, width)}
	return op.ConcatV2(t.at("join"), rows, t.constant(int32(1)))
}

// lay lays heads [heads, …, W/heads] side by side, [rows, W].
func (t packedTower) lay(x tf.Output) tf.Output {
	x = t.byRow(x, t.constant(int32(-1)), t.headWidth())
	return t.reshape(t.transpose(x, 1, 0, 2), -1, int32(t.Text.Width))
}

// prefixAttention is a causal one: [heads, S, P, W/heads].
func (t packedTower) prefixAttention(k *keptAttention) tf.Output {
	scores := t.product(k.prefix.q, k.prefix.k, transposed)
	k.causal = op.Softmax(t.at("softmax"), t.add(scores, t.causal))
	return t.product(k.causal, k.prefix.v, plain)
}

// blockAttention is the attention of the blocks' rows to the prefix, and to what
// their own prompt has before them: [heads, S, G*B, W/heads].
func (t packedTower) blockAttention(k *keptAttention) tf.Output {
	width := t.headWidth()
	toPrefix := t.product(k.own.q, k.prefix.k, transposed)
	toOwn := t.add(t.product(t.byBlock(k.own.q, width), t.byBlock(k.own.k, width), transposed), t.mask)
	k.mixed = op.Softmax(t.at("softmax"), t.mix(toPrefix, toOwn))
	ofPrefix, ofOwn := t.unmix(k.mixed)
	own := t.product(ofOwn, t.byBlock(k.own.v, width), plain)
	return t.add(t.product(ofPrefix, k.prefix.v, plain), t.bySeed(t.byRow(own, t.own, width)))
}

// mix joins what the blocks' rows have for each row of their prefix,
// [heads, S, G*B, P], and of their block, [heads, S*G, B, B]: [heads, S*G*B, P+B].
func (t packedTower) mix(ofPrefix, ofOwn tf.Output) tf.Output {
	rest := t.constant(int32(-1))
	parts := []tf.Output{t.byRow(ofPrefix, t.own, rest), t.byRow(ofOwn, t.own, t.rows)}
	return op.ConcatV2(t.at("mix"), parts, t.constant(int32(2)))
}

// unmix undoes mix.
func (t packedTower) unmix(x tf.Output) (ofPrefix, ofOwn tf.Output) {
	zero, count := t.constant(int32(0)), t.constant(int32(t.Text.Heads))
	prefix := op.Sub(t.at("prefix"), t.size(x, 2), t.rows)
	ofPrefix = op.Slice(t.at("part"), x, t.constant([]int32{0, 0, 0}), t.stack(count, t.own, prefix))
	ofOwn = op.Slice(t.at("part"), x, t.stack(zero, zero, prefix), t.stack(count, t.own, t.rows))
	return t.bySeed(ofPrefix), t.byBlock(ofOwn, t.rows)
}

// product is a matrix product of the last two dimensions, the second factor
// transposed or not.
func (t packedTower) product(x, y tf.Output, second factor) tf.Output {
	return op.BatchMatMulV2(t.at("product"), x, y, op.BatchMatMulV2AdjY(second == transposed))
}

type factor bool

const (
	plain      factor = false
	transposed factor = true
)
