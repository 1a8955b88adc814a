// Package weighted is a mean of the models' probabilities in which not all models
// count the same: by fixed weights, or for each image by how sure each model is of
// it (its entropy, or its largest probability).
package weighted

import (
	"math"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/elementary"
	"github.com/upl-host/upl-host/strategies/ensemble/calibration"
	"github.com/upl-host/upl-host/strategies/ensemble/mixture"
	"github.com/upl-host/upl-host/strategies/ensemble/parameter"
	"github.com/upl-host/upl-host/strategies/vector"
)

// Policy is "weighted".
var Policy = sdk.Policy{
	Name:    "weighted",
	Version: "1.0.0",
	Summary: "the mean of the models' probabilities by weights, fixed or by how sure a model is of an image",
	Parameters: `{
		"type": "object",
		"additionalProperties": false,
		"properties": {
			"by": {
				"enum": ["fixed", "entropy", "max"], "default": "fixed",
				"description": "fixed: the weights given; entropy: exp(-H(p) / temperature); max: the largest probability"
			},
			"weights": ` + parameter.Weights + `,
			"temperature": {
				"type": "number", "exclusiveMinimum": 0, "default": 1,
				"description": "by entropy: the lower, the more the surest model rules"
			},
			"calibrate": ` + calibration.Parameter + `
		}
	}`,
	Needs:    []sdk.ViewKind{sdk.ViewRows, sdk.ViewStats},
	Rounds:   true,
	Ensemble: func() sdk.Combiner { return &weighted{} },
}

type weighted struct {
	calibration.Rounds
	by          string
	temperature float64
	fixed       []float32       // by "fixed"; float32 as the host takes them
	mixture     mixture.Mixture // by "fixed"
	models      []*sdk.View[float32]
	stats       []*sdk.View[sdk.Stats]

	// Of Combine: by model, the weight of each row; and their sums.
	weights      [][]float64
	totals, sums []float64
}

// Configure reads the parameters.
func (w *weighted) Configure(s *sdk.Setup) (err error) {
	if w.by, err = s.Text("by"); err != nil {
		return err
	}
	if w.temperature, err = s.Float("temperature"); err != nil {
		return err
	}
	weights, err := parameter.ReadWeights(s)
	if err != nil {
		return err
	}
	if weights != nil && w.by != "fixed" {
		return sdk.Unusable("weights", "are those of by: fixed; by: "+w.by+" finds its own")
	}
	w.fixed = make([]float32, s.Models)
	for m := range w.fixed {
		if w.fixed[m] = 1; weights != nil {
			w.fixed[m] = float32(weights[m])
		}
	}
	return w.Calibrate(s)
}

// BeginRound opens, in the last round, the models.
func (w *weighted) BeginRound(r *sdk.Round) error {
	return w.Begin(r, func(at *sdk.Setup, model int) error {
		if w.by == "fixed" {
			return w.mixture.Open(at, model, w.fixed[model])
		}
		var flags uint16
		if w.by == "max" {
			flags = sdk.FlagNoEntropy
		}
		rows, err := at.OpenRows(model)
		if err != nil {
			return err
		}
		stats, err := at.OpenStats(model, flags)
		w.models, w.stats = append(w.models, rows), append(w.stats, stats)
		return err
	})
}

// EndRound asks for another step or, where the weights are fixed, leaves the mean
// to the host.
func (w *weighted) EndRound(r *sdk.Round) (another bool, err error) {
	if another, err = w.Rounds.EndRound(r); another || err != nil || w.by != "fixed" {
		return another, err
	}
	return false, w.mixture.Emit(r)
}

// Combine is the mean with each row's own weights.
func (w *weighted) Combine(b *sdk.Batch) error {
	if w.by == "fixed" {
		return w.mixture.Combine(b)
	}
	if err := w.weigh(b); err != nil {
		return err
	}
	out := b.Output()
	if len(w.sums) < len(out) {
		w.sums = make([]float64, len(out))
	}
	sums := w.sums[:len(out)]
	clear(sums)
	classes := int(b.Classes)
	for m, view := range w.models {
		rows, err := view.Batch(b)
		if err != nil {
			return err
		}
		for i, weight := range w.weights[m] {
			vector.AddScaled(sums[i*classes:][:classes], weight, rows[i*classes:][:classes])
		}
	}
	for i, total := range w.totals {
		vector.Divide(out[i*classes:][:classes], sums[i*classes:][:classes], total)
	}
	return nil
}

// weigh finds the batch's weights.
func (w *weighted) weigh(b *sdk.Batch) error {
	w.weights = w.weights[:0]
	for _, view := range w.stats {
		stats, err := view.Batch(b)
		if err != nil {
			return err
		}
		weights := make([]float64, len(stats))
		for i, s := range stats {
			if weights[i] = float64(s.P); w.by == "entropy" {
				weights[i] = float64(s.Entropy)
			}
		}
		w.weights = append(w.weights, weights)
	}
	w.totals = w.totals[:0]
	for i := range b.Rows {
		if w.by == "entropy" {
			w.sharpen(i)
		}
		var total float64
		for _, weights := range w.weights {
			total += weights[i]
		}
		w.totals = append(w.totals, total)
	}
	return nil
}

// sharpen makes weights of a row's entropies. The least is taken off, which changes
// no quotient, for at a low temperature all would underflow to 0.
func (w *weighted) sharpen(row int) {
	least := math.Inf(1)
	for _, entropies := range w.weights {
		least = min(least, entropies[row])
	}
	for _, entropies := range w.weights {
		entropies[row] = elementary.Exp((least - entropies[row]) / w.temperature)
	}
}
