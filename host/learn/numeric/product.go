package numeric

import (
	"runtime"
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
)

// TimesTransposed fills out [N, M] with scale a b', a [N, D], b [M, D].
func TimesTransposed(scale float64, a, b, out array.Matrix) {
	product(blas.NoTrans, blas.Trans, scale, a, b, out)
}

// Times fills out [N, D] with scale a b, a [N, M], b [M, D].
func Times(scale float64, a, b, out array.Matrix) {
	product(blas.NoTrans, blas.NoTrans, scale, a, b, out)
}

// TransposedTimes fills out [N, D] with scale a' b, a [B, N], b [B, D].
func TransposedTimes(scale float64, a, b, out array.Matrix) {
	product(blas.Trans, blas.NoTrans, scale, a, b, out)
}

// product is parallel over blocks of out; the order of each element's sum depends on
// the sizes alone.
func product(transA, transB blas.Transpose, scale float64, a, b, out array.Matrix) {
	if out.Rows == 0 || out.Cols == 0 {
		return
	}
	if a.Rows == 0 || a.Cols == 0 {
		clear(out.Data)
		return
	}
	if !byTensorFlow(factor(transA, a.Rows, a.Cols, a.Data), factor(transB, b.Rows, b.Cols, b.Data), out.Data) {
		blas32.Gemm(transA, transB, float32(scale), general(a), general(b), 0, general(out))
		return
	}
	if scale := float32(scale); scale != 1 {
		for i := range out.Data {
			out.Data[i] *= scale
		}
	}
}

func general(m array.Matrix) blas32.General {
	return blas32.General{Rows: m.Rows, Cols: m.Cols, Stride: m.Cols, Data: m.Data}
}

// AddProduct adds a b to out in float64; each may be transposed. Strides are Cols.
func AddProduct(transA, transB blas.Transpose, a, b, out blas64.General) {
	x, y := factor(transA, a.Rows, a.Cols, a.Data), factor(transB, b.Rows, b.Cols, b.Data)
	if size := out.Rows * out.Cols; large(x, size) {
		sum := make([]float64, size)
		if byTensorFlow(x, y, sum) {
			for i, v := range sum {
				out.Data[i] += v
			}
			return
		}
	}
	blas64.Gemm(transA, transB, 1, a, b, 1, out)
}

func factor[T float32 | float64](trans blas.Transpose, rows, cols int, data []T) graphs.Factor[T] {
	return graphs.Factor[T]{Rows: rows, Cols: cols, Data: data[:rows*cols], Transposed: trans == blas.Trans}
}

// large reports whether a product with so many elements is to be TensorFlow's, which is 3
// to 6 times as fast from there on, its copies of the matrices included; the two are even
// at a quarter of that (two cores of an AMD EPYC). It depends on sizes alone: the last
// bits do on who multiplies.
func large[T float32 | float64](a graphs.Factor[T], elements int) bool {
	const multiplications = 1 << 24
	inner := a.Cols
	if a.Transposed {
		inner = a.Rows
	}
	return elements*inner >= multiplications
}

// byTensorFlow fills out with a large product, and reports whether it has: not without
// TensorFlow.
func byTensorFlow[T float32 | float64](a, b graphs.Factor[T], out []T) bool {
	return large(a, len(out)) && graphs.Multiply(a, b, out) == nil
}

// Parallel calls do for 0 to n - 1, on several threads at once. What one call writes
// no other may read.
func Parallel(n int, do func(i int)) {
	threads := min(n, runtime.GOMAXPROCS(0))
	if threads <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	var group sync.WaitGroup
	for t := range threads {
		group.Go(func() {
			for i := t; i < n; i += threads {
				do(i)
			}
		})
	}
	group.Wait()
}

// Largest is the index of the largest value, the first among equals.
func Largest[T float32 | float64](row []T) int {
	best := 0
	for i, v := range row {
		if v > row[best] {
			best = i
		}
	}
	return best
}
