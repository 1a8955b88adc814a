// Package topk is the selection rule of UPL (arXiv 2204.03649, section 3.2): per
// class the K most confident of the images predicted as it, whatever their
// confidence, so that no class starves.
package topk

import "github.com/upl-host/upl-host/sdk"

// Policy is "top-k".
var Policy = sdk.Policy{
	Name:    "top-k",
	Version: "1.0.0",
	Summary: "per class the K most confident of the images predicted as it",
	Parameters: `{
		"type": "object",
		"additionalProperties": false,
		"properties": {
			"k": {
				"type": "integer", "minimum": 0, "maximum": 4294967295, "default": 16,
				"description": "images per class; 0: all"
			},
			"weight": {
				"enum": ["one", "confidence"], "default": "one",
				"description": "weight of an image in training: 1, or its probability"
			}
		}
	}`,
	Needs:     []sdk.ViewKind{sdk.ViewClassTopK},
	Selection: func() sdk.Selection { return &topK{} },
}

type topK struct {
	confidence bool
	best       *sdk.ClassTopK // order within a class: confidence, margin, row
}

// Configure opens the view that ranks each class.
func (t *topK) Configure(s *sdk.Setup) error {
	k, err := s.Int("k")
	if err != nil {
		return err
	}
	weight, err := s.Text("weight")
	if err != nil {
		return err
	}
	t.confidence = weight == "confidence"
	if rows := max(int(s.Rows), 1); k == 0 || k > rows {
		k = rows
	}
	t.best, err = s.OpenClassTopK(sdk.Ensemble, k, 0)
	return err
}

// EndRound emits what the view has.
func (t *topK) EndRound(r *sdk.Round) (bool, error) {
	for class := range int(r.Classes) {
		best, err := t.best.Class(class)
		if err != nil {
			return false, err
		}
		for _, row := range best {
			label := sdk.Label{Row: row.Row, Class: uint32(class), Weight: 1}
			if t.confidence {
				label.Weight = row.P
			}
			if err := r.Emit(label); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}
