// Package mean is the pseudo-label ensemble of UPL* (arXiv 2204.03649, section
// 3.2): the mean of the models' probabilities, not of their logits.
package mean

import (
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/strategies/ensemble/calibration"
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
	calibration *calibration.Calibration // nil without
	all         *sdk.View[float32]       // of the mean, without
	models      []*sdk.View[float32]     // at their temperatures, with
	sums        []float64                // of Combine
}

// Configure opens, without calibration, the view of the mean, which the host
// computes: the sum over models in their order, in float64, by their number.
func (m *mean) Configure(s *sdk.Setup) (err error) {
	if m.calibration, err = calibration.New(s); err != nil {
		return err
	}
	if m.calibration == nil {
		m.all, err = s.OpenRows(sdk.Ensemble)
	}
	return err
}

// BeginRound takes a step of the calibration or, after the last, opens the views
// that are to be combined.
func (m *mean) BeginRound(r *sdk.Round) error {
	if !m.calibration.Done() {
		return m.calibration.BeginRound(r)
	}
	r.SkipBatches()
	if m.calibration == nil {
		return nil
	}
	for model := range int(r.Models) {
		view, err := r.At(m.calibration.Temperature(model)).OpenRows(model)
		if err != nil {
			return err
		}
		m.models = append(m.models, view)
	}
	return nil
}

// Observe is a step of the calibration.
func (m *mean) Observe(b *sdk.Batch) error { return m.calibration.Observe(b) }

// EndRound asks for another step, and for a round to open the views in. Then the
// host makes the mean, where it can.
func (m *mean) EndRound(r *sdk.Round) (bool, error) {
	views := m.models
	if m.all != nil {
		views = []*sdk.View[float32]{m.all}
	}
	if views == nil {
		return true, m.calibration.EndRound(r)
	}
	if !r.Takes(sdk.EmitMean) {
		return false, nil
	}
	parts := make([]sdk.Part, len(views))
	for i, view := range views {
		parts[i] = sdk.Part{View: view, Weight: 1}
	}
	return false, r.EmitMean(parts...)
}

// Combine gives the mean to a host that does not make it.
func (m *mean) Combine(b *sdk.Batch) error {
	out := b.Output()
	if m.all != nil {
		return m.all.ReadInto(out, b.First, b.Rows)
	}
	if len(m.sums) < len(out) {
		m.sums = make([]float64, len(out))
	}
	sums := m.sums[:len(out)]
	clear(sums)
	for _, view := range m.models {
		rows, err := view.Batch(b)
		if err != nil {
			return err
		}
		for i, p := range rows {
			sums[i] += float64(p)
		}
	}
	for i, sum := range sums {
		out[i] = float32(sum / float64(len(m.models)))
	}
	return nil
}
