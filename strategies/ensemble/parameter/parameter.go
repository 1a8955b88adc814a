// Package parameter reads the parameters that several ensembles have.
package parameter

import (
	"slices"
	"strconv"
	"strings"

	"github.com/upl-host/upl-host/sdk"
)

// Weights is the JSON Schema of the parameter "weights".
const Weights = `{
	"anyOf": [{"type": "null"}, {"type": "array", "items": {"type": "number", "minimum": 0}, "minItems": 1}], "default": null,
	"description": "a weight for each model, in the configuration's order; null: equal ones"
}`

// ReadWeights reads the parameter; nil where it is null.
func ReadWeights(s *sdk.Setup) ([]float64, error) {
	if !s.Has("weights") {
		return nil, nil
	}
	weights, err := s.Floats("weights")
	if err != nil {
		return nil, err
	}
	if len(weights) != int(s.Models) {
		return nil, sdk.Unusable("weights", "has "+strconv.Itoa(len(weights))+" numbers, and there are "+strconv.Itoa(int(s.Models))+" models")
	}
	if slices.Max(weights) == 0 {
		return nil, sdk.Unusable("weights", "all are 0: at least one model has to count")
	}
	return weights, nil
}

// Model reads the parameter "model": a model's place or its name or, where mean is
// true, sdk.Ensemble.
func Model(s *sdk.Setup, mean bool) (int, error) {
	if name, err := s.Text("model"); err == nil {
		model := slices.Index(s.ModelNames, name)
		if model < 0 {
			return 0, sdk.Unusable("model", strconv.Quote(name)+" is none of "+strings.Join(s.ModelNames, ", "))
		}
		return model, nil
	}
	model, err := s.Int("model")
	if err != nil {
		return 0, err
	}
	if mean && model == sdk.Ensemble {
		return model, nil
	}
	if model < 0 || model >= int(s.Models) {
		return 0, sdk.Unusable("model", "is "+strconv.Itoa(model)+", and there are models 0 to "+strconv.Itoa(int(s.Models)-1))
	}
	return model, nil
}
