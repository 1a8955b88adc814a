// Package logmean is the logarithmic opinion pool (the geometric mean of the
// models' probabilities; the product of experts, where the weights are 1):
// softmax(sum of w_m log p^m). One model that is sure that it is not a class has a
// veto; where all models err alike it is sharper than the mean.
package logmean

import (
	"math"
	"slices"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/strategies/ensemble/calibration"
	"github.com/upl-host/upl-host/strategies/ensemble/parameter"
)

// Policy is "log-mean".
var Policy = sdk.Policy{
	Name:    "log-mean",
	Version: "1.0.0",
	Summary: "the geometric mean of the models' probabilities",
	Parameters: `{
		"type": "object",
		"additionalProperties": false,
		"properties": {
			"weights": ` + parameter.Weights + `,
			"calibrate": ` + calibration.Parameter + `
		}
	}`,
	Needs:    []sdk.ViewKind{sdk.ViewRows, sdk.ViewStats},
	Rounds:   true,
	Ensemble: func() sdk.Combiner { return &logMean{} },
}

// tiny is what a logarithm takes for less: the least normal float32.
const tiny = 0x1p-126

type logMean struct {
	calibration.Rounds
	weights []float64
	models  []*sdk.View[float32]
	logits  []float64 // of Combine
}

// Configure reads the weights. Their sum is a sharpness, and stays as it is given.
func (l *logMean) Configure(s *sdk.Setup) (err error) {
	if l.weights, err = parameter.ReadWeights(s); err != nil {
		return err
	}
	if l.weights == nil {
		l.weights = slices.Repeat([]float64{1 / float64(s.Models)}, int(s.Models))
	}
	return l.Calibrate(s)
}

// BeginRound opens, in the last round, the models.
func (l *logMean) BeginRound(r *sdk.Round) error {
	return l.Begin(r, func(at *sdk.Setup, model int) error {
		rows, err := at.OpenRows(model)
		l.models = append(l.models, rows)
		return err
	})
}

// Combine sums logarithms over models, and takes the softmax.
func (l *logMean) Combine(b *sdk.Batch) error {
	out := b.Output()
	if len(l.logits) < len(out) {
		l.logits = make([]float64, len(out))
	}
	logits := l.logits[:len(out)]
	clear(logits)
	for m, view := range l.models {
		rows, err := view.Batch(b)
		if err != nil {
			return err
		}
		for i, p := range rows {
			logits[i] += l.weights[m] * math.Log(max(float64(p), tiny))
		}
	}
	classes := int(b.Classes)
	for i := 0; i < len(out); i += classes {
		softmax(logits[i:i+classes], out[i:i+classes])
	}
	return nil
}

// softmax overwrites the logits.
func softmax(logits []float64, out []float32) {
	most := slices.Max(logits)
	var sum float64
	for c, z := range logits {
		logits[c] = math.Exp(z - most)
		sum += logits[c]
	}
	for c, e := range logits {
		out[c] = float32(e / sum)
	}
}
