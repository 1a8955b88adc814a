// Package reweighted is probabilities to a power, times a weight for each class,
// each row divided by its sum: what comes out of rules that correct for the classes'
// prior, whichever way they find the weights. Rows stream past; the matrix is never
// in memory.
package reweighted

import (
	"math"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/strategies/selection/elementary"
)

// Matrix is the ensemble's probabilities, so changed.
type Matrix struct {
	Weights []float64 // by class, at least 0; 1 at first

	rows     *sdk.View[float32]
	stats    *sdk.View[sdk.Stats] // of the largest of each row; nil where the power is 1
	power    elementary.Power
	products []float64
}

// Open opens the views. A policy needs [sdk.ViewRows] and [sdk.ViewStats] for it.
func Open(s *sdk.Setup, exponent float64) (m *Matrix, err error) {
	m = &Matrix{
		Weights: make([]float64, s.Classes), products: make([]float64, s.Classes),
		power: elementary.NewPower(exponent),
	}
	for c := range m.Weights {
		m.Weights[c] = 1
	}
	if m.rows, err = s.OpenRows(sdk.Ensemble); err != nil {
		return nil, err
	}
	if exponent != 1 {
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
			sum = product(m.products, row, m.Weights)
		} else {
			sum = m.powered(row, float64(stats[i].P))
		}
		if err := visit(first+i, m.products, sum); err != nil {
			return err
		}
	}
	return nil
}

// product fills x with max(p, tiny) times w and gives their sum. Conversions keep
// products from being fused into sums, so that all processors round the same.
func product(x []float64, p []float32, w []float64) (sum float64) {
	for c, p := range p {
		q := max(float64(p), elementary.Tiny)
		x[c] = q * w[c]
		sum += x[c]
	}
	return sum
}

// powered is product of powers of what the probabilities are of the largest: of
// themselves they could all be too small for float64.
func (m *Matrix) powered(row []float32, largest float64) (sum float64) {
	for c, p := range row {
		q := m.power.Of(max(float64(p), elementary.Tiny) / largest)
		m.products[c] = q * m.Weights[c]
		sum += m.products[c]
	}
	return sum
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

// Add adds x times a factor to sums.
func Add(sums, x []float64, factor float64) {
	for c, x := range x {
		sums[c] += float64(x * factor)
	}
}
