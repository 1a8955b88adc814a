package conformance

import (
	"math"

	"github.com/upl-host/upl-host/plugins"
)

// generated is a matrix of probabilities that is nowhere: rows are made when they
// are read, each a function of its number and the seed. A row has a first class,
// drawn uniformly, of probability 0.2 to 1; the rest is spread over the others in
// proportion to uniform numbers.
type generated struct {
	rows, classes int
	seed          uint64
}

func (g generated) Rows() int    { return g.rows }
func (g generated) Classes() int { return g.classes }

// Read makes rows.
func (g generated) Read(first, n int, dst []float32) error {
	for i := range n {
		g.fill(uint64(first+i), dst[i*g.classes:(i+1)*g.classes])
	}
	return nil
}

func (g generated) fill(i uint64, row []float32) {
	state := mix(g.seed ^ mix(i))
	var sum float32
	for c := range row {
		state = mix(state)
		row[c] = float32(state>>40) / (1 << 24)
		sum += row[c]
	}
	class := int(mix(state^g.seed) % uint64(len(row)))
	p := 0.2 + 0.8*row[class]
	sum -= row[class]
	for c := range row {
		row[c] *= (1 - p) / max(sum, 1e-30)
	}
	row[class] = p
	if len(row) == 1 {
		row[0] = 1
	}
}

// mix is a step of splitmix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// generatedFeatures are features of rows that are nowhere: the same numbers, made of
// length 1.
type generatedFeatures struct{ generated }

// Width is D.
func (g generatedFeatures) Width() int { return g.classes }

// Read makes rows.
func (g generatedFeatures) Read(first, n int, dst []float32) error {
	for i := range n {
		row := dst[i*g.classes : (i+1)*g.classes]
		g.fill(uint64(first+i), row)
		var square float64
		for _, x := range row {
			square += float64(x) * float64(x)
		}
		for d := range row {
			row[d] /= float32(math.Sqrt(square))
		}
	}
	return nil
}

var (
	_ plugins.Probabilities = generated{}
	_ plugins.Features      = generatedFeatures{}
)
