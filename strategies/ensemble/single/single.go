// Package single is the ensemble of one of the models.
package single

import (
	"slices"
	"strconv"
	"strings"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/strategies/ensemble/calibration"
)

// Policy is "single".
var Policy = sdk.Policy{
	Name:    "single",
	Version: "1.1.0",
	Summary: "the probabilities of one of the models",
	Parameters: `{
		"type": "object",
		"additionalProperties": false,
		"properties": {
			"model": {
				"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}], "default": 0,
				"description": "the model's place in the configuration, from 0, or its name"
			},
			"calibrate": ` + calibration.Parameter + `
		}
	}`,
	Needs:    []sdk.ViewKind{sdk.ViewRows, sdk.ViewStats},
	Rounds:   true,
	Ensemble: func() sdk.Combiner { return &single{} },
}

type single struct {
	model       int
	calibration *calibration.Calibration // nil without
	rows        *sdk.View[float32]       // nil until the temperature is known
}

// Configure finds the model.
func (p *single) Configure(s *sdk.Setup) (err error) {
	p.model, err = s.Int("model")
	if name, textErr := s.Text("model"); textErr == nil {
		if p.model = slices.Index(s.ModelNames, name); p.model < 0 {
			return sdk.Unusable("model", strconv.Quote(name)+" is none of "+strings.Join(s.ModelNames, ", "))
		}
	} else if err != nil {
		return err
	}
	if p.model < 0 || p.model >= int(s.Models) {
		return sdk.Unusable("model", "is "+strconv.Itoa(p.model)+", and there are models 0 to "+strconv.Itoa(int(s.Models)-1))
	}
	p.calibration, err = calibration.New(s)
	return err
}

// BeginRound takes a step of the calibration or, after the last, opens the view of
// the model.
func (p *single) BeginRound(r *sdk.Round) (err error) {
	if !p.calibration.Done() {
		return p.calibration.BeginRound(r)
	}
	r.SkipBatches()
	p.rows, err = r.At(p.calibration.Temperature(p.model)).OpenRows(p.model)
	return err
}

// Observe is a step of the calibration.
func (p *single) Observe(b *sdk.Batch) error { return p.calibration.Observe(b) }

// EndRound asks for another step, and for a round to open the view in, whose rows
// the host then takes, bit for bit, where it can.
func (p *single) EndRound(r *sdk.Round) (bool, error) {
	switch {
	case p.rows == nil:
		return true, p.calibration.EndRound(r)
	case r.Takes(sdk.EmitMean):
		return false, r.EmitMean(sdk.Part{View: p.rows, Weight: 1})
	}
	return false, nil
}

// Combine gives the model's rows to a host that does not take them so.
func (p *single) Combine(b *sdk.Batch) error {
	return p.rows.ReadInto(b.Output(), b.First, b.Rows)
}
