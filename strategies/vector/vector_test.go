package vector

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestAgainstLoops has all lengths around the step, and each element its own value.
func TestAgainstLoops(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 100).Draw(t, "n")
		p := rapid.SliceOfN(rapid.Float32Range(0, 1), n, n).Draw(t, "p")
		a := rapid.SliceOfN(rapid.Float64Range(1e-9, 1), n, n).Draw(t, "a")
		x := rapid.Float64Range(0.1, 3).Draw(t, "x")
		least := rapid.Float32Range(0, 1).Draw(t, "least")

		added, multiplied, products, divided := slices.Clone(a), slices.Clone(a), make([]float64, n), make([]float32, n)
		AddScaled(added, x, p)
		MultiplyAtLeast(multiplied, p, least)
		Products(products, p, a)
		Divide(divided, a, x)
		var sum float64
		for i := range n {
			sum += a[i]
			if want := a[i] + float64(x*float64(p[i])); added[i] != want {
				t.Fatalf("AddScaled: %d is %v, not %v", i, added[i], want)
			}
			if want := a[i] * float64(max(p[i], least)); multiplied[i] != want {
				t.Fatalf("MultiplyAtLeast: %d is %v, not %v", i, multiplied[i], want)
			}
			if want := float64(p[i]) * a[i]; products[i] != want {
				t.Fatalf("Products: %d is %v, not %v", i, products[i], want)
			}
			if want := float32(a[i] / x); divided[i] != want {
				t.Fatalf("Divide: %d is %v, not %v", i, divided[i], want)
			}
		}
		if got := Sum(a); got != sum {
			t.Fatalf("Sum: %v, not %v", got, sum)
		}
	})
}

// negativeZero is a probability that passes as one.
var negativeZero = float32(math.Copysign(0, -1))

// TestRowsAgainstLoops has the sums over several rows, and that of at least something.
func TestRowsAgainstLoops(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 100).Draw(t, "n")
		var p [4][]float32
		for i := range p {
			p[i] = rapid.SliceOfN(rapid.OneOf(rapid.Float32Range(0, 1), rapid.Just(negativeZero)), n, n).Draw(t, "p")
		}
		a := rapid.SliceOfN(rapid.Float64Range(1e-9, 1), n, n).Draw(t, "a")
		least := rapid.SampledFrom([]float32{0x1p-126, 0.01, 0.5}).Draw(t, "least")
		weights := [4]float64{0.3, 0.1, 2, 0.7}

		sumA, sumB, signs := DotTwo(p[0], p[1], a, least)
		four, atLeast, multiplied, divided := slices.Clone(a), make([]float64, n), slices.Clone(a), slices.Clone(a)
		AddFour(four, weights, p[0], p[1], p[2], p[3])
		total := ProductsAtLeast(atLeast, p[0], least, a)
		ofMultiplied := Multiply(multiplied, a)
		DivideLess(divided, 0.7, 0.2)
		dot := Dot(a, atLeast)

		var wantA, wantB, wantTotal, wantMultiplied, wantDot float64
		small := false
		for i, f := range a {
			wantA += float64(float64(p[0][i]) * f)
			wantB += float64(float64(p[1][i]) * f)
			small = small || p[0][i] < least || p[1][i] < least
			want := f
			for j, row := range p {
				want += float64(weights[j] * float64(row[i]))
			}
			if four[i] != want {
				t.Fatalf("AddFour: %d is %v, not %v", i, four[i], want)
			}
			if want := float64(max(p[0][i], least)) * f; atLeast[i] != want {
				t.Fatalf("ProductsAtLeast: %d is %v, not %v", i, atLeast[i], want)
			}
			if want := f * f; multiplied[i] != want {
				t.Fatalf("Multiply: %d is %v, not %v", i, multiplied[i], want)
			}
			if want := f/0.7 - 0.2; divided[i] != want {
				t.Fatalf("DivideLess: %d is %v, not %v", i, divided[i], want)
			}
			wantTotal += atLeast[i]
			wantMultiplied += multiplied[i]
			wantDot += float64(f * atLeast[i])
		}
		if sumA != wantA || sumB != wantB || signs < 0 != small {
			t.Fatalf("DotTwo: %v, %v, %v, not %v, %v, %v", sumA, sumB, signs < 0, wantA, wantB, small)
		}
		if total != wantTotal || ofMultiplied != wantMultiplied || dot != wantDot {
			t.Fatalf("sums %v, %v, %v, not %v, %v, %v", total, ofMultiplied, dot, wantTotal, wantMultiplied, wantDot)
		}
	})
}

// TestFind draws few distinct values, so that the first of equals matters.
func TestFind(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.SampledFrom([]float32{0, negativeZero, 0x1p-149, 0.25, 0.5, 1})
		p := rapid.SliceOfN(value, 1, 100).Draw(t, "p")
		at, first, second := FirstTwo(p)
		sorted := slices.Sorted(slices.Values(p))
		if first != sorted[len(p)-1] || at != slices.Index(p, first) {
			t.Fatalf("the first is %v at %d, of %v", first, at, p)
		}
		if len(p) > 1 && second != sorted[len(p)-2] || len(p) == 1 && second != -1 {
			t.Fatalf("the second is %v, of %v", second, p)
		}

		p = p[:min(len(p), Step)]
		number := rapid.SampledFrom([]float32{-1, 0, 0.25, 1}).Draw(t, "number")
		bars := rapid.SliceOfN(rapid.SampledFrom([]float32{-1, 0, 0.25, 0.75, 1}), len(p), len(p)).Draw(t, "bars")
		set := Above(p, number, bars)
		for i, x := range p {
			if want := x > number && x >= bars[i]; want != (set>>i&1 == 1) {
				t.Fatalf("%d: %v above %v and its bar %v: %t is wanted of %b", i, x, number, bars[i], want, set)
			}
		}
		if set>>len(p) != 0 && len(p) < Step {
			t.Fatalf("%b has more than %d bits", set, len(p))
		}
	})
}
