// Package threshold is the selection rule of self-training: every image whose
// largest probability reaches a threshold, as its predicted class.
package threshold

import (
	"cmp"
	"slices"

	"github.com/upl-host/upl-host/sdk"
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
			"cap": {
				"type": "integer", "minimum": 0, "default": 0,
				"description": "the most images per class, the most confident first; 0: all"
			},
			"weight": {
				"enum": ["one", "confidence"], "default": "one",
				"description": "weight of an image in training: 1, or its probability"
			}
		}
	}`,
	Needs:     []sdk.ViewKind{sdk.ViewStats},
	Selection: func() sdk.Selection { return &threshold{} },
}

type threshold struct {
	t          float32
	cap        int
	confidence bool
	stats      *sdk.View[sdk.Stats]
	classes    [][]candidate // what a class has; used with a cap only
}

type candidate struct {
	row       int
	p, margin float32
}

// Configure opens the view of confidences.
func (t *threshold) Configure(s *sdk.Setup) error {
	least, err := s.Float("t")
	if err != nil {
		return err
	}
	if t.cap, err = s.Int("cap"); err != nil {
		return err
	}
	weight, err := s.Text("weight")
	if err != nil {
		return err
	}
	t.t, t.confidence = float32(least), weight == "confidence"
	t.classes = make([][]candidate, s.Classes)
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
		c := candidate{b.First + i, s.P, s.Margin}
		if t.cap > 0 {
			t.classes[s.Class] = append(t.classes[s.Class], c)
		} else if err := t.emit(b.Round, int(s.Class), c); err != nil {
			return err
		}
	}
	return nil
}

// EndRound emits the first of each class that a cap leaves.
func (t *threshold) EndRound(r *sdk.Round) (bool, error) {
	for class, candidates := range t.classes {
		slices.SortFunc(candidates, func(a, b candidate) int {
			return cmp.Or(cmp.Compare(b.p, a.p), cmp.Compare(b.margin, a.margin), cmp.Compare(a.row, b.row))
		})
		for _, c := range candidates[:min(t.cap, len(candidates))] {
			if err := t.emit(r, class, c); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

func (t *threshold) emit(r *sdk.Round, class int, c candidate) error {
	label := sdk.Label{Row: uint64(c.row), Class: uint32(class), Weight: 1}
	if t.confidence {
		label.Weight = c.p
	}
	return r.Emit(label)
}
