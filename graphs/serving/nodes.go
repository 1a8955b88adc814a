package serving

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	functionpb "github.com/wamuir/graft/tensorflow/core/framework/function_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	opdefpb "github.com/wamuir/graft/tensorflow/core/framework/op_def_go_proto"
	tensorpb "github.com/wamuir/graft/tensorflow/core/framework/tensor_go_proto"
	shapepb "github.com/wamuir/graft/tensorflow/core/framework/tensor_shape_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	"google.golang.org/protobuf/proto"
)

type kind = typespb.DataType

// The kinds of tensors here.
const (
	boolean = typespb.DataType_DT_BOOL
	uint8s  = typespb.DataType_DT_UINT8
	int32s  = typespb.DataType_DT_INT32
	int64s  = typespb.DataType_DT_INT64
	float   = typespb.DataType_DT_FLOAT
	double  = typespb.DataType_DT_DOUBLE
	text    = typespb.DataType_DT_STRING
)

// free is a dimension whose size is not known.
const free = -1

// tensor is a node's output, or an argument of a function.
type tensor struct {
	ref  string // as a node's inputs name it
	kind kind
}

// nodes are those of a graph, or of the body of a function.
type nodes struct {
	prefix string // of all names
	body   bool   // of a function, where a tensor is node:output:index
	defs   []*nodepb.NodeDef
}

// op adds a node. output is the name that TensorFlow's definition of the
// operation gives its one output; attributes that have a default may be left out.
func (n *nodes) op(op, output string, result kind, attributes attributes, inputs ...tensor) tensor {
	return n.named(strings.ToLower(op)+"_"+strconv.Itoa(len(n.defs)), op, output, result, attributes, inputs...)
}

func (n *nodes) named(name, op, output string, result kind, attributes attributes, inputs ...tensor) tensor {
	def := &nodepb.NodeDef{Name: n.prefix + name, Op: op, Attr: attributes.proto()}
	for _, input := range inputs {
		def.Input = append(def.Input, input.ref)
	}
	n.defs = append(n.defs, def)
	ref := def.Name + ":0"
	if n.body {
		ref = def.Name + ":" + output + ":0"
	}
	return tensor{ref: ref, kind: result}
}

func (n *nodes) constant(value *tensorpb.TensorProto) tensor {
	return n.op("Const", "output", value.Dtype, attributes{"dtype": value.Dtype, "value": value})
}

func (n *nodes) cast(x tensor, to kind) tensor {
	return n.op("Cast", "y", to, attributes{"SrcT": x.kind, "DstT": to}, x)
}

// unary adds an operation whose one output is y: Floor, Round, Neg.
func (n *nodes) unary(op string, x tensor) tensor {
	return n.op(op, "y", x.kind, attributes{"T": x.kind}, x)
}

// binary adds an operation whose one output is z: AddV2, Sub, Mul, RealDiv, Maximum.
func (n *nodes) binary(op string, x, y tensor) tensor {
	return n.op(op, "z", x.kind, attributes{"T": x.kind}, x, y)
}

// slice takes size elements of a vector.
func (n *nodes) slice(x tensor, from, size int32) tensor {
	return n.op("Slice", "output", x.kind, attributes{"T": x.kind, "Index": int32s},
		x, n.constant(vector(from)), n.constant(vector(size)))
}

func (n *nodes) concat(x, y tensor, axis int32) tensor {
	return n.op("ConcatV2", "output", x.kind, attributes{"N": 2, "T": x.kind, "Tidx": int32s}, x, y, n.constant(scalar(axis)))
}

func (n *nodes) reshape(x tensor, dims ...int32) tensor {
	return n.op("Reshape", "output", x.kind, attributes{"T": x.kind, "Tshape": int32s}, x, n.constant(vector(dims...)))
}

func (n *nodes) transpose(x, order tensor) tensor {
	return n.op("Transpose", "y", x.kind, attributes{"T": x.kind, "Tperm": order.kind}, x, order)
}

// gather takes the elements of a vector that the indices name.
func (n *nodes) gather(x, indices tensor) tensor {
	return n.op("GatherV2", "output", x.kind,
		attributes{"Tparams": x.kind, "Tindices": indices.kind, "Taxis": int32s}, x, indices, n.constant(scalar(int32(0))))
}

func (n *nodes) expand(x tensor, axis int32) tensor {
	return n.op("ExpandDims", "output", x.kind, attributes{"T": x.kind, "Tdim": int32s}, x, n.constant(scalar(axis)))
}

// function makes a function of one argument and one result of the nodes. Its
// name ends in a digest of what it does: one process may load several
// classifiers, and functions of one name must be the same function.
func (n *nodes) function(name string, argument, result tensor) (*functionpb.FunctionDef, error) {
	const output = "result"
	def := &functionpb.FunctionDef{
		Signature: &opdefpb.OpDef{
			InputArg:  []*opdefpb.OpDef_ArgDef{{Name: argument.ref, Type: argument.kind}},
			OutputArg: []*opdefpb.OpDef_ArgDef{{Name: output, Type: result.kind}},
		},
		NodeDef: n.defs,
		Ret:     map[string]string{output: result.ref},
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(def)
	if err != nil {
		return nil, fmt.Errorf("serialising the function %s: %w", name, err)
	}
	digest := sha256.Sum256(raw)
	def.Signature.Name = name + "_" + hex.EncodeToString(digest[:8])
	return def, nil
}

// functionName is an attribute that names a function.
type functionName string

// attributes of a node, in Go's types.
type attributes map[string]any

func (a attributes) proto() map[string]*attrpb.AttrValue {
	if len(a) == 0 {
		return nil
	}
	values := make(map[string]*attrpb.AttrValue, len(a))
	for name, value := range a {
		values[name] = attribute(value)
	}
	return values
}

func attribute(value any) *attrpb.AttrValue {
	switch v := value.(type) {
	case int:
		return &attrpb.AttrValue{Value: &attrpb.AttrValue_I{I: int64(v)}}
	case bool:
		return &attrpb.AttrValue{Value: &attrpb.AttrValue_B{B: v}}
	case string:
		return &attrpb.AttrValue{Value: &attrpb.AttrValue_S{S: []byte(v)}}
	case functionName:
		return &attrpb.AttrValue{Value: &attrpb.AttrValue_Func{Func: &attrpb.NameAttrList{Name: string(v)}}}
	case kind:
		return &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: v}}
	case *shapepb.TensorShapeProto:
		return &attrpb.AttrValue{Value: &attrpb.AttrValue_Shape{Shape: v}}
	case *tensorpb.TensorProto:
		return &attrpb.AttrValue{Value: &attrpb.AttrValue_Tensor{Tensor: v}}
	case []kind:
		return list(&attrpb.AttrValue_ListValue{Type: v})
	case []*shapepb.TensorShapeProto:
		return list(&attrpb.AttrValue_ListValue{Shape: v})
	case []functionName:
		functions := make([]*attrpb.NameAttrList, len(v))
		for i, name := range v {
			functions[i] = &attrpb.NameAttrList{Name: string(name)}
		}
		return list(&attrpb.AttrValue_ListValue{Func: functions})
	}
	panic(fmt.Sprintf("an attribute of type %T", value)) // unreachable: all are written in this package
}

func list(values *attrpb.AttrValue_ListValue) *attrpb.AttrValue {
	return &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: values}}
}

func shape(dims ...int) *shapepb.TensorShapeProto {
	s := new(shapepb.TensorShapeProto)
	for _, d := range dims {
		s.Dim = append(s.Dim, &shapepb.TensorShapeProto_Dim{Size: int64(d)})
	}
	return s
}

type element interface {
	int32 | float32 | float64 | string
}

func scalar[T element](value T) *tensorpb.TensorProto {
	t := vector(value)
	t.TensorShape = shape()
	return t
}

func vector[T element](values ...T) *tensorpb.TensorProto {
	t := &tensorpb.TensorProto{TensorShape: shape(len(values))}
	switch v := any(values).(type) {
	case []int32:
		t.Dtype, t.IntVal = int32s, v
	case []float32:
		t.Dtype, t.FloatVal = float, v
	case []float64:
		t.Dtype, t.DoubleVal = double, v
	case []string:
		t.Dtype = text
		for _, s := range v {
			t.StringVal = append(t.StringVal, []byte(s))
		}
	}
	return t
}
