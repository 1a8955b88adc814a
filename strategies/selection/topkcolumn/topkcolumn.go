// Package topkcolumn picks per class the k images of which the class is most
// probable, whatever they are predicted as: the labelling of GRIP's baselines
// (Menghini et al., arXiv 2306.01669). No class starves, not even one that is never
// predicted, for which top-k has nothing; an image may serve several classes.
//
// With refine it is TFUP's choice (wlb12345/TFUP, utils.py): of 2 k images, chosen
// from flatter probabilities, those k that are most like the others by the sum of
// their KL divergences. That drops outliers which happen to be confident.
package topkcolumn

import (
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/strategies/selection/ranking"
)

// Policy is "top-k-column".
var Policy = sdk.Policy{
	Name:    "top-k-column",
	Version: "1.0.0",
	Summary: "per class the K images of which it is most probable, whatever they are predicted as",
	Parameters: `{
		"type": "object",
		"additionalProperties": false,
		"properties": {
			"k": ` + ranking.KParameter + `,
			"refine": {
				"type": "boolean", "default": false,
				"description": "of pool times k images those k that are nearest the others"
			},
			"temperature": {
				"type": "number", "minimum": 0.001, "maximum": 1000, "default": 0.1,
				"description": "of refine: at which cosines become the probabilities that are compared"
			},
			"logit_scale": {
				"type": "number", "minimum": 0.001, "maximum": 1000000, "default": 100,
				"description": "of refine: what the cosines were multiplied by"
			},
			"pool": {
				"type": "integer", "minimum": 1, "maximum": 1000, "default": 2,
				"description": "of refine: times k images are looked at"
			},
			"weight": ` + ranking.WeightParameter + `
		}
	}`,
	Needs:     []sdk.ViewKind{sdk.ViewClassTopK, sdk.ViewGather},
	Rounds:    true,
	Selection: func() sdk.Selection { return &topKColumn{} },
}

type topKColumn struct {
	k      int
	weight ranking.Weight
	refine *refine // nil without
	best   *sdk.ClassTopK
}

// Configure reads the parameters.
func (t *topKColumn) Configure(s *sdk.Setup) (err error) {
	if t.k, err = s.Int("k"); err != nil {
		return err
	}
	if t.weight, err = ranking.NewWeight(s); err != nil {
		return err
	}
	refined, err := s.Bool("refine")
	if err != nil {
		return err
	}
	if refined {
		if t.k == 0 {
			return sdk.Unusable("k", "is 0, for all images, of which refine has none to choose")
		}
		t.refine, err = newRefine(s, t.k)
		return err
	}
	t.best, err = s.OpenClassTopK(sdk.Ensemble, within(t.k, s), sdk.FlagAll)
	return err
}

// within is at most all rows; so is 0. A view ranks one at least.
func within(k int, s *sdk.Setup) int {
	if rows := max(int(s.Rows), 1); k == 0 || k > rows {
		return rows
	}
	return k
}

// BeginRound is of refine.
func (t *topKColumn) BeginRound(r *sdk.Round) error {
	if t.refine == nil {
		return nil
	}
	return t.refine.beginRound(r)
}

// EndRound emits the first of each class.
func (t *topKColumn) EndRound(r *sdk.Round) (bool, error) {
	if t.refine != nil {
		another, err := t.refine.endRound(r)
		if another || err != nil {
			return another, err
		}
	}
	for class := range int(r.Classes) {
		best, err := t.first(class)
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

func (t *topKColumn) first(class int) ([]sdk.Ranked, error) {
	if t.refine != nil {
		return t.refine.chosen[class], nil
	}
	return t.best.Class(class)
}
