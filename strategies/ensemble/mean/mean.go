// Package mean is the pseudo-label ensemble of UPL* (arXiv 2204.03649, section
// 3.2): the mean of the models' probabilities, not of their logits.
package mean

import "github.com/upl-host/upl-host/sdk"

// Policy is "mean".
var Policy = sdk.Policy{
	Name:     "mean",
	Version:  "1.0.0",
	Summary:  "the mean of the models' probabilities",
	Needs:    []sdk.ViewKind{sdk.ViewRows},
	Ensemble: func() sdk.Combiner { return &mean{} },
}

type mean struct{ rows *sdk.View[float32] }

// Configure opens the view of the mean, which the host computes: the sum over
// models in their order, in float64, by their number.
func (m *mean) Configure(s *sdk.Setup) (err error) {
	m.rows, err = s.OpenRows(sdk.Ensemble)
	return err
}

// Combine gives it as it is.
func (m *mean) Combine(b *sdk.Batch) error {
	return m.rows.ReadInto(b.Output(), b.First, b.Rows)
}
