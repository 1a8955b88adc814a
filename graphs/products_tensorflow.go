//go:build tensorflow

package graphs

import (
	"bytes"
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"

	"github.com/upl-host/upl-host/graphs/pools"
)

// products is a session that multiplies matrices on the CPU.
type products struct {
	session *tf.Session
	ops     map[productKind]product
}

// productKind is what makes a product another operation.
type productKind struct {
	dtype                    tf.DataType
	transposedA, transposedB bool
}

type product struct{ a, b, out tf.Output }

var openProducts = sync.OnceValues(func() (*products, error) {
	p := &products{ops: map[productKind]product{}}
	root := op.NewScope()
	for _, dtype := range []tf.DataType{tf.Float, tf.Double} {
		for _, a := range []bool{false, true} {
			for _, b := range []bool{false, true} {
				s := root.SubScope("product")
				o := product{a: op.Placeholder(s.SubScope("a"), dtype), b: op.Placeholder(s.SubScope("b"), dtype)}
				o.out = op.MatMul(s, o.a, o.b, op.MatMulTransposeA(a), op.MatMulTransposeB(b))
				p.ops[productKind{dtype, a, b}] = o
			}
		}
	}
	graph, err := root.Finalize()
	if err != nil {
		return nil, fmt.Errorf("building matrix products: %w", err)
	}
	config, err := sessionOptions(Options{Device: "cpu"})
	if err != nil {
		return nil, err
	}
	if p.session, err = pools.Open(graph, config, 0); err != nil {
		return nil, fmt.Errorf("opening a session for matrix products: %w", err)
	}
	return p, nil
})

// Multiply fills out with the product a b, by TensorFlow on the CPU. Its sums end as
// the sizes have it, whatever the number of threads. It may be called by several
// goroutines at once. Errors: ErrNoTensorFlow, and sizes that do not fit.
func Multiply[T float32 | float64](a, b Factor[T], out []T) error {
	p, err := openProducts()
	if err != nil {
		return err
	}
	dtype := tf.Float
	if unsafe.Sizeof(*new(T)) == 8 {
		dtype = tf.Double
	}
	o := p.ops[productKind{dtype, a.Transposed, b.Transposed}]
	feeds := make(map[tf.Output]*tf.Tensor, 2)
	for placeholder, f := range map[tf.Output]Factor[T]{o.a: a, o.b: b} {
		raw := rawBytes(f.Data)
		if feeds[placeholder], err = tf.ReadTensor(dtype, []int64{int64(f.Rows), int64(f.Cols)}, bytes.NewReader(raw)); err != nil {
			return fmt.Errorf("multiplying matrices: %w", err)
		}
		account(len(raw))
	}
	results, err := p.session.Run(feeds, []tf.Output{o.out}, nil)
	if err != nil {
		return fmt.Errorf("multiplying matrices: %w", err)
	}
	raw := rawBytes(out)
	account(len(raw))
	n, err := results[0].WriteContentsTo((*sink)(&raw))
	runtime.KeepAlive(results) // see fromTensorFlow
	if err == nil && len(raw) > 0 {
		err = fmt.Errorf("the product has %d bytes, not %d", n, int(n)+len(raw))
	}
	if err != nil {
		return fmt.Errorf("multiplying matrices: %w", err)
	}
	return nil
}

func rawBytes[T float32 | float64](data []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), len(data)*int(unsafe.Sizeof(*new(T))))
}
