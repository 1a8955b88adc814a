package vector

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestAgainstLoops has all lengths around the step, and each element its own value.
func TestAgainstLoops(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "n")
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
