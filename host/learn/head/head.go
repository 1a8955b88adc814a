// Package head is what a run learns on top of frozen features, whatever the method:
// something that turns pictures' features into logits.
package head

import (
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn/numeric"
)

// Head turns features into logits. It may be used by one goroutine at a time.
type Head interface {
	Classes() int
	// Width is D, of the features.
	Width() int
	// Logits fills out [N, C] with the logits of features [N, D], L2-normalised. An
	// error is that of a model which is asked for them: see Texts.
	Logits(features, out array.Matrix) error
}

// ClassFeatures is the head of zero-shot classification and of prompts: logits are
// Scale times inner products with the classes' features [C, D].
type ClassFeatures struct {
	array.Matrix
	Scale float64 // the model's 1/tau
}

// Classes is C.
func (c ClassFeatures) Classes() int { return c.Rows }

// Width is D.
func (c ClassFeatures) Width() int { return c.Cols }

// Logits fills out.
func (c ClassFeatures) Logits(features, out array.Matrix) error {
	numeric.TimesTransposed(c.Scale, features, c.Matrix, out)
	return nil
}

// Mean is an ensemble, one head at least: the mean of their logits.
type Mean []Head

// Classes is C.
func (m Mean) Classes() int { return m[0].Classes() }

// Width is D.
func (m Mean) Width() int { return m[0].Width() }

// Logits fills out; sums are float64.
func (m Mean) Logits(features, out array.Matrix) error {
	if len(m) == 1 {
		return m[0].Logits(features, out)
	}
	sums := make([]float64, out.Rows*out.Cols)
	for _, h := range m {
		if err := h.Logits(features, out); err != nil {
			return err
		}
		for i, v := range out.Data {
			sums[i] += float64(v)
		}
	}
	for i, sum := range sums {
		out.Data[i] = float32(sum / float64(len(m)))
	}
	return nil
}
