// Package mixture is the weighted mean of views of rows, which the host makes where
// it can: in vectors, and without a copy into the module.
package mixture

import (
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/strategies/vector"
)

// Mixture is the mean of the views that were opened for it, in their order, by
// their weights.
type Mixture struct {
	parts []sdk.Part
	sums  []float64 // of Combine
}

// Open opens the view of a model with a weight; none where the weight is 0.
func (m *Mixture) Open(at *sdk.Setup, model int, weight float32) error {
	if weight == 0 {
		return nil
	}
	view, err := at.OpenRows(model)
	if err != nil {
		return err
	}
	m.parts = append(m.parts, sdk.Part{View: view, Weight: weight})
	return nil
}

// Emit leaves the mean to the host, in the last EndRound, where it makes means.
func (m *Mixture) Emit(r *sdk.Round) error {
	if !r.Takes(sdk.EmitMean) {
		return nil
	}
	return r.EmitMean(m.parts...)
}

// Combine gives the mean to a host that does not make it: the same bytes.
func (m *Mixture) Combine(b *sdk.Batch) error {
	out := b.Output()
	if len(m.parts) == 1 {
		return m.parts[0].View.ReadInto(out, b.First, b.Rows)
	}
	if len(m.sums) < len(out) {
		m.sums = make([]float64, len(out))
	}
	sums := m.sums[:len(out)]
	clear(sums)
	var total float64
	for _, part := range m.parts {
		rows, err := part.View.Batch(b)
		if err != nil {
			return err
		}
		vector.AddScaled(sums, float64(part.Weight), rows)
		total += float64(part.Weight)
	}
	vector.Divide(out, sums, total)
	return nil
}
