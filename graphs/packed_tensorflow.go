//go:build tensorflow

package graphs

import (
	"fmt"

	tf "github.com/wamuir/graft/tensorflow"

	"github.com/upl-host/upl-host/graphs/clip"
)

// packedPrefix is the name prefix of what packed adds to a model's graph.
const packedPrefix = "upl_host_packed_prompts"

// packed implements session. TensorFlow's session takes up what was added with
// its next run, and shares its variables with what was there.
func (s *tensorflowSession) packed(c Config) (Signature, error) {
	s.packing.Lock()
	defer s.packing.Unlock()
	if s.packedOps != nil {
		return *s.packedOps, nil
	}
	t := c.TextTower
	tower := clip.TextTower{
		Text: clip.Text{
			ContextLength: c.ContextLength, Vocabulary: t.Vocabulary,
			Width: c.TextWidth, Layers: t.Layers, Heads: t.Heads, MLPWidth: t.MLPWidth,
		},
		EmbeddingWidth: c.EmbeddingWidth, QuickGELU: t.QuickGELU, LayerNormEpsilon: t.LayerNormEpsilon,
	}
	added, err := clip.AddPacked(s.model.Graph, packedPrefix, tower, func(name string) (tf.Output, error) {
		return s.variable(t.Variables[name])
	})
	if err != nil {
		return Signature{}, err
	}
	ops := Signature{Inputs: tensorNames(added.Inputs), Outputs: tensorNames(added.Outputs)}
	s.packedOps = &ops
	return ops, nil
}

// variable finds the handle of a variable.
func (s *tensorflowSession) variable(name string) (tf.Output, error) {
	found := s.model.Graph.Operation(name)
	if found == nil || found.Type() != "VarHandleOp" {
		return tf.Output{}, fmt.Errorf("%w: the graph has no VarHandleOp %q, which text_tower.variables names", ErrContract, name)
	}
	return found.Output(0), nil
}

func tensorNames(outputs map[string]tf.Output) map[string]Tensor {
	names := make(map[string]Tensor, len(outputs))
	for name, o := range outputs {
		names[name] = Tensor{Name: fmt.Sprintf("%s:%d", o.Op.Name(), o.Index)}
	}
	return names
}
