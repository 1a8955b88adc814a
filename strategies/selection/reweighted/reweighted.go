// Package reweighted is probabilities to a power, times a weight for each class,
// each row divided by its sum: what comes out of rules that correct for the classes'
// prior, whichever way they find the weights. Rows stream past; the matrix is never
// in memory.
package reweighted

import (
	"math"
	"slices"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/elementary"
	"github.com/upl-host/upl-host/strategies/vector"
)

// Matrix is the ensemble's probabilities, so changed.
type Matrix struct {
	Weights []float64 // by class, at least 0; 1 at first

	rows     *sdk.View[float32]
	stats    *sdk.View[sdk.Stats] // of the largest of each row; nil where the power is 1
	powers   *elementary.Powers   // likewise
	products []float64

	row, ones []float64    // of AddColumns
	four      [4][]float64 // of AddColumns, where the power is not 1
}

// Open opens the views. A policy needs [sdk.ViewRows] and [sdk.ViewStats] for it.
func Open(s *sdk.Setup, exponent float64) (m *Matrix, err error) {
	m = &Matrix{
		Weights: make([]float64, s.Classes), products: make([]float64, s.Classes),
	}
	for c := range m.Weights {
		m.Weights[c] = 1
	}
	m.row, m.ones = make([]float64, s.Classes), slices.Clone(m.Weights)
	if m.rows, err = s.OpenRows(sdk.Ensemble); err != nil {
		return nil, err
	}
	if exponent != 1 {
		m.powers = elementary.NewPowers(exponent)
		for i := range m.four {
			m.four[i] = make([]float64, s.Classes)
		}
		m.stats, err = s.OpenStats(sdk.Ensemble, sdk.FlagNoEntropy)
	}
	return m, err
}

// Rows shows some rows of the batch that is at hand: the products, which hold until
// visit returns, and their sum. A row is these by that sum.
func (m *Matrix) Rows(first, n int, visit func(row int, products []float64, sum float64) error) error {
	p, err := m.rows.Read(first, n)
	if err != nil {
		return err
	}
	var stats []sdk.Stats
	if m.stats != nil {
		if stats, err = m.stats.Read(first, n); err != nil {
			return err
		}
	}
	classes := len(m.Weights)
	for i := range n {
		row := p[i*classes : (i+1)*classes]
		var sum float64
		if stats == nil {
			sum = vector.ProductsAtLeast(m.products, row, elementary.Tiny, m.Weights)
		} else {
			sum = m.powered(m.products, row, stats[i].P)
		}
		if err := visit(first+i, m.products, sum); err != nil {
			return err
		}
	}
	return nil
}

// AddColumns adds the rows of the batch that is at hand to sums by class, each divided
// by its own sum and by a number. A row of zeros stays so.
func (m *Matrix) AddColumns(sums []float64, first, n int, by float64) error {
	p, err := m.rows.Read(first, n)
	if err != nil {
		return err
	}
	if m.stats != nil {
		stats, err := m.stats.Read(first, n)
		if err == nil {
			m.addPowered(sums, p, stats, by)
		}
		return err
	}
	// Without their weights, which are alike for all rows; no sum is so small that a
	// factor could be too large.
	clear(m.products)
	for ; n >= 4; n -= 4 {
		p = m.addFour(p, by)
	}
	classes := len(m.Weights)
	for ; n > 0; n-- {
		m.addOne(p[:classes], by)
		p = p[classes:]
	}
	vector.Multiply(m.products, m.Weights)
	vector.AddScaled(sums, 1, m.products)
	return nil
}

// addFour adds the first four rows to the products, and gives those after them.
func (m *Matrix) addFour(p []float32, by float64) (rest []float32) {
	n := len(m.Weights)
	a, b, c, d := p[:n], p[n:2*n], p[2*n:3*n], p[3*n:4*n]
	sumA, sumB, signs := vector.DotTwo(a, b, m.Weights, elementary.Tiny)
	sumC, sumD, others := vector.DotTwo(c, d, m.Weights, elementary.Tiny)
	if signs|others < 0 { // something is less than tiny
		for _, row := range [][]float32{a, b, c, d} {
			m.addOne(row, by)
		}
	} else {
		factors := [4]float64{1 / (sumA * by), 1 / (sumB * by), 1 / (sumC * by), 1 / (sumD * by)}
		vector.AddFour(m.products, factors, a, b, c, d)
	}
	return p[4*n:]
}

// addOne adds a row to the products.
func (m *Matrix) addOne(row []float32, by float64) {
	sum := vector.ProductsAtLeast(m.row, row, elementary.Tiny, m.Weights)
	vector.ProductsAtLeast(m.row, row, elementary.Tiny, m.ones)
	vector.AddScaled(m.products, 1/(sum*by), m.row)
}

// addPowered adds rows' powers times the weights to sums, four rows at a time.
func (m *Matrix) addPowered(sums []float64, p []float32, stats []sdk.Stats, by float64) {
	classes, four := len(m.Weights), &m.four
	for len(stats) > 0 {
		var factors [4]float64
		n := min(len(stats), len(four))
		for i := range n {
			sum := m.powered(four[i], p[i*classes:(i+1)*classes], stats[i].P)
			if factor := 1 / (sum * by); factor <= math.MaxFloat64 {
				factors[i] = factor
			}
		}
		// With fewer than four, the others' factors are 0.
		vector.AddFour(sums, factors, four[0], four[1], four[2], four[3])
		p, stats = p[n*classes:], stats[n:]
	}
}

// powered fills dst with a row to the power, times the weights, and gives the sum. They
// are of what the row is of its largest: of themselves they could all be too small.
func (m *Matrix) powered(dst []float64, row []float32, largest float32) (sum float64) {
	m.powers.Of(dst, row, largest)
	return vector.Multiply(dst, m.Weights)
}

// Rescale multiplies all weights by a power of two, which changes no row, so that the
// largest is between 1/2 and 1 and none can grow beyond float64 in the long run.
func (m *Matrix) Rescale() {
	var largest float64
	for _, w := range m.Weights {
		largest = max(largest, w)
	}
	_, exponent := math.Frexp(largest)
	for c, w := range m.Weights {
		m.Weights[c] = math.Ldexp(w, -exponent)
	}
}
