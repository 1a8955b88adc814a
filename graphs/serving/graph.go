package serving

import (
	"fmt"
	"strings"

	functionpb "github.com/wamuir/graft/tensorflow/core/framework/function_go_proto"
	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	tensorpb "github.com/wamuir/graft/tensorflow/core/framework/tensor_go_proto"
	shapepb "github.com/wamuir/graft/tensorflow/core/framework/tensor_shape_go_proto"
	saved "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/savedmodel"
)

// The signatures of a served classifier and their tensors. All outputs of the
// first have a row a picture: TensorFlow Serving's REST interface answers
// instances with nothing else, so that the class names have a signature of their own.
const (
	SignatureServing = "serving_default"
	InputBytes       = "image_bytes" // string [N]: encoded pictures
	OutputScores     = "probabilities"
	OutputClass      = "class" // string [N]: the most probable
	SignatureClasses = "class_names"
	OutputNames      = "classes" // string [C], in the order of the probabilities
)

const (
	predictMethod   = "tensorflow/serving/predict"
	initSignature   = "__saved_model_init_op" // of tables and their like; TensorFlow runs it while it loads
	pixelsInput     = "pixels"                // of encode_image
	featuresOutput  = "features"
	identity        = "Identity"
	placeholder     = "Placeholder"
	wantedNamespace = "classifier"
)

// classify returns the meta graph of the classifier: what of the model's graph
// encode_image needs, with pictures decoded in front of it and classes behind.
func classify(model *saved.MetaGraphDef, config graphs.Config, c Classifier) (*saved.MetaGraphDef, error) {
	functions, err := pictureFunctions(config)
	if err != nil {
		return nil, err
	}
	graph := model.GetGraphDef()
	encode := model.GetSignatureDef()[graphs.SignatureEncodeImage]
	added := &nodes{prefix: namespace(graph) + "/"}
	files := added.named(InputBytes, placeholder, "output", text, attributes{"dtype": text, "shape": shape(free)})
	pixels := added.normalised(added.squares(files, functions[len(functions)-1], config.ImageSize), config)
	original, err := replaced(graph, encode.GetInputs()[pixelsInput].GetName(), pixels)
	if err != nil {
		return nil, err
	}
	scores, class, names := added.classes(tensor{encode.GetOutputs()[featuresOutput].GetName(), float}, c)
	kept, err := collections(model.GetCollectionDef())
	if err != nil {
		return nil, err
	}
	meta := &saved.MetaGraphDef{
		MetaInfoDef: withTag(model.GetMetaInfoDef()),
		SaverDef:    model.GetSaverDef(),
		GraphDef: &graphpb.GraphDef{
			Node:     append(original, added.defs...),
			Versions: graph.GetVersions(),
			Library:  &functionpb.FunctionDefLibrary{Function: append(functions, graph.GetLibrary().GetFunction()...)},
		},
		SignatureDef: map[string]*saved.SignatureDef{
			SignatureServing: signature(infos{InputBytes: info(files, free)}, infos{
				OutputScores: info(scores, free, len(c.ClassNames)), OutputClass: info(class, free),
			}),
			SignatureClasses: signature(nil, infos{OutputNames: info(names, len(c.ClassNames))}),
		},
		AssetFileDef:  model.GetAssetFileDef(),
		CollectionDef: kept,
		// No ObjectGraphDef: it describes Python's objects, whose functions would
		// be loaded instead of the signatures here.
	}
	if init, ok := model.GetSignatureDef()[initSignature]; ok {
		meta.SignatureDef[initSignature] = init
	}
	prune(meta)
	return meta, nil
}

// squares maps a function over the files [N]: uint8 [N, S, S, 3]. Pictures of
// different sizes are decoded side by side.
func (n *nodes) squares(files tensor, f *functionpb.FunctionDef, size int) tensor {
	return n.op("MapDefun", "output", uint8s, attributes{
		"Targuments": []kind{text}, "output_types": []kind{uint8s},
		"output_shapes": []*shapepb.TensorShapeProto{shape(size, size, 3)},
		"f":             functionName(f.GetSignature().GetName()),
	}, files)
}

// normalised turns squares uint8 [N, S, S, 3] into pixels, float32.
func (n *nodes) normalised(squares tensor, c graphs.Config) tensor {
	level := n.binary("RealDiv", n.cast(squares, float), n.constant(scalar[float32](255)))
	centred := n.binary("Sub", level, n.constant(vector(c.Mean[:]...)))
	return n.binary("RealDiv", centred, n.constant(vector(c.Std[:]...)))
}

// classes compares features [N, D] with those of the classes.
func (n *nodes) classes(features tensor, c Classifier) (scores, class, names tensor) {
	names = n.named(OutputNames, "Const", "output", text, attributes{"dtype": text, "value": vector(c.ClassNames...)})
	weights := n.constant(matrix(c.ClassFeatures))
	products := n.op("MatMul", "product", float, attributes{"T": float, "transpose_b": true}, features, weights)
	logits := n.binary("Mul", products, n.constant(scalar(c.LogitScale)))
	scores = n.named(OutputScores, "Softmax", "softmax", float, attributes{"T": float}, logits)
	axis := n.constant(scalar(int32(1)))
	best := n.op("ArgMax", "output", int64s, attributes{"T": float, "Tidx": int32s, "output_type": int64s}, scores, axis)
	class = n.gather(names, best)
	return scores, class, names
}

func matrix(m array.Matrix) *tensorpb.TensorProto {
	return &tensorpb.TensorProto{Dtype: float, TensorShape: shape(m.Rows, m.Cols), TensorContent: array.Bytes(m.Data)}
}

// replaced returns the model's nodes, with the placeholder of its pixels passing
// on others: whatever reads it then reads them.
func replaced(graph *graphpb.GraphDef, pixels string, by tensor) ([]*nodepb.NodeDef, error) {
	name, output, _ := strings.Cut(pixels, ":")
	if output != "" && output != "0" {
		return nil, fmt.Errorf("%w: encode_image takes its pixels as %s, which is no placeholder", graphs.ErrContract, pixels)
	}
	out := make([]*nodepb.NodeDef, 0, len(graph.GetNode()))
	found := false
	for _, node := range graph.GetNode() {
		if node.GetName() == name {
			if !strings.HasPrefix(node.GetOp(), placeholder) {
				return nil, fmt.Errorf("%w: encode_image takes its pixels as %s, which is no placeholder but %s", graphs.ErrContract, pixels, node.GetOp())
			}
			node = &nodepb.NodeDef{Name: name, Op: identity, Input: []string{by.ref}, Attr: attributes{"T": by.kind}.proto()}
			found = true
		}
		out = append(out, node)
	}
	if !found {
		return nil, fmt.Errorf("%w: encode_image takes its pixels as %s, which the graph does not have", savedmodel.ErrFormat, pixels)
	}
	return out, nil
}

// namespace returns a prefix that no name in the graph has.
func namespace(graph *graphpb.GraphDef) string {
	taken := make(map[string]bool)
	for _, node := range graph.GetNode() {
		first, _, _ := strings.Cut(node.GetName(), "/")
		taken[first] = true
	}
	name := wantedNamespace
	for i := 1; taken[name]; i++ {
		name = fmt.Sprintf("%s_%d", wantedNamespace, i)
	}
	return name
}

// withTag gives a meta graph the one tag by which it is loaded.
func withTag(info *saved.MetaGraphDef_MetaInfoDef) *saved.MetaGraphDef_MetaInfoDef {
	info = proto.CloneOf(info)
	info.Tags = []string{savedmodel.Tag}
	info.FunctionAliases = nil
	return info
}

type infos = map[string]*saved.TensorInfo

func signature(in, out infos) *saved.SignatureDef {
	return &saved.SignatureDef{Inputs: in, Outputs: out, MethodName: predictMethod} //nolint:staticcheck // servers before 2.4 look at it
}

func info(t tensor, dims ...int) *saved.TensorInfo {
	return &saved.TensorInfo{Encoding: &saved.TensorInfo_Name{Name: t.ref}, Dtype: t.kind, TensorShape: shape(dims...)}
}
