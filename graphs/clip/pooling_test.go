//go:build tensorflow

package clip

import (
	"math"
	"math/rand/v2"
	"testing"

	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"
)

// TestPooling holds attention without keys and values against attention with them.
func TestPooling(t *testing.T) {
	const n, length, heads, width = 3, 50, 4, 64
	a, err := Named("RN50")
	if err != nil {
		t.Fatal(err)
	}
	g := newGraph(a)
	source := rand.New(rand.NewPCG(1, 2))
	matrix := func(rows, columns int, deviation float64) tf.Output {
		values := make([][]float32, rows)
		for i := range values {
			values[i] = make([]float32, columns)
			for j := range values[i] {
				values[i][j] = float32(source.NormFloat64() * deviation)
			}
		}
		return g.constant(values)
	}
	vector := func() tf.Output { return g.reshape(matrix(1, width, 1), width) }
	rows := matrix(n*length, width, 1)
	p := pooling{
		heads: heads, length: length, width: width,
		query: matrix(width, width, 0.2), key: matrix(width, width, 0.2), value: matrix(width, width, 0.2),
		queryBias: vector(), valueBias: vector(),
	}
	asking := g.firstOf(rows, length, width)

	projected := func(x, weight, bias tf.Output, length int32) tf.Output {
		y := op.BiasAdd(g.at("bias"), op.MatMul(g.at("matmul"), x, weight, op.MatMulTransposeB(true)), bias)
		return g.transpose(g.reshape(y, -1, length, heads, width/heads), 0, 2, 1, 3)
	}
	plain := g.attention(projected(asking, p.query, p.queryBias, 1), projected(rows, p.key, vector(), length),
		projected(rows, p.value, p.valueBias, length), width/heads, tf.Output{})
	results := fetch(t, g, p.attend(g, asking, rows), g.reshape(plain, -1, width))

	largest, spread := 0.0, 0.0
	for i, row := range results[0] {
		for j, got := range row {
			want := float64(results[1][i][j])
			largest = max(largest, math.Abs(float64(got)-want))
			spread = max(spread, math.Abs(want))
		}
	}
	if spread < 1 {
		t.Errorf("values up to %g only: the test shows nothing", spread)
	}
	if !(largest < 5e-6) {
		t.Errorf("differs by up to %g", largest)
	}
}

// fetch runs a graph without inputs and returns matrices.
func fetch(t *testing.T, g *graph, outputs ...tf.Output) [][][]float32 {
	t.Helper()
	built, err := g.root.Finalize()
	if err != nil {
		t.Fatal(err)
	}
	session, err := tf.NewSession(built, &tf.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	}()
	tensors, err := session.Run(nil, outputs, nil)
	if err != nil {
		t.Fatal(err)
	}
	results := make([][][]float32, len(tensors))
	for i, tensor := range tensors {
		results[i] = tensor.Value().([][]float32)
	}
	return results
}
