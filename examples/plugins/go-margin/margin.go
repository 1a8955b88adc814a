package main

import (
	"cmp"
	"slices"

	"github.com/upl-host/upl-host/sdk"
)

// policy ranks images by how far the first class is ahead of the second, where
// top-k ranks by the first alone: 0.55 against 0.05 is taken before 0.6 against
// 0.4 (best against second best, as active learning has it: Scheffer et al. 2001).
var policy = sdk.Policy{
	Name:    "top-k-margin",
	Version: "1.0.0",
	Summary: "per class the K images whose first class is furthest ahead of the second",
	Parameters: `{
		"type": "object",
		"additionalProperties": false,
		"properties": {
			"k": {
				"type": "integer", "minimum": 1, "maximum": 100000, "default": 16,
				"description": "images per class"
			},
			"least": {
				"type": "number", "minimum": 0, "maximum": 1, "default": 0,
				"description": "the least margin"
			}
		}
	}`,
	Needs:     []sdk.ViewKind{sdk.ViewStats},
	Selection: func() sdk.Selection { return &topKMargin{} },
}

type topKMargin struct {
	k       int
	least   float32
	stats   *sdk.View[sdk.Stats]
	classes [][]image // the best so far, of each class; 2 k at most
}

type image struct {
	row    int
	margin float32
}

// Configure reads the parameters and opens the view: 16 bytes a row, which the
// host computes.
func (t *topKMargin) Configure(s *sdk.Setup) (err error) {
	if t.k, err = s.Int("k"); err != nil {
		return err
	}
	least, err := s.Float("least")
	if err != nil {
		return err
	}
	t.least = float32(least)
	t.classes = make([][]image, s.Classes)
	t.stats, err = s.OpenStats(sdk.Ensemble, sdk.FlagNoEntropy)
	return err
}

// Observe keeps the images of a batch that may be among the best.
func (t *topKMargin) Observe(b *sdk.Batch) error {
	stats, err := t.stats.Batch(b)
	if err != nil {
		return err
	}
	for i, s := range stats {
		if s.Margin < t.least {
			continue
		}
		images := &t.classes[s.Class]
		*images = append(*images, image{b.First + i, s.Margin})
		if len(*images) == 2*t.k {
			*images = t.best(*images)
		}
	}
	return nil
}

// best is the k largest margins, of equals the earlier image.
func (t *topKMargin) best(images []image) []image {
	slices.SortFunc(images, func(a, b image) int {
		return cmp.Or(cmp.Compare(b.margin, a.margin), cmp.Compare(a.row, b.row))
	})
	return images[:min(t.k, len(images))]
}

// EndRound emits the best of each class, and records the smallest margin.
func (t *topKMargin) EndRound(r *sdk.Round) (bool, error) {
	smallest, found := float32(1), false
	for class, images := range t.classes {
		for _, m := range t.best(images) {
			smallest, found = min(smallest, m.margin), true
			if err := r.Emit(sdk.Label{Row: uint64(m.row), Class: uint32(class), Weight: 1}); err != nil {
				return false, err
			}
		}
	}
	if !found {
		return false, nil
	}
	return false, r.Metric("smallest_margin", float64(smallest))
}
