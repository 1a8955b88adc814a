// Package topk is the selection rule of UPL (arXiv 2204.03649, section 3.2): per
// class the K most confident of the images predicted as it, whatever their
// confidence, so that no class starves.
package topk

import (
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/strategies/selection/ranking"
)

// Policy is "top-k".
var Policy = sdk.Policy{
	Name:    "top-k",
	Version: "1.0.0",
	Summary: "per class the K most confident of the images predicted as it",
	Parameters: `{
		"type": "object",
		"additionalProperties": false,
		"properties": {
			"k": ` + ranking.KParameter + `,
			"weight": ` + ranking.WeightParameter + `
		}
	}`,
	Needs:     []sdk.ViewKind{sdk.ViewClassTopK},
	Selection: func() sdk.Selection { return &topK{} },
}

type topK struct {
	weight ranking.Weight
	best   *sdk.ClassTopK // order within a class: confidence, margin, row
}

// Configure opens the view that ranks each class.
func (t *topK) Configure(s *sdk.Setup) error {
	k, err := s.Int("k")
	if err != nil {
		return err
	}
	if t.weight, err = ranking.NewWeight(s); err != nil {
		return err
	}
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
			if err := r.Emit(t.weight.Label(int(row.Row), class, row.P)); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}
