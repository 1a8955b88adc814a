package elementary

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// TestPowers compares rows' powers with math's, up to the row's factor.
func TestPowers(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, exponent := range []float64{1, 0.5, 2, 10.0 / 3, 25, 99.99, 100, 100.01, 1000, 7777.7, 0.3, 0.01, 0.001, 1e-38} {
		powers := NewPowers(exponent)
		for n := 1; n < 200; n++ {
			row := drawn(random, n)
			largest := slices.Max(row)
			got := make([]float64, n)
			powers.Of(got, row, largest)
			var sum float64
			factor := got[slices.Index(row, largest)]
			for i, x := range row {
				ratio := max(float64(x), Tiny) / float64(largest)
				want := math.Pow(ratio, exponent)
				near := 1e-15 + 4e-16*exponent*(1-math.Log2(ratio)) // as products with the exponent are rounded
				if y := got[i] / factor; !(math.Abs(y-want) <= near*want+1e-290) {
					t.Fatalf("%v / %v to the power of %v: %v, not %v", x, largest, exponent, y, want)
				}
				sum += got[i]
			}
			if !(sum <= math.MaxFloat64/1e9) {
				t.Fatalf("%d powers of %v sum to %v", n, exponent, sum)
			}
		}
	}
}

// TestPowersHuge leaves of a row only what equals its largest: with the exponents of
// the coldest temperatures that a float32 can be.
func TestPowersHuge(t *testing.T) {
	row := []float32{0.25, math.Nextafter32(0.7, 0), 0.7, 0, 0.7, 0.1, 0.2, 0.3, 0.4, math.Nextafter32(0.7, 0), 0.7}
	for _, exponent := range []float64{1e12, 1e30, 1 / float64(math.SmallestNonzeroFloat32)} {
		got := make([]float64, len(row))
		want := make([]float64, len(row))
		NewPowers(exponent).Of(got, row, 0.7)
		want[2], want[4], want[10] = got[2], got[2], got[2]
		if !(got[2] > 1e-5 && got[2] <= 1) || !slices.Equal(got, want) {
			t.Errorf("to the power of %v: %v", exponent, got)
		}
	}
}

// drawn is a row of all kinds of probabilities, some of them equal.
func drawn(random *rand.Rand, n int) []float32 {
	row := make([]float32, n)
	for i := range row {
		switch row[i] = random.Float32() / 2; random.IntN(4) {
		case 0:
			row[i] = float32(math.Pow(2, -130*random.Float64()))
		case 1:
			row[i] = row[random.IntN(i+1)]
		case 2:
			row[i] = []float32{0, float32(math.Copysign(0, -1)), 0x1p-140, Tiny, 0.5}[random.IntN(5)]
		}
	}
	row[random.IntN(n)] = 0.5 + random.Float32()/2
	return row
}

// BenchmarkPowers is of a row of 1,000.
func BenchmarkPowers(b *testing.B) {
	row := drawn(rand.New(rand.NewPCG(5, 6)), 1000)
	dst := make([]float64, len(row))
	b.Run("logarithms", func(b *testing.B) {
		for b.Loop() {
			Logs(dst, row)
			for i := range dst {
				dst[i] *= 10.0 / 3
			}
			Exps(dst)
		}
	})
	for _, exponent := range []float64{10.0 / 3, 25, 200} {
		powers := NewPowers(exponent)
		b.Run(strconv.FormatFloat(exponent, 'g', 3, 64), func(b *testing.B) {
			for b.Loop() {
				powers.Of(dst, row, 1)
			}
		})
	}
}
