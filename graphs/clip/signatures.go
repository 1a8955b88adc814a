//go:build tensorflow

package clip

import (
	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"

	"github.com/upl-host/upl-host/graphs/savedmodel"
)

// Build makes a CLIP's graph with the signatures of the model contract:
// encode_image, encode_text, encode_prompt and prompt_gradient. Its variables
// take their values from w when the graph is written.
func Build(a Architecture, w Weights) (savedmodel.Model, error) {
	if err := a.Validate(); err != nil {
		return savedmodel.Model{}, err
	}
	g := newGraph(a)
	model := savedmodel.Model{
		Signatures: map[string]savedmodel.Signature{
			"encode_image":    g.in("encode_image").encodeImage(),
			"encode_text":     g.in("encode_text").encodeText(),
			"encode_prompt":   g.in("encode_prompt").encodePrompt(),
			"prompt_gradient": g.in("prompt_gradient").promptGradient(),
		},
	}
	if err := g.err(); err != nil {
		return savedmodel.Model{}, err
	}
	for _, v := range a.Variables() {
		model.Variables = append(model.Variables, savedmodel.Variable{
			Name: v.Name, Handle: g.handles[v.Name], Shape: v.Shape,
			Load: func() ([]float32, error) { return v.Load(w) },
		})
	}
	model.Scope = g.root
	return model, nil
}

type tensors = map[string]tf.Output

func (g *graph) encodeImage() savedmodel.Signature {
	size := int64(g.ImageSize)
	pixels := g.placeholder("pixels", tf.Float, -1, size, size, 3)
	features := g.result("features", g.normalised(g.image(pixels)))
	return savedmodel.Signature{Inputs: tensors{"pixels": pixels}, Outputs: tensors{"features": features}}
}

func (g *graph) encodeText() savedmodel.Signature {
	tokens := g.placeholder("tokens", tf.Int32, -1, -1)
	features := g.result("features", g.normalised(g.text(tokens, nil)))
	return savedmodel.Signature{Inputs: tensors{"tokens": tokens}, Outputs: tensors{"features": features}}
}

func (g *graph) encodePrompt() savedmodel.Signature {
	tokens := g.placeholder("tokens", tf.Int32, -1, -1)
	context := g.placeholder("context", tf.Float, -1, int64(g.Text.Width))
	features := g.result("features", g.normalised(g.text(tokens, &context)))
	return savedmodel.Signature{Inputs: tensors{"context": context, "tokens": tokens}, Outputs: tensors{"features": features}}
}

// promptGradient is the loss of eq. 4 and its gradient.
func (g *graph) promptGradient() savedmodel.Signature {
	embedding := int64(g.EmbeddingWidth)
	in := tensors{
		"context":  g.placeholder("context", tf.Float, -1, int64(g.Text.Width)),
		"tokens":   g.placeholder("tokens", tf.Int32, -1, -1),
		"features": g.placeholder("features", tf.Float, -1, embedding),
		"targets":  g.placeholder("targets", tf.Float, -1, -1),
		"scale":    g.placeholder("scale", tf.Float),
	}
	context := in["context"]
	classes := g.normalised(g.text(in["tokens"], &context))
	loss, logits := g.crossEntropy(classes, in)
	out := tensors{"loss": g.result("loss", loss), "logits": g.result("logits", logits)}
	if gradients := op.Gradients(g.scope, []tf.Output{loss}, []tf.Output{context}); len(gradients) == 1 {
		out["gradient"] = g.result("gradient", gradients[0])
	}
	return savedmodel.Signature{Inputs: in, Outputs: out}
}

// crossEntropy is eq. 4's loss, mean_b -sum_c targets log softmax(scale f g'),
// with the logits. SoftmaxCrossEntropyWithLogits would not do: its gradient
// takes each row of targets to sum to 1, which weighted rows do not.
func (g *graph) crossEntropy(classes tf.Output, in tensors) (loss, logits tf.Output) {
	products := op.MatMul(g.at("products"), in["features"], classes, op.MatMulTransposeB(true))
	logits = g.mul(products, in["scale"])
	likelihood := g.mul(in["targets"], op.LogSoftmax(g.at("log_softmax"), logits))
	each := op.Sum(g.at("sum"), likelihood, g.constant([]int32{1}))
	return op.Neg(g.at("neg"), op.Mean(g.at("mean"), each, g.constant([]int32{0}))), logits
}
