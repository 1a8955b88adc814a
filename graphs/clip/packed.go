//go:build tensorflow

package clip

import (
	"fmt"

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
// open_clip's name for it.
//
// S contexts (seeds) are computed side by side, each with its own prefix of P
// rows and its own blocks: the rows are S prefixes and then S times G blocks.
//
//	in   context [S, L, W], ids [R], positions [R], owners [S*G, B], ends [S*C],
//	     features [S, N, D], targets [S, N, C], sets [S, N], scale
//	out  class_features [S, C, D], L2-normalised; loss [S], logits [S, N, C];
//	     upstream [S, C, D], dloss/dclass_features; gradient [S, L, W]
//
// An id of -k stands for row k-1 of the context, flattened to [S*L, W].
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
	width, embedding := int64(g.Text.Width), int64(g.EmbeddingWidth)
	in := tensors{
		"context":   g.placeholder("context", tf.Float, -1, -1, width),
		"ids":       g.placeholder("ids", tf.Int32, -1),
		"positions": g.placeholder("positions", tf.Int32, -1),
		"owners":    g.placeholder("owners", tf.Int32, -1, -1),
		"ends":      g.placeholder("ends", tf.Int32, -1),
		"features":  g.placeholder("features", tf.Float, -1, -1, embedding),
		"targets":   g.placeholder("targets", tf.Float, -1, -1, -1),
		"sets":      g.placeholder("sets", tf.Float, -1, -1),
		"scale":     g.placeholder("scale", tf.Float),
	}
	t := packedTower{graph: g, packing: g.packing(in)}
	rows, kept := t.forward(in)
	features := g.project(g.layerNorm(rows, "ln_final"), "text_projection")
	classes := g.result("class_features", g.perSeed(g.normalised(features), t.seeds))
	loss, logits := g.batchedCrossEntropy(classes, in)
	out := tensors{"class_features": classes, "loss": g.result("loss", loss), "logits": g.result("logits", logits)}
	// In two steps, so that the tensor between them can be fed.
	through, ok := g.derivative("of_loss", loss, classes)
	if !ok {
		return savedmodel.Signature{} // the scope keeps the error
	}
	out["upstream"] = g.result("upstream", through)
	gradient, ok := g.derivative("of_features", classes, rows, out["upstream"])
	if !ok {
		return savedmodel.Signature{}
	}
	gradient = t.backward(in, kept, rows, gradient)
	out["gradient"] = g.result("gradient", op.Reshape(g.at("gradients"), gradient, op.Shape(g.at("shape"), in["context"])))
	in["class_features"], in["upstream"] = classes, out["upstream"]
	return savedmodel.Signature{Inputs: in, Outputs: out}
}

// derivative is TensorFlow's own gradient of y with respect to x, times upstream.
func (g *graph) derivative(name string, y, x tf.Output, upstream ...tf.Output) (tf.Output, bool) {
	found := op.Gradients(g.at(name), []tf.Output{y}, []tf.Output{x}, upstream...)
	if len(found) != 1 {
		return tf.Output{}, false
	}
	return found[0], true
}

// perSeed splits the rows of x [S*n, width] by seed: [S, n, width].
func (g *graph) perSeed(x, seeds tf.Output) tf.Output {
	rest := g.constant(int32(-1))
	return op.Reshape(g.at("per_seed"), x, g.stack(seeds, rest, g.size(x, 1)))
}

// batchedCrossEntropy is crossEntropy seed by seed: loss [S], logits [S, N, C].
//
// Where sets is 1 a row's targets are those of a candidate set S, weight w: w/|S| in
// its classes. Its loss is -w log sum_S p, the classifier-consistent one of
// partial labels (Feng et al. 2020, arXiv 2007.08929). With r the log softmax over
// the classes of S alone, log p_c - r_c is log sum_S p for each c of S: so the
// loss is -sum_c targets (log p - r), which neither overflows nor vanishes.
func (g *graph) batchedCrossEntropy(classes tf.Output, in tensors) (loss, logits tf.Output) {
	products := op.BatchMatMulV2(g.at("products"), in["features"], classes, op.BatchMatMulV2AdjY(true))
	logits = g.mul(products, in["scale"])
	// TensorFlow's gradient of LogSoftmax is that of a matrix, whatever it gets.
	matrix := g.stack(g.constant(int32(-1)), g.size(logits, 2))
	rows := op.Reshape(g.at("matrix"), logits, matrix)
	targets := op.Reshape(g.at("targets"), in["targets"], matrix)
	sets := g.reshape(in["sets"], -1, 1)
	outside := op.Cast(g.at("cast"), op.LessEqual(g.at("outside"), targets, g.constant(float32(0))), tf.Float)
	inside := g.add(rows, g.scaled(g.mul(outside, sets), masked))
	likelihood := op.LogSoftmax(g.at("log_softmax"), rows)
	within := g.mul(op.LogSoftmax(g.at("log_softmax_of_sets"), inside), sets)
	each := op.Sum(g.at("sum"), g.mul(targets, op.Sub(g.at("sub"), likelihood, within)), g.constant([]int32{1}))
	each = op.Reshape(g.at("per_seed"), each, op.Shape(g.at("shape"), in["sets"]))
	return op.Neg(g.at("neg"), op.Mean(g.at("mean"), each, g.constant([]int32{1}))), logits
}

// packing is what the layers need to know of a layout.
type packing struct {
	seeds    tf.Output // S, scalar int32
	prefixes tf.Output // S*P
	blocks   tf.Output // S*G
	rows     tf.Output // B
	own      tf.Output // S*G*B
	lasts    tf.Output // rows of the end tokens, [S*C]
	causal   tf.Output // added to a prefix's scores, [P, P]
	mask     tf.Output // added to the blocks' scores, [S*G, B, B]
}

func (g *graph) packing(in tensors) packing {
	g = g.in("packing")
	owners := in["owners"]
	p := packing{seeds: g.size(in["context"], 0), blocks: g.size(owners, 0), rows: g.size(owners, 1), lasts: in["ends"]}
	p.own = g.mul(p.blocks, p.rows)
	p.prefixes = op.Sub(g.at("prefixes"), g.size(in["ids"], 0), p.own)
	p.causal = g.causalMask(op.Div(g.at("prefix"), p.prefixes, p.seeds))
	row := op.ExpandDims(g.at("row"), owners, g.constant(int32(2)))
	column := op.ExpandDims(g.at("column"), owners, g.constant(int32(1)))
	// The incompatible shapes of NotEqual would be a result, not an error.
	foreign := op.NotEqual(g.at("foreign"), row, column, op.NotEqualIncompatibleShapeError(true))
	p.mask = g.add(g.scaled(op.Cast(g.at("cast"), foreign, tf.Float), masked), g.causalMask(p.rows))
	return p
}
