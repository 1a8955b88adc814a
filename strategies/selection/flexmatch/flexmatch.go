// Package flexmatch is the curriculum of thresholds of FlexMatch (arXiv 2110.08263;
// TorchSSL, models/flexmatch): a class of which few images are confidently
// predicted gets a lower threshold. With n_c the images predicted as c with p >= t
// and d the largest n_c (with warm-up: or the number of images below t, where that
// is larger), an image is kept where p >= t b / (2 - b), b = n_c / d.
//
// It is for models that are sure of some classes and never of others: there a fixed
// threshold leaves classes without a label. Counts are of the probabilities at hand
// alone; TorchSSL's remember each image's last confident label.
package flexmatch

import (
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/strategies/selection/ranking"
)

// Policy is "flexmatch".
var Policy = sdk.Policy{
	Name:    "flexmatch",
	Version: "1.0.0",
	Summary: "every image that reaches its class's threshold, lower for classes with few confident images",
	Parameters: `{
		"type": "object",
		"additionalProperties": false,
		"properties": {
			"t": {
				"type": "number", "minimum": 0, "default": 0.95,
				"description": "the threshold of the class with the most confident images"
			},
			"warmup": {
				"type": "boolean", "default": true,
				"description": "thresholds are low for all classes as long as most images are below t"
			},
			"cap": ` + ranking.CapParameter + `,
			"weight": ` + ranking.WeightParameter + `
		}
	}`,
	Needs:     []sdk.ViewKind{sdk.ViewStats},
	Rounds:    true,
	Selection: func() sdk.Selection { return &flexMatch{} },
}

type flexMatch struct {
	t          float64
	warmup     bool
	weight     ranking.Weight
	stats      *sdk.View[sdk.Stats]
	counts     []float64 // by class, of the first pass
	thresholds []float32 // by class; nil in the first pass
	capped     *ranking.Lists
}

// Configure opens the view of confidences.
func (f *flexMatch) Configure(s *sdk.Setup) (err error) {
	if f.t, err = s.Float("t"); err != nil {
		return err
	}
	if f.warmup, err = s.Bool("warmup"); err != nil {
		return err
	}
	most, err := s.Int("cap")
	if err != nil {
		return err
	}
	if f.weight, err = ranking.NewWeight(s); err != nil {
		return err
	}
	f.counts = make([]float64, s.Classes)
	if most > 0 {
		f.capped = ranking.New(int(s.Classes), most)
	}
	f.stats, err = s.OpenStats(sdk.Ensemble, sdk.FlagNoEntropy)
	return err
}

// Observe counts in the first pass and selects in the second.
func (f *flexMatch) Observe(b *sdk.Batch) error {
	stats, err := f.stats.Batch(b)
	if err != nil {
		return err
	}
	for i, s := range stats {
		switch {
		case f.thresholds == nil:
			if s.P >= float32(f.t) {
				f.counts[s.Class]++
			}
		case s.P < f.thresholds[s.Class]:
		case f.capped != nil:
			f.capped.Offer(int(s.Class), ranking.Row{Row: b.First + i, P: s.P, Margin: s.Margin})
		default:
			if err := b.Emit(f.weight.Label(b.First+i, int(s.Class), s.P)); err != nil {
				return err
			}
		}
	}
	return nil
}

// EndRound finds the thresholds after the first pass.
func (f *flexMatch) EndRound(r *sdk.Round) (bool, error) {
	if f.thresholds == nil {
		return true, f.findThresholds(r)
	}
	if f.capped == nil {
		return false, nil
	}
	return false, f.capped.Emit(r, f.weight)
}

func (f *flexMatch) findThresholds(r *sdk.Round) error {
	var most, confident float64
	for _, n := range f.counts {
		most, confident = max(most, n), confident+n
	}
	if f.warmup {
		most = max(most, float64(r.Rows)-confident)
	}
	f.thresholds = make([]float32, len(f.counts))
	values := make([]float64, len(f.counts))
	for c, n := range f.counts {
		if n > 0 {
			b := n / most
			f.thresholds[c] = float32(f.t * b / (2 - b))
		}
		values[c] = float64(f.thresholds[c])
	}
	if err := ranking.Metrics(r, "count", f.counts); err != nil {
		return err
	}
	return ranking.Metrics(r, "threshold", values)
}
