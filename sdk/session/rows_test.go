package session

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Vectors give what the plain way gives, whatever the length, ties included.
func TestVectors(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for n := 1; n < 200; n++ {
		row := make([]float32, n)
		for i := range row {
			row[i] = float32(random.IntN(50)) / 1000 // many are equal
		}
		if got, want := scan(row), scanPlain(row); got != want {
			t.Fatalf("%d classes: the first is %+v, want %+v", n, got, want)
		}
		for models := 1; models < 9; models++ {
			rows, weights, by := make([][]float32, models), make([]float64, models), 0.0
			for m := range rows {
				weights[m] = 1
				if n%2 == 0 {
					weights[m] = float64(random.Float32())
				}
				by += weights[m]
				for range n {
					rows[m] = append(rows[m], random.Float32()*float32(math.Pow(2, float64(-random.IntN(140)))))
				}
			}
			got, want := make([]float32, n), make([]float32, n)
			mix(got, rows, weights, by)
			mixPlain(want, rows, weights, by, 0)
			if !slices.Equal(got, want) {
				t.Fatalf("%d classes, weights %v: the means differ", n, weights)
			}
		}
		got, signs := sumRow(row)
		want, _ := sumPlain(row)
		if math.Abs(float64(got-want)) > 1e-5*float64(n) || signs>>31 != 0 {
			t.Fatalf("%d classes: they sum to %v, want %v; signs %x", n, got, want, signs)
		}
		row[random.IntN(n)] = float32(math.Copysign(0.1, -1))
		if _, signs := sumRow(row); signs>>31 != 1 {
			t.Fatalf("%d classes: a negative one is not seen", n)
		}
		row[random.IntN(n)] = float32(math.NaN())
		if sum, _ := sumRow(row); sum == sum {
			t.Fatalf("%d classes: a NaN is not seen", n)
		}
	}
}

func BenchmarkRow(b *testing.B) {
	const classes, rows = 1000, 64 // of three models they fit the caches
	row := make([]float32, classes*rows)
	for i := range row {
		row[i] = float32(i%classes) / (classes * classes / 2)
	}
	dst, weights := make([]float32, len(row)), []float64{1, 1, 1}
	for name, do := range map[string]func(){
		"sum":       func() { sumRow(row) },
		"mix":       func() { mix(dst, [][]float32{row, row, row}, weights, 3) },
		"mix/plain": func() { mixPlain(dst, [][]float32{row, row, row}, weights, 3, 0) },
		"scan": func() {
			for i := range rows {
				scan(row[i*classes : (i+1)*classes])
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(4 * len(row)))
			for b.Loop() {
				do()
			}
		})
	}
}
