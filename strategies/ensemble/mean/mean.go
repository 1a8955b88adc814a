// Package mean is the pseudo-label ensemble of UPL* (arXiv 2204.03649, section
// 3.2): the mean of the models' probabilities, not of their logits.
package mean

import (
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/strategies/ensemble/calibration"
	"github.com/upl-host/upl-host/strategies/ensemble/mixture"
)

// Policy is "mean".
var Policy = sdk.Policy{
	Name:    "mean",
	Version: "1.1.0",
	Summary: "the mean of the models' probabilities",
	Parameters: `{
		"type": "object",
		"additionalProperties": false,
		"properties": {"calibrate": ` + calibration.Parameter + `}
	}`,
	Needs:    []sdk.ViewKind{sdk.ViewRows, sdk.ViewStats},
	Rounds:   true,
	Ensemble: func() sdk.Combiner { return &mean{} },
}

type mean struct {
	calibration.Rounds
	mixture mixture.Mixture
}

// Configure reads the parameter.
func (m *mean) Configure(s *sdk.Setup) error { return m.Calibrate(s) }

// BeginRound opens, in the last round, all models: the sum goes over them in their
// order.
func (m *mean) BeginRound(r *sdk.Round) error {
	return m.Begin(r, func(at *sdk.Setup, model int) error { return m.mixture.Open(at, model, 1) })
}

// EndRound asks for another step, or gives the result.
func (m *mean) EndRound(r *sdk.Round) (another bool, err error) {
	if another, err = m.Rounds.EndRound(r); another || err != nil {
		return another, err
	}
	return false, m.mixture.Emit(r)
}

// Combine gives the mean to a host that does not make it.
func (m *mean) Combine(b *sdk.Batch) error { return m.mixture.Combine(b) }
