package numeric_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn/numeric"
)

func drawn[T float32 | float64](random *rand.Rand, n int) []T {
	data := make([]T, n)
	for i := range data {
		data[i] = T(random.NormFloat64())
	}
	return data
}

// TestProducts: whoever multiplies, small products and large ones (TensorFlow's) are
// gonum's to rounding: 1e-5 and 1e-13 of a sum of 1000 draws, whose deviation is 32.
func TestProducts(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, size := range [][3]int{{3, 4, 5}, {7, 9600, 1000}, {260, 260, 1000}, {9600, 7, 1000}, {33, 2049, 1001}} {
		n, m, inner := size[0], size[1], size[2]
		for name, test := range map[string]struct {
			of             func(scale float64, a, b, out array.Matrix)
			transA, transB blas.Transpose
		}{
			"a b'": {numeric.TimesTransposed, blas.NoTrans, blas.Trans},
			"a b":  {numeric.Times, blas.NoTrans, blas.NoTrans},
			"a' b": {numeric.TransposedTimes, blas.Trans, blas.NoTrans},
		} {
			t.Run(fmt.Sprint(size, " ", name), func(t *testing.T) {
				rowsA, colsA, rowsB, colsB := n, inner, inner, m
				if test.transA == blas.Trans {
					rowsA, colsA = colsA, rowsA
				}
				if test.transB == blas.Trans {
					rowsB, colsB = colsB, rowsB
				}
				a, b := drawn[float32](random, rowsA*colsA), drawn[float32](random, rowsB*colsB)
				want, got := array.NewMatrix(n, m), array.NewMatrix(n, m)
				blas32.Gemm(test.transA, test.transB, 0.5, blas32.General{Rows: rowsA, Cols: colsA, Stride: colsA, Data: a},
					blas32.General{Rows: rowsB, Cols: colsB, Stride: colsB, Data: b}, 0, blas32.General{Rows: n, Cols: m, Stride: m, Data: want.Data})
				for i := range got.Data {
					got.Data[i] = float32(math.NaN()) // to be written over
				}
				test.of(0.5, array.Matrix{Rows: rowsA, Cols: colsA, Data: a}, array.Matrix{Rows: rowsB, Cols: colsB, Data: b}, got)
				if apart := furthest(want.Data, got.Data); !(apart <= 32*1e-5) {
					t.Errorf("float32 products are %g apart", apart)
				}
				x := blas64.General{Rows: rowsA, Cols: colsA, Stride: colsA, Data: drawn[float64](random, rowsA*colsA)}
				y := blas64.General{Rows: rowsB, Cols: colsB, Stride: colsB, Data: drawn[float64](random, rowsB*colsB)}
				sum := blas64.General{Rows: n, Cols: m, Stride: m, Data: drawn[float64](random, n*m)}
				exact := blas64.General{Rows: n, Cols: m, Stride: m, Data: append([]float64(nil), sum.Data...)}
				numeric.AddProduct(test.transA, test.transB, x, y, sum)
				blas64.Gemm(test.transA, test.transB, 1, x, y, 1, exact)
				if apart := furthest(exact.Data, sum.Data); !(apart <= 32*1e-13) {
					t.Errorf("float64 products are %g apart", apart)
				}
			})
		}
	}
}

func furthest[T float32 | float64](a, b []T) (most float64) {
	for i := range a {
		if apart := math.Abs(float64(a[i] - b[i])); !(apart <= most) { // also for NaN
			most = apart
		}
	}
	return most
}

// BenchmarkProduct is one of Tip-Adapter-F's at ImageNet's size: 4 GFLOP.
func BenchmarkProduct(b *testing.B) {
	random := rand.New(rand.NewPCG(3, 4))
	features := array.Matrix{Rows: 128, Cols: 1024, Data: drawn[float32](random, 128*1024)}
	keys := array.Matrix{Rows: 16000, Cols: 1024, Data: drawn[float32](random, 16000*1024)}
	out := array.NewMatrix(128, 16000)
	for b.Loop() {
		numeric.TimesTransposed(1, features, keys, out)
	}
}
