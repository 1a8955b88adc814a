// Package threshold is the selection rule of self-training: every image whose
// largest probability reaches a threshold, as its predicted class.
package threshold

import (
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/strategies/selection/ranking"
)

// Policy is "threshold".
var Policy = sdk.Policy{
	Name:    "threshold",
	Version: "1.0.0",
	Summary: "every image whose largest probability reaches t",
	Parameters: `{
		"type": "object",
		"additionalProperties": false,
		"properties": {
			"t": {
				"type": "number", "minimum": 0, "maximum": 1, "default": 0.9,
				"description": "the least probability, compared in float32"
			},
			"cap": ` + ranking.CapParameter + `,
			"weight": ` + ranking.WeightParameter + `
		}
	}`,
	Needs:     []sdk.ViewKind{sdk.ViewStats},
	Selection: func() sdk.Selection { return &threshold{} },
}

type threshold struct {
	t      float32
	weight ranking.Weight
	stats  *sdk.View[sdk.Stats]
	capped *ranking.Lists // nil without a cap
}

// Configure opens the view of confidences.
func (t *threshold) Configure(s *sdk.Setup) error {
	least, err := s.Float("t")
	if err != nil {
		return err
	}
	most, err := s.Int("cap")
	if err != nil {
		return err
	}
	if t.weight, err = ranking.NewWeight(s); err != nil {
		return err
	}
	t.t = float32(least)
	if most > 0 {
		t.capped = ranking.New(int(s.Classes), most)
	}
	t.stats, err = s.OpenStats(sdk.Ensemble, sdk.FlagNoEntropy)
	return err
}

// Observe emits the images that reach the threshold or, with a cap, keeps them.
func (t *threshold) Observe(b *sdk.Batch) error {
	stats, err := t.stats.Batch(b)
	if err != nil {
		return err
	}
	for i, s := range stats {
		if s.P < t.t {
			continue
		}
		row := ranking.Row{Row: b.First + i, P: s.P, Margin: s.Margin}
		if t.capped != nil {
			t.capped.Offer(int(s.Class), row)
		} else if err := b.Emit(t.weight.Label(row.Row, int(s.Class), s.P)); err != nil {
			return err
		}
	}
	return nil
}

// EndRound emits the first of each class that a cap leaves.
func (t *threshold) EndRound(r *sdk.Round) (bool, error) {
	if t.capped == nil {
		return false, nil
	}
	return false, t.capped.Emit(r, t.weight)
}
