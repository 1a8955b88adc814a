//go:build tensorflow

package clip

import (
	"fmt"

	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"
)

// graph adds the operations of a CLIP to a scope. Names in a scope are not made
// unique, so that every operation gets a sub-scope of its own.
type graph struct {
	Architecture
	root    *op.Scope // of variables, which have names without prefix
	scope   *op.Scope
	handles map[string]tf.Output // of variables, by name
	shapes  map[string][]int
}

func newGraph(a Architecture) *graph {
	root := op.NewScope()
	g := &graph{
		Architecture: a,
		root:         root, scope: root,
		handles: make(map[string]tf.Output),
		shapes:  make(map[string][]int),
	}
	for _, v := range a.Variables() {
		g.shapes[v.Name] = v.Shape
	}
	return g
}

// in returns the graph with a name prefix for what is added.
func (g *graph) in(name string) *graph {
	inner := *g
	inner.scope = g.scope.SubScope(name)
	return &inner
}

func (g *graph) at(name string) *op.Scope { return g.scope.SubScope(name) }

// read reads a variable, declaring it at its first use.
func (g *graph) read(name string) tf.Output {
	handle, ok := g.handles[name]
	if !ok {
		handle = declare(g.root, name, g.shapes[name])
		g.handles[name] = handle
	}
	return op.ReadVariableOp(g.at("read"), handle, tf.Float)
}

// declare adds a variable's handle; its node has the variable's own name.
func declare(root *op.Scope, name string, shape []int) tf.Output {
	if root.Err() != nil {
		return tf.Output{}
	}
	dims := make([]int64, len(shape))
	for i, d := range shape {
		dims[i] = int64(d)
	}
	handle := root.AddOperation(tf.OpSpec{
		Type: "VarHandleOp", Name: name,
		Attrs: map[string]any{"dtype": tf.Float, "shape": tf.MakeShape(dims...), "shared_name": name},
	})
	return handle.Output(0)
}

func (g *graph) constant(value any) tf.Output { return op.Const(g.at("const"), value) }

func (g *graph) reshape(x tf.Output, dims ...int32) tf.Output {
	return op.Reshape(g.at("reshape"), x, g.constant(dims))
}

func (g *graph) transpose(x tf.Output, order ...int32) tf.Output {
	return op.Transpose(g.at("transpose"), x, g.constant(order))
}

func (g *graph) add(x, y tf.Output) tf.Output { return op.AddV2(g.at("add"), x, y) }
func (g *graph) mul(x, y tf.Output) tf.Output { return op.Mul(g.at("mul"), x, y) }

// scaled is x times a number.
func (g *graph) scaled(x tf.Output, by float32) tf.Output { return g.mul(x, g.constant(by)) }

// size is dimension i of x's shape, as a scalar int32.
func (g *graph) size(x tf.Output, i int32) tf.Output {
	return g.gather(op.Shape(g.at("shape"), x), g.constant(i))
}

// gather picks rows of x.
func (g *graph) gather(x, rows tf.Output) tf.Output {
	return op.GatherV2(g.at("gather"), x, rows, g.constant(int32(0)))
}

// stack packs scalars into a vector, as Reshape wants a shape.
func (g *graph) stack(values ...tf.Output) tf.Output { return op.Pack(g.at("stack"), values) }

func (g *graph) placeholder(name string, kind tf.DataType, dims ...int64) tf.Output {
	shape := tf.ScalarShape()
	if len(dims) > 0 {
		shape = tf.MakeShape(dims...)
	}
	if g.scope.Err() != nil {
		return tf.Output{}
	}
	return g.scope.AddOperation(tf.OpSpec{
		Type: "Placeholder", Name: name, Attrs: map[string]any{"dtype": kind, "shape": shape},
	}).Output(0)
}

// result names an output of a signature.
func (g *graph) result(name string, x tf.Output) tf.Output {
	if g.scope.Err() != nil {
		return tf.Output{}
	}
	return g.scope.AddOperation(tf.OpSpec{Type: "Identity", Name: name, Input: []tf.Input{x}}).Output(0)
}

// err says what could not be built.
func (g *graph) err() error {
	if err := g.scope.Err(); err != nil {
		return fmt.Errorf("building CLIP's graph: %w", err)
	}
	return nil
}
