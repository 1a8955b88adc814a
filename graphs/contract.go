package graphs

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	saved "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"

	"github.com/upl-host/upl-host/graphs/savedmodel"
)

// The signatures of the model contract.
const (
	SignatureEncodeImage      = "encode_image"
	SignatureEncodeImageBytes = "encode_image_bytes" // optional
	SignatureEncodeText       = "encode_text"
	SignatureEncodePrompt     = "encode_prompt"   // optional: without it there is no prompt learning
	SignaturePromptGradient   = "prompt_gradient" // optional, likewise
	SignatureSimilarity       = "similarity"      // optional
)

// ErrContract marks a model whose signatures break the model contract or
// disagree with its upl.json.
var ErrContract = errors.New("the model breaks the contract")

// ErrNoGradient is returned where a model without prompt_gradient is asked for
// gradients: everything but prompt learning works with it.
var ErrNoGradient = errors.New("the model has no signature prompt_gradient: prompts cannot be learnt with it")

// any size; in a signature, one that is left free.
const free = -1

// Tensor describes one tensor of a signature.
type Tensor struct {
	Name  string `json:"name"`  // of the graph's tensor, as operation:output
	Type  string `json:"type"`  // float32, int32, string, …
	Shape []int  `json:"shape"` // -1: free
	// AnyRank says that the number of dimensions is unknown; Shape is then empty.
	AnyRank bool `json:"any_rank,omitempty"`
}

// Signature is one entry point of a model.
type Signature struct {
	Inputs  map[string]Tensor `json:"inputs"`
	Outputs map[string]Tensor `json:"outputs"`
}

// Signatures reads the signatures of a model's folder without loading the
// model; it needs no TensorFlow.
func Signatures(dir string) (map[string]Signature, error) {
	meta, err := savedmodel.Read(dir)
	if err != nil {
		return nil, err
	}
	signatures := make(map[string]Signature)
	for name, def := range meta.GetSignatureDef() {
		if strings.HasPrefix(name, "__") {
			continue // TensorFlow's own: __saved_model_init_op and its like
		}
		signatures[name] = Signature{Inputs: tensorsOf(def.GetInputs()), Outputs: tensorsOf(def.GetOutputs())}
	}
	return signatures, nil
}

func tensorsOf(infos map[string]*saved.TensorInfo) map[string]Tensor {
	tensors := make(map[string]Tensor, len(infos))
	for name, info := range infos {
		t := Tensor{Name: info.GetName(), Type: typeName(info.GetDtype()), AnyRank: info.GetTensorShape().GetUnknownRank()}
		for _, d := range info.GetTensorShape().GetDim() {
			t.Shape = append(t.Shape, int(d.GetSize()))
		}
		tensors[name] = t
	}
	return tensors
}

func typeName(t typespb.DataType) string {
	switch t {
	case typespb.DataType_DT_FLOAT:
		return "float32"
	case typespb.DataType_DT_DOUBLE:
		return "float64"
	}
	return strings.ToLower(strings.TrimPrefix(t.String(), "DT_"))
}

// promise is what the contract says of a signature's tensor.
type promise struct {
	kind  string
	shape []int
}

// promises are the contract, for the widths that a configuration gives.
func promises(c Config, has func(string) bool) map[string]struct{ in, out map[string]promise } {
	type tensors = map[string]promise
	size, width := c.ImageSize, c.EmbeddingWidth
	textWidth := width
	if has(SignatureSimilarity) {
		textWidth = free // of all tokens' features, flattened: not those of a picture
	}
	features := func(width int) promise { return promise{"float32", []int{free, width}} }
	tokens := promise{"int32", []int{free, free}}
	context := promise{"float32", []int{free, c.TextWidth}}
	return map[string]struct{ in, out map[string]promise }{
		SignatureEncodeImage: {
			tensors{"pixels": {"float32", []int{free, size, size, 3}}},
			tensors{"features": features(width)},
		},
		SignatureEncodeImageBytes: {tensors{"bytes": {"string", []int{free}}}, tensors{"features": features(width)}},
		SignatureEncodeText:       {tensors{"tokens": tokens}, tensors{"features": features(textWidth)}},
		SignatureEncodePrompt:     {tensors{"context": context, "tokens": tokens}, tensors{"features": features(textWidth)}},
		SignaturePromptGradient: {
			tensors{
				"context": context, "tokens": tokens, "features": features(width),
				"targets": {"float32", []int{free, free}}, "scale": {"float32", []int{}},
			},
			tensors{
				"loss": {"float32", []int{}}, "gradient": context, "logits": {"float32", []int{free, free}},
			},
		},
		SignatureSimilarity: {
			tensors{"features": features(width), "class_features": features(free)},
			tensors{"logits": {"float32", []int{free, free}}},
		},
	}
}

// CheckContract reports every way in which signatures break the contract or
// disagree with the configuration. The errors are ErrContract.
func CheckContract(c Config, signatures map[string]Signature) error {
	has := func(name string) bool { _, ok := signatures[name]; return ok }
	var faults []string
	contract := promises(c, has)
	for _, name := range sortedKeys(contract) {
		signature, ok := signatures[name]
		if !ok {
			if name == SignatureEncodeImage || name == SignatureEncodeText {
				faults = append(faults, fmt.Sprintf("there is no signature %s (there are: %s)", name, strings.Join(sortedKeys(signatures), ", ")))
			}
			continue
		}
		faults = append(faults, compare(name, "input", contract[name].in, signature.Inputs)...)
		faults = append(faults, compare(name, "output", contract[name].out, signature.Outputs)...)
		for _, input := range sortedKeys(signature.Inputs) {
			if _, known := contract[name].in[input]; !known {
				faults = append(faults, fmt.Sprintf("%s: input %s is not in the contract, and nothing would feed it", name, input))
			}
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("%w:\n  %s", ErrContract, strings.Join(faults, "\n  "))
}

func compare(signature, side string, want map[string]promise, got map[string]Tensor) []string {
	var faults []string
	for _, name := range sortedKeys(want) {
		w := want[name]
		t, ok := got[name]
		switch {
		case !ok:
			faults = append(faults, fmt.Sprintf("%s: there is no %s %s (there are: %s)", signature, side, name, strings.Join(sortedKeys(got), ", ")))
		case t.Type != w.kind:
			faults = append(faults, fmt.Sprintf("%s: %s %s is %s, want %s", signature, side, name, t.Type, w.kind))
		case !t.AnyRank && !compatible(t.Shape, w.shape):
			faults = append(faults, fmt.Sprintf("%s: %s %s has shape %s, upl.json and the contract say %s",
				signature, side, name, shapeText(t.Shape), shapeText(w.shape)))
		}
	}
	return faults
}

func compatible(got, want []int) bool {
	return slices.EqualFunc(got, want, func(g, w int) bool { return g == w || g == free || w == free })
}

func shapeText(shape []int) string {
	parts := make([]string, len(shape))
	for i, d := range shape {
		parts[i] = "?"
		if d != free {
			parts[i] = fmt.Sprint(d)
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
