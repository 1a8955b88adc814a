package serving

import (
	"fmt"
	"strings"

	attrpb "github.com/wamuir/graft/tensorflow/core/framework/attr_value_go_proto"
	functionpb "github.com/wamuir/graft/tensorflow/core/framework/function_go_proto"
	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
	variablepb "github.com/wamuir/graft/tensorflow/core/framework/variable_go_proto"
	saved "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/upl-host/upl-host/graphs/savedmodel"
)

// Collections that matter to who loads a graph. Others, of training and of
// control flow, name nodes that are gone.
var (
	variableCollections = []string{"variables", "trainable_variables"}
	initCollections     = []string{"saved_model_main_op", "legacy_init_op", "saved_model_assets"}
)

// collections returns those that are kept.
func collections(all map[string]*saved.CollectionDef) (map[string]*saved.CollectionDef, error) {
	kept := make(map[string]*saved.CollectionDef)
	for _, name := range append(append([]string(nil), variableCollections...), initCollections...) {
		if c, ok := all[name]; ok {
			kept[name] = c
		}
	}
	for _, name := range variableCollections {
		if _, err := variables(kept[name]); err != nil {
			return nil, fmt.Errorf("%w: its collection %s: %w", savedmodel.ErrFormat, name, err)
		}
	}
	return kept, nil
}

func variables(c *saved.CollectionDef) ([]*variablepb.VariableDef, error) {
	var defs []*variablepb.VariableDef
	for _, raw := range c.GetBytesList().GetValue() {
		def := new(variablepb.VariableDef)
		if err := proto.Unmarshal(raw, def); err != nil {
			return nil, err
		}
		defs = append(defs, def)
	}
	return defs, nil
}

// prune removes the nodes and functions that neither the signatures need nor
// what loads the variables: of a CLIP the text tower and its gradients.
func prune(meta *saved.MetaGraphDef) {
	graph := meta.GetGraphDef()
	nodes := make(map[string]*nodepb.NodeDef, len(graph.GetNode()))
	for _, node := range graph.GetNode() {
		nodes[node.GetName()] = node
	}
	needed := make(map[string]bool)
	queue := roots(meta)
	for len(queue) > 0 {
		name := nodeName(queue[len(queue)-1])
		queue = queue[:len(queue)-1]
		if node, ok := nodes[name]; ok && !needed[name] {
			needed[name] = true
			queue = append(queue, node.GetInput()...)
		}
	}
	kept := graph.GetNode()[:0]
	for _, node := range graph.GetNode() {
		if needed[node.GetName()] {
			kept = append(kept, node)
		}
	}
	graph.Node = kept
	graph.Library = &functionpb.FunctionDefLibrary{Function: called(kept, graph.GetLibrary().GetFunction())}
}

// nodeName is the node of an input: name, name:output or ^name.
func nodeName(input string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(input, "^"), ":")
	return name
}

// roots are the tensors and operations that a meta graph names outside its graph.
func roots(meta *saved.MetaGraphDef) []string {
	var names []string
	for _, s := range meta.GetSignatureDef() {
		for _, tensors := range []infos{s.GetInputs(), s.GetOutputs()} {
			for _, t := range tensors {
				names = append(names, t.GetName())
			}
		}
	}
	saver := meta.GetSaverDef()
	names = append(names, saver.GetFilenameTensorName(), saver.GetSaveTensorName(), saver.GetRestoreOpName())
	for _, asset := range meta.GetAssetFileDef() {
		names = append(names, asset.GetTensorInfo().GetName())
	}
	for name, c := range meta.GetCollectionDef() {
		names = append(names, c.GetNodeList().GetValue()...)
		for _, list := range variableCollections {
			if name != list {
				continue
			}
			defs, err := variables(c)
			if err != nil {
				continue // collections has checked it
			}
			for _, v := range defs {
				names = append(names, v.GetVariableName(), v.GetInitializerName(), v.GetInitialValueName(), v.GetSnapshotName())
			}
		}
	}
	return names
}

// called returns the functions that nodes call, and those that these call.
func called(nodes []*nodepb.NodeDef, library []*functionpb.FunctionDef) []*functionpb.FunctionDef {
	functions := make(map[string]*functionpb.FunctionDef, len(library))
	for _, f := range library {
		functions[f.GetSignature().GetName()] = f
	}
	needed := make(map[string]bool)
	var visit func(nodes []*nodepb.NodeDef)
	need := func(name string) {
		if f, ok := functions[name]; ok && !needed[name] {
			needed[name] = true
			visit(f.GetNodeDef())
		}
	}
	visit = func(nodes []*nodepb.NodeDef) {
		for _, node := range nodes {
			need(node.GetOp()) // a function may be called as an operation of its name
			for _, value := range node.GetAttr() {
				for _, name := range functionNames(value) {
					need(name)
				}
			}
		}
	}
	visit(nodes)
	var kept []*functionpb.FunctionDef
	for _, f := range library {
		if needed[f.GetSignature().GetName()] {
			kept = append(kept, f)
		}
	}
	return kept
}

// functionNames are the names in an attribute that may be functions'; some
// operations name theirs as strings.
func functionNames(value *attrpb.AttrValue) []string {
	names := []string{string(value.GetS())}
	functions := value.GetList().GetFunc()
	if f := value.GetFunc(); f != nil {
		functions = append(functions[:len(functions):len(functions)], f)
	}
	for _, f := range functions {
		names = append(names, f.GetName())
		for _, inner := range f.GetAttr() {
			names = append(names, functionNames(inner)...)
		}
	}
	return names
}
