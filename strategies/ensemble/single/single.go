// Package single is the ensemble of one of the models.
package single

import (
	"slices"
	"strconv"
	"strings"

	"github.com/upl-host/upl-host/sdk"
)

// Policy is "single".
var Policy = sdk.Policy{
	Name:    "single",
	Version: "1.0.0",
	Summary: "the probabilities of one of the models",
	Parameters: `{
		"type": "object",
		"additionalProperties": false,
		"properties": {
			"model": {
				"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}], "default": 0,
				"description": "the model's place in the configuration, from 0, or its name"
			}
		}
	}`,
	Needs:    []sdk.ViewKind{sdk.ViewRows},
	Ensemble: func() sdk.Combiner { return &single{} },
}

type single struct{ rows *sdk.View[float32] }

// Configure finds the model.
func (p *single) Configure(s *sdk.Setup) error {
	model, err := s.Int("model")
	if name, textErr := s.Text("model"); textErr == nil {
		if model = slices.Index(s.ModelNames, name); model < 0 {
			return sdk.Unusable("model", strconv.Quote(name)+" is none of "+strings.Join(s.ModelNames, ", "))
		}
	} else if err != nil {
		return err
	}
	if model < 0 || model >= int(s.Models) {
		return sdk.Unusable("model", "is "+strconv.Itoa(model)+", and there are models 0 to "+strconv.Itoa(int(s.Models)-1))
	}
	p.rows, err = s.OpenRows(model)
	return err
}

// Combine gives the model's rows, bit for bit.
func (p *single) Combine(b *sdk.Batch) error {
	return p.rows.ReadInto(b.Output(), b.First, b.Rows)
}
