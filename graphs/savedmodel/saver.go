//go:build tensorflow

package savedmodel

import (
	"fmt"

	tf "github.com/wamuir/graft/tensorflow"
	variablepb "github.com/wamuir/graft/tensorflow/core/framework/variable_go_proto"
	saved "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"github.com/wamuir/graft/tensorflow/op"
	"google.golang.org/protobuf/proto"
)

// The names of what TensorFlow's Saver looks for.
const (
	saverScope       = "save"
	trainedVariables = "variables" // the collection of global variables
)

// addSaver adds the operations by which a loader restores the variables (and
// could save them): a file-name placeholder, SaveV2 with an identity behind it,
// RestoreV2 with assignments and a no-op behind them.
func addSaver(root *op.Scope, variables []Variable) *saved.SaverDef {
	s := root.SubScope(saverScope)
	names := make([]string, len(variables))
	values := make([]tf.Output, len(variables))
	kinds := make([]tf.DataType, len(variables))
	for i, v := range variables {
		names[i], kinds[i] = v.Name, tf.Float
		values[i] = op.ReadVariableOp(s.SubScope("read"), v.Handle, tf.Float)
	}
	file := op.PlaceholderWithDefault(s, op.Const(s.SubScope("default"), "model"), tf.ScalarShape())
	keys := op.Const(s.SubScope("names"), names)
	slices := op.Const(s.SubScope("slices"), make([]string, len(names)))
	save := op.SaveV2(s, file, keys, slices, values)
	if root.Err() != nil {
		return nil
	}
	saving := op.Identity(s.WithControlDependencies(save).SubScope("saved"), file)
	restored := op.RestoreV2(s, file, keys, slices, kinds)
	if root.Err() != nil {
		return nil
	}
	assigns := make([]*tf.Operation, len(variables))
	for i, v := range variables {
		// The name is what Python's loader takes as the variable's initializer.
		assigns[i] = root.AddOperation(tf.OpSpec{
			Type: "AssignVariableOp", Name: assignName(v), Input: []tf.Input{v.Handle, restored[i]},
			Attrs: map[string]any{"dtype": tf.Float},
		})
		if root.Err() != nil {
			return nil
		}
		root.AddOperation(tf.OpSpec{
			Type: "ReadVariableOp", Name: readName(v), Input: []tf.Input{v.Handle}, Attrs: map[string]any{"dtype": tf.Float},
		})
	}
	restore := op.NoOp(s.WithControlDependencies(assigns...).SubScope("restored"))
	if root.Err() != nil {
		return nil
	}
	return &saved.SaverDef{
		FilenameTensorName: tensorName(file), SaveTensorName: tensorName(saving), RestoreOpName: restore.Name(),
		MaxToKeep: 1, Version: saved.SaverDef_V2,
	}
}

func assignName(v Variable) string { return v.Name + "/Assign" }
func readName(v Variable) string   { return v.Name + "/Read/ReadVariableOp" }

// collections lists the variables as Python's loader of graphs wants them:
// without it two models in one process would share variables of one name.
func collections(variables []Variable) (map[string]*saved.CollectionDef, error) {
	values := make([][]byte, len(variables))
	for i, v := range variables {
		def := &variablepb.VariableDef{
			VariableName:    tensorName(v.Handle),
			InitializerName: assignName(v),
			SnapshotName:    readName(v) + ":0",
			IsResource:      true,
			Trainable:       true,
		}
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(def)
		if err != nil {
			return nil, fmt.Errorf("describing variable %s: %w", v.Name, err)
		}
		values[i] = raw
	}
	list := &saved.CollectionDef{Kind: &saved.CollectionDef_BytesList_{BytesList: &saved.CollectionDef_BytesList{Value: values}}}
	return map[string]*saved.CollectionDef{trainedVariables: list}, nil
}
