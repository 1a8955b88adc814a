//go:build tensorflow

package clip

import (
	"math"

	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"
)

// pooling is attention in which each sequence has one query.
type pooling struct {
	heads, length, width int32
	// query, key and value are [width, width], PyTorch's layout.
	query, key, value    tf.Output
	queryBias, valueBias tf.Output // [width]; keys need none, see attend
}

// attend returns the heads' values, concatenated, before the output projection:
// [n, width], for one asking row a sequence [n, width] and all rows [n * length, width].
//
// It makes no keys and no values, which would be projections of every row. With
// W a head's part of a projection, a score is
//
//	q (W x + b) = (W' q) x + q b
//
// where q b is the same for all rows, so that softmax drops it; and as weights a
// sum to 1, a value is sum_i a_i (W x_i + b) = W (sum_i a_i x_i) + b. So a
// sequence of 50 rows costs three projections of one row, not 101.
func (p pooling) attend(g *graph, asking, rows tf.Output) tf.Output {
	headWidth := p.width / p.heads
	ofHeads := func(weight tf.Output) tf.Output { return g.reshape(weight, p.heads, headWidth, p.width) }
	q := op.BiasAdd(g.at("query"), op.MatMul(g.at("matmul"), asking, p.query, op.MatMulTransposeB(true)), p.queryBias)
	q = g.scaled(q, float32(1/math.Sqrt(float64(headWidth))))
	q = g.transpose(g.reshape(q, -1, p.heads, headWidth), 1, 0, 2)
	q = g.transpose(op.BatchMatMulV2(g.at("into_rows"), q, ofHeads(p.key)), 1, 0, 2) // [n, heads, width]

	rows = g.reshape(rows, -1, p.length, p.width)
	weights := op.Softmax(g.at("softmax"), op.BatchMatMulV2(g.at("scores"), q, rows, op.BatchMatMulV2AdjY(true)))
	pooled := g.transpose(op.BatchMatMulV2(g.at("pooled"), weights, rows), 1, 0, 2) // [heads, n, width]

	values := op.BatchMatMulV2(g.at("values"), pooled, ofHeads(p.value), op.BatchMatMulV2AdjY(true))
	return op.BiasAdd(g.at("value"), g.reshape(g.transpose(values, 1, 0, 2), -1, p.width), p.valueBias)
}
