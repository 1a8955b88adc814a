//go:build tensorflow

package savedmodel

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	tf "github.com/wamuir/graft/tensorflow"
	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	shapepb "github.com/wamuir/graft/tensorflow/core/framework/tensor_shape_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"
	saved "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"github.com/wamuir/graft/tensorflow/op"
	"google.golang.org/protobuf/proto"
)

// Model is what is written: a graph, its signatures and its variables.
type Model struct {
	// Scope is the root scope of the graph; writing adds the saver and finalizes it.
	Scope      *op.Scope
	Signatures map[string]Signature
	Variables  []Variable
	// Extra writes what goes into assets.extra; nil: nothing.
	Extra func(dir string) error
	// Overwrite replaces a SavedModel that is there already.
	Overwrite bool
	// ShardSize is about how many bytes of variables are held in memory at once,
	// and are in one of the folder's files; 0: 256 MB.
	ShardSize int
}

// Signature names the tensors of one entry point.
type Signature struct {
	Inputs, Outputs map[string]tf.Output
}

// Variable is a float32 resource variable and where its values come from.
type Variable struct {
	Name   string // also the shared name of the handle and the key in the bundle
	Handle tf.Output
	Shape  []int
	// Load returns the values, row-major. It is called once.
	Load func() ([]float32, error)
}

// predictMethod is the method name of signatures that TensorFlow Serving's Predict serves.
const predictMethod = "tensorflow/serving/predict"

// Write writes the folder, whole or not at all; equal models give equal bytes.
// It holds no more than a shard of the variables in memory (m.ShardSize, or the
// largest variable). Where dir exists the error is ErrExists, unless it is a
// SavedModel and m.Overwrite is set.
func Write(ctx context.Context, dir string, m Model) error {
	return Replace(dir, m.Overwrite, func(partial string) error { return fill(ctx, partial, m) })
}

// fill writes the folder's content.
func fill(ctx context.Context, dir string, m Model) error {
	var saver *saved.SaverDef
	if len(m.Variables) > 0 { // SaveV2 takes no empty list, and loaders need none
		saver = addSaver(m.Scope, m.Variables)
	}
	meta := &saved.MetaGraphDef{
		MetaInfoDef:  &saved.MetaGraphDef_MetaInfoDef{Tags: []string{Tag}, TensorflowVersion: tf.Version(), StrippedDefaultAttrs: false},
		SaverDef:     saver,
		SignatureDef: make(map[string]*saved.SignatureDef, len(m.Signatures)),
	}
	g, err := m.Scope.Finalize()
	if err != nil {
		return fmt.Errorf("adding the saver: %w", err)
	}
	if meta.CollectionDef, err = collections(m.Variables); err != nil {
		return err
	}
	if meta.GraphDef, err = definition(g); err != nil {
		return err
	}
	for name, s := range m.Signatures {
		meta.SignatureDef[name] = signatureDef(s)
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(&saved.SavedModel{
		SavedModelSchemaVersion: 1, MetaGraphs: []*saved.MetaGraphDef{meta},
	})
	if err != nil {
		return fmt.Errorf("serialising the graph: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, GraphFile), raw, 0o644); err != nil {
		return err
	}
	if len(m.Variables) > 0 {
		if err := writeBundle(ctx, filepath.Join(dir, variableFolder), m); err != nil {
			return fmt.Errorf("writing the variables: %w", err)
		}
	}
	if m.Extra == nil {
		return nil
	}
	extra := filepath.Join(dir, ExtraFolder)
	if err := os.Mkdir(extra, 0o755); err != nil {
		return err
	}
	return m.Extra(extra)
}

// definition returns the graph's proto.
func definition(g *tf.Graph) (*graphpb.GraphDef, error) {
	var raw bytes.Buffer
	if _, err := g.WriteTo(&raw); err != nil {
		return nil, fmt.Errorf("serialising the graph: %w", err)
	}
	def := new(graphpb.GraphDef)
	if err := proto.Unmarshal(raw.Bytes(), def); err != nil {
		return nil, fmt.Errorf("serialising the graph: %w", err)
	}
	return def, nil
}

func signatureDef(s Signature) *saved.SignatureDef {
	return &saved.SignatureDef{
		Inputs: tensorInfos(s.Inputs), Outputs: tensorInfos(s.Outputs),
		MethodName: predictMethod, //nolint:staticcheck // deprecated, but TensorFlow Serving before 2.4 asks for it
	}
}

func tensorInfos(outputs map[string]tf.Output) map[string]*saved.TensorInfo {
	infos := make(map[string]*saved.TensorInfo, len(outputs))
	for name, output := range outputs {
		infos[name] = &saved.TensorInfo{
			Encoding:    &saved.TensorInfo_Name{Name: tensorName(output)},
			Dtype:       typespb.DataType(output.DataType()),
			TensorShape: shapeProto(output.Shape()),
		}
	}
	return infos
}

func tensorName(o tf.Output) string { return fmt.Sprintf("%s:%d", o.Op.Name(), o.Index) }

func shapeProto(s tf.Shape) *shapepb.TensorShapeProto {
	n := s.NumDimensions()
	if n < 0 {
		return &shapepb.TensorShapeProto{UnknownRank: true}
	}
	p := new(shapepb.TensorShapeProto)
	for i := range n {
		p.Dim = append(p.Dim, &shapepb.TensorShapeProto_Dim{Size: s.Size(i)})
	}
	return p
}
