// Package logmean is the logarithmic opinion pool: the geometric mean of the models'
// probabilities, softmax(sum of w_m log p^m). One model that is sure that a picture
// is not of a class has a veto; with weights of 1 it is the product of experts.
package logmean

import (
	"cmp"
	"math"
	"slices"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/elementary"
	"github.com/upl-host/upl-host/strategies/ensemble/calibration"
	"github.com/upl-host/upl-host/strategies/ensemble/parameter"
	"github.com/upl-host/upl-host/strategies/vector"
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

// most is how many factors, none far below elementary.Tiny, a product in float64 can
// have.
const most = 8

type logMean struct {
	calibration.Rounds
	weights []float64
	factors []factor

	// Of Combine: products so far, and the logarithms of those before, where there
	// are more factors than a product can have.
	products, logs []float64
}

// factor is a model's p^part, up to a number of each row's own. The host makes it,
// for it is p at another temperature, and logarithms cost a module far more. Of a
// weight above 1, which could underflow, it is a part, to be taken several times.
type factor struct {
	part  float64
	times int
	rows  *sdk.View[float32]
	first *sdk.View[sdk.Stats] // of the rows
	plain *sdk.View[sdk.Stats] // of p
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

// BeginRound opens, in the last round, the models' factors.
func (l *logMean) BeginRound(r *sdk.Round) error {
	return l.Begin(r, func(at *sdk.Setup, model int) (err error) {
		if l.weights[model] == 0 {
			return nil
		}
		f := factor{times: int(math.Ceil(l.weights[model]))}
		f.part = l.weights[model] / float64(f.times)
		if f.plain, err = at.OpenStats(model, sdk.FlagNoEntropy); err != nil {
			return err
		}
		if f.part != 1 {
			at = r.At(float32(cmp.Or(float64(l.Temperature(model)), 1) / f.part))
		}
		if f.first, err = at.OpenStats(model, sdk.FlagNoEntropy); err != nil {
			return err
		}
		f.rows, err = at.OpenRows(model)
		l.factors = append(l.factors, f)
		return err
	})
}

// Combine multiplies the factors, and has each row sum to 1.
func (l *logMean) Combine(b *sdk.Batch) error {
	out, classes := b.Output(), int(b.Classes)
	l.products, l.logs = fill(l.products, len(out), 1), l.logs[:0]
	taken := 0
	for _, f := range l.factors {
		for range f.times {
			if taken++; taken > most {
				l.toLogs()
				taken = 1
			}
			if err := f.multiply(l.products, b); err != nil {
				return err
			}
		}
	}
	if len(l.logs) > 0 {
		l.fromLogs(classes)
	}
	for i := 0; i < len(out); i += classes {
		products := l.products[i : i+classes]
		vector.Divide(out[i:i+classes], products, vector.Sum(products))
	}
	return nil
}

// multiply multiplies products by the factor of a batch's rows. What is below tiny in
// p counts as tiny: that is tiny^part in the factor, times what the number of the
// row's own is, by which the first classes differ.
func (f *factor) multiply(products []float64, b *sdk.Batch) error {
	plain, err := f.plain.Batch(b)
	if err != nil {
		return err
	}
	first, err := f.first.Batch(b)
	if err != nil {
		return err
	}
	rows, err := f.rows.Batch(b)
	if err != nil {
		return err
	}
	classes := int(b.Classes)
	for i := range plain {
		least := float32(float64(first[i].P) * elementary.Power(elementary.Tiny/float64(plain[i].P), f.part))
		vector.MultiplyAtLeast(products[i*classes:][:classes], rows[i*classes:][:classes], least)
	}
	return nil
}

// fill gives n values.
func fill(values []float64, n int, value float64) []float64 {
	if len(values) < n {
		values = make([]float64, n)
	}
	values = values[:n]
	for done := copy(values, []float64{value}); done < n; done *= 2 {
		copy(values[done:], values[:done])
	}
	return values
}

// toLogs puts the products by, as logarithms, and begins new ones.
func (l *logMean) toLogs() {
	if len(l.logs) == 0 {
		l.logs = fill(l.logs, len(l.products), 0)
	}
	for i, product := range l.products {
		l.logs[i] += elementary.Log(product)
		l.products[i] = 1
	}
}

// fromLogs makes products of all again, of which each row's largest is 1.
func (l *logMean) fromLogs(classes int) {
	l.toLogs()
	for i := 0; i < len(l.logs); i += classes {
		logs := l.logs[i : i+classes]
		largest := slices.Max(logs)
		for c, x := range logs {
			l.products[i+c] = elementary.Exp(x - largest)
		}
	}
}
