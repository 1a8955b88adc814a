//go:build tensorflow

package graphs

import (
	"bytes"
	"maps"
	"slices"

	graphpb "github.com/wamuir/graft/tensorflow/core/framework/graph_go_proto"
	"google.golang.org/protobuf/proto"
)

// Devices returns where the operations of a model's graph, and of its functions,
// ask to be placed: each name once, "" for an operation that does not ask. The
// packed prompts are part of the graph from their first use on.
func (m *Model) Devices() ([]string, error) {
	var raw bytes.Buffer
	if _, err := m.session.(*tensorflowSession).model.Graph.WriteTo(&raw); err != nil {
		return nil, err
	}
	def := new(graphpb.GraphDef)
	if err := proto.Unmarshal(raw.Bytes(), def); err != nil {
		return nil, err
	}
	nodes := def.GetNode()
	for _, f := range def.GetLibrary().GetFunction() {
		nodes = append(nodes, f.GetNodeDef()...)
	}
	asked := map[string]bool{}
	for _, n := range nodes {
		asked[n.GetDevice()] = true
	}
	return slices.Sorted(maps.Keys(asked)), nil
}
