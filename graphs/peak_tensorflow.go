//go:build tensorflow

package graphs

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"

	"github.com/upl-host/upl-host/graphs/pools"
)

// The products that the peak is measured with: of square matrices that no cache
// holds, as many in one run as make the way into TensorFlow and back nothing.
const (
	peakSize     = 2048
	peakProducts = 2
	// Runs go on for a while, as one alone may be disturbed.
	peakFewest = 3
	peakTime   = 1500 * time.Millisecond
)

// MatMulPeak measures the machine's rate of float32 matrix products through
// TensorFlow, in operations a second, two a multiply-add: the best of the runs that
// 1.5 s have room for, 3 at least, of 2 products of 2048 x 2048 matrices one after
// the other, on the device and with the threads that the options name, as a model
// opened with them has.
//
// It is what the rest is held against, not the most that the hardware could do:
// the processor's clock and its neighbours decide that from one second to the next.
func MatMulPeak(ctx context.Context, options Options) (rate float64, err error) {
	defer func() {
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("measuring the rate of matrix products: %w", err)
		}
	}()
	config, err := sessionOptions(options)
	if err != nil {
		return 0, err
	}
	graph, start, products, err := peakGraph()
	if err != nil {
		return 0, err
	}
	session, err := pools.Open(graph, config, options.Threads)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	if _, err := session.Run(nil, nil, []*tf.Operation{start}); err != nil {
		return 0, err
	}
	best := time.Duration(math.MaxInt64)
	for run, start := 0, time.Now(); run < peakFewest || time.Since(start) < peakTime; run++ {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		began := time.Now()
		if _, err := session.Run(nil, nil, []*tf.Operation{products}); err != nil {
			return 0, err
		}
		best = min(best, time.Since(began))
	}
	return 2 * peakProducts * peakSize * peakSize * peakSize / best.Seconds(), nil
}

// peakGraph multiplies a variable by another peakProducts times. Its elements stay
// near 1 whatever the number of products: no number is denormal or infinite.
func peakGraph() (graph *tf.Graph, start, products *tf.Operation, err error) {
	s := op.NewScope()
	shape := tf.MakeShape(peakSize, peakSize)
	fill := func(name string, value float32) (handle tf.Output, assign *tf.Operation) {
		s := s.SubScope(name)
		handle = op.VarHandleOp(s, tf.Float, shape, op.VarHandleOpSharedName(name))
		dims := op.Const(s.SubScope("dims"), []int32{peakSize, peakSize})
		return handle, op.AssignVariableOp(s, handle, op.Fill(s, dims, op.Const(s.SubScope("value"), value)))
	}
	left, first := fill("left", 1)
	right, second := fill("right", 1./peakSize)
	group := s.SubScope("start").WithControlDependencies(first, second)
	start = op.NoOp(group)
	x, factor := op.ReadVariableOp(s.SubScope("x"), left, tf.Float), op.ReadVariableOp(s.SubScope("factor"), right, tf.Float)
	for range peakProducts {
		x = op.MatMul(s.SubScope("product"), x, factor)
	}
	graph, err = s.Finalize()
	return graph, start, x.Op, err
}
