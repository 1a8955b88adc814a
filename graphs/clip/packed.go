//go:build tensorflow

package clip

import (
	"fmt"
	"math"

	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"

	"github.com/upl-host/upl-host/graphs/savedmodel"
)

// TextTower is what the graph of a text tower is built from.
type TextTower struct {
	Text
	EmbeddingWidth   int // D
	QuickGELU        bool
	LayerNormEpsilon float32
}

// AddPacked adds to a model's graph, under a name prefix that is not there yet,
// the text tower over packed prompts (see package prompt), its loss and its
// gradient. It adds no weights: handle returns the variable of each by
// open_clip's name for it. P are the rows of the prefix, R those of prefix and blocks.
//
//	in   context [L, W], ids [R], positions [R], owners [G, B], ends [C],
//	     features [N, D], targets [N, C], scale
//	out  class_features [C, D], L2-normalised; loss, logits [N, C];
//	     upstream [C, D], dloss/dclass_features; gradient [L, W]
//
// class_features and upstream may be fed as well, so that classes can be
// computed in parts: the features of each, the loss from all of them, and then
// the part of the gradient that comes through each.
func AddPacked(model *tf.Graph, prefix string, t TextTower, handle func(name string) (tf.Output, error)) (savedmodel.Signature, error) {
	a := Architecture{Text: t.Text, EmbeddingWidth: t.EmbeddingWidth, QuickGELU: t.QuickGELU, LayerNormEpsilon: t.LayerNormEpsilon}
	root := op.NewScopeWithGraph(model)
	g := &graph{Architecture: a, root: root, scope: root.SubScope(prefix), handles: make(map[string]tf.Output)}
	for _, w := range a.TextTensors() {
		var err error
		if g.handles[w.Name], err = handle(w.Name); err != nil {
			return savedmodel.Signature{}, fmt.Errorf("weight %s: %w", w.Name, err)
		}
	}
	signature := g.packedGradient()
	return signature, g.err()
}

func (g *graph) packedGradient() savedmodel.Signature {
	in := tensors{
		"context":   g.placeholder("context", tf.Float, -1, int64(g.Text.Width)),
		"ids":       g.placeholder("ids", tf.Int32, -1),
		"positions": g.placeholder("positions", tf.Int32, -1),
		"owners":    g.placeholder("owners", tf.Int32, -1, -1),
		"ends":      g.placeholder("ends", tf.Int32, -1),
		"features":  g.placeholder("features", tf.Float, -1, int64(g.EmbeddingWidth)),
		"targets":   g.placeholder("targets", tf.Float, -1, -1),
		"scale":     g.placeholder("scale", tf.Float),
	}
	classes := g.result("class_features", g.normalised(g.packedText(in)))
	loss, logits := g.crossEntropy(classes, in)
	out := tensors{"class_features": classes, "loss": g.result("loss", loss), "logits": g.result("logits", logits)}
	// In two steps, so that the tensor between them can be fed.
	through := op.Gradients(g.at("of_loss"), []tf.Output{loss}, []tf.Output{classes})
	if len(through) != 1 {
		return savedmodel.Signature{} // the scope keeps the error
	}
	out["upstream"] = g.result("upstream", through[0])
	gradients := op.Gradients(g.at("of_features"), []tf.Output{classes}, []tf.Output{in["context"]}, out["upstream"])
	if len(gradients) != 1 {
		return savedmodel.Signature{}
	}
	out["gradient"] = g.result("gradient", gradients[0])
	in["class_features"], in["upstream"] = classes, out["upstream"]
	return savedmodel.Signature{Inputs: in, Outputs: out}
}

// packing is what the layers need to know of a layout.
type packing struct {
	prefix tf.Output // P, scalar int32
	blocks tf.Output // G
	rows   tf.Output // B
	own    tf.Output // G*B
	ends   tf.Output // [C]
	causal tf.Output // added to the prefix's scores, [P, P]
	mask   tf.Output // added to the blocks' scores, [G, B, B]
}

// packedText is the text tower over packed prompts: [C, D], not normalised.
func (g *graph) packedText(in tensors) tf.Output {
	p := g.packing(in)
	context := in["context"]
	x := g.add(g.embedding(in["ids"], &context), g.gather(g.read("positional_embedding"), in["positions"]))
	for i := range g.Text.Layers {
		name := fmt.Sprintf("transformer.resblocks.%d.", i)
		x = g.in(fmt.Sprint("block", i)).packedBlock(name, x, p, i == g.Text.Layers-1)
	}
	return g.project(g.layerNorm(x, "ln_final"), "text_projection")
}

func (g *graph) packing(in tensors) packing {
	g = g.in("packing")
	owners := in["owners"]
	p := packing{blocks: g.size(owners, 0), rows: g.size(owners, 1), ends: in["ends"]}
	p.own = g.mul(p.blocks, p.rows)
	p.prefix = op.Sub(g.at("prefix"), g.size(in["ids"], 0), p.own)
	p.causal = g.causalMask(p.prefix)
	row := op.ExpandDims(g.at("row"), owners, g.constant(int32(2)))
	column := op.ExpandDims(g.at("column"), owners, g.constant(int32(1)))
	// The incompatible shapes of NotEqual would be a result, not an error.
	foreign := op.NotEqual(g.at("foreign"), row, column, op.NotEqualIncompatibleShapeError(true))
	p.mask = g.add(g.scaled(op.Cast(g.at("cast"), foreign, tf.Float), masked), g.causalMask(p.rows))
	return p
}

// packedBlock is one residual block over the rows of prefix and blocks. Behind
// the last attention only the end tokens go on.
func (g *graph) packedBlock(name string, x tf.Output, p packing, last bool) tf.Output {
	attended := g.in("attention").packedAttention(name+"attn.", g.layerNorm(x, name+"ln_1"), p, last)
	if last {
		ends := g.add(p.prefix, p.ends)
		x, attended = g.gather(x, ends), g.gather(attended, p.ends)
	}
	x = g.add(x, g.linear(attended, name+"attn.out_proj.weight", name+"attn.out_proj.bias"))
	return g.mlp(name, x)
}

// heads are queries, keys and values, each [heads, rows, W/heads].
type heads struct{ q, k, v tf.Output }

// packedAttention returns the heads' values, concatenated, before the output
// projection: of all rows, [R, W]; in the last block of the blocks' rows alone, [G*B, W].
func (g *graph) packedAttention(name string, x tf.Output, p packing, last bool) tf.Output {
	width := g.Text.Width
	qkv := g.linear(x, name+"in_proj_weight", name+"in_proj_bias")
	prefix := g.in("prefix").heads(qkv, g.constant(int32(0)), p.prefix)
	own := g.in("own").heads(qkv, p.prefix, p.own)
	values := g.merge(g.in("own").blockAttention(own, prefix, p))
	if last {
		return values
	}
	shared := g.in("prefix").attention(prefix.q, prefix.k, prefix.v, width/g.Text.Heads, p.causal)
	return op.ConcatV2(g.at("rows"), []tf.Output{g.merge(shared), values}, g.constant(int32(0)))
}

// heads splits some rows of qkv [R, 3W].
func (g *graph) heads(qkv, from, rows tf.Output) heads {
	count, width := int32(g.Text.Heads), int32(g.Text.Width)
	begin, size := g.stack(from, g.constant(int32(0))), g.stack(rows, g.constant(3*width))
	some := op.Slice(g.at("slice"), qkv, begin, size)
	parts := op.Unpack(g.at("unpack"), g.transpose(g.reshape(some, -1, 3, count, width/count), 1, 2, 0, 3), 3)
	if len(parts) != 3 {
		return heads{} // the scope keeps the error
	}
	return heads{parts[0], parts[1], parts[2]}
}

// merge lays heads [heads, rows, W/heads] side by side, [rows, W].
func (g *graph) merge(values tf.Output) tf.Output {
	return g.reshape(g.transpose(values, 1, 0, 2), -1, int32(g.Text.Width))
}

// blockAttention is the attention of the blocks' rows to the prefix, and to what
// their own prompt has before them: [heads, G*B, W/heads].
func (g *graph) blockAttention(own, prefix heads, p packing) tf.Output {
	count, width := g.constant(int32(g.Text.Heads)), g.Text.Width/g.Text.Heads
	headWidth := g.constant(int32(width))
	inBlocks := func(x, columns tf.Output) tf.Output {
		return op.Reshape(g.at("blocks"), x, g.stack(count, p.blocks, p.rows, columns))
	}
	inRows := func(x, columns tf.Output) tf.Output {
		return op.Reshape(g.at("rows"), x, g.stack(count, p.own, columns))
	}
	q := g.scaled(own.q, float32(1/math.Sqrt(float64(width))))
	toPrefix := op.BatchMatMulV2(g.at("scores"), q, prefix.k, op.BatchMatMulV2AdjY(true))
	toOwn := op.BatchMatMulV2(g.at("scores"), inBlocks(q, headWidth), inBlocks(own.k, headWidth), op.BatchMatMulV2AdjY(true))
	scores := op.ConcatV2(g.at("keys"), []tf.Output{toPrefix, inRows(g.add(toOwn, p.mask), p.rows)}, g.constant(int32(2)))
	weights := op.Softmax(g.at("softmax"), scores)
	part := func(from, columns tf.Output) tf.Output {
		zero := g.constant(int32(0))
		return op.Slice(g.at("part"), weights, g.stack(zero, zero, from), g.stack(count, p.own, columns))
	}
	ofPrefix := op.BatchMatMulV2(g.at("values"), part(g.constant(int32(0)), p.prefix), prefix.v)
	ofOwn := op.BatchMatMulV2(g.at("values"), inBlocks(part(p.prefix, p.rows), p.rows), inBlocks(own.v, headWidth))
	return g.add(ofPrefix, inRows(ofOwn, headWidth))
}
