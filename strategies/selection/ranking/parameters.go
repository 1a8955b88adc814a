package ranking

import "github.com/upl-host/upl-host/sdk"

// The JSON Schemas of parameters that rules share.
const (
	KParameter = `{
		"type": "integer", "minimum": 0, "maximum": 4294967295, "default": 16,
		"description": "images per class; 0: all"
	}`
	CapParameter = `{
		"type": "integer", "minimum": 0, "default": 0,
		"description": "the most images per class, the most confident first; 0: all"
	}`
	WeightParameter = `{
		"enum": ["one", "confidence"], "default": "one",
		"description": "weight of an image in training: 1, or its probability"
	}`
)

// Weight is the parameter "weight": whether a label weighs its confidence, or 1.
type Weight bool

// NewWeight reads the parameter.
func NewWeight(s *sdk.Setup) (Weight, error) {
	text, err := s.Text("weight")
	return text == "confidence", err
}

// Label is a pseudo label of that weight.
func (w Weight) Label(row, class int, p float32) sdk.Label {
	label := sdk.Label{Row: uint64(row), Class: uint32(class), Weight: 1}
	if w {
		label.Weight = p
	}
	return label
}
