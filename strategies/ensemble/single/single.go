// Package single is the ensemble of one of the models.
package single

import (
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/strategies/ensemble/calibration"
	"github.com/upl-host/upl-host/strategies/ensemble/mixture"
	"github.com/upl-host/upl-host/strategies/ensemble/parameter"
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
	calibration.Rounds
	model int
	rows  mixture.Mixture // of the one: its rows, bit for bit
}

// Configure finds the model.
func (p *single) Configure(s *sdk.Setup) (err error) {
	if p.model, err = parameter.Model(s, false); err != nil {
		return err
	}
	return p.Calibrate(s)
}

// BeginRound opens, in the last round, the model.
func (p *single) BeginRound(r *sdk.Round) error {
	return p.Begin(r, func(at *sdk.Setup, model int) error {
		if model != p.model {
			return nil
		}
		return p.rows.Open(at, model, 1)
	})
}

// EndRound asks for another step, or gives the result.
func (p *single) EndRound(r *sdk.Round) (another bool, err error) {
	if another, err = p.Rounds.EndRound(r); another || err != nil {
		return another, err
	}
	return false, p.rows.Emit(r)
}

// Combine gives the model's rows to a host that does not take them so.
func (p *single) Combine(b *sdk.Batch) error { return p.rows.Combine(b) }
