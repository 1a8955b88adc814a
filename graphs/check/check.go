// Package check is the room of a model's examination: does a folder keep the
// model contract, do its gradients agree with finite differences, and does it
// compute what a reference says. It sees models through their signatures alone,
// so that it judges anyone's.
package check

import (
	"context"
	"errors"
	"math"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
)

// Options say what is checked beyond the contract.
type Options struct {
	Model graphs.Options
	// Reference holds expected values under the keys of ReferenceKeys; nil: none.
	Reference map[string]array.Array
	// Pixels gives the pictures behind the reference's `pixels`, decoded and
	// preprocessed as the model's configuration has it: n x H x W x 3,
	// normalised, in the reference's order. They, and the features of them, are
	// held against the reference's. nil: no pictures.
	Pixels func(ctx context.Context, c graphs.Config) (pixels []float32, n int, err error)
}

// Report is what was found.
type Report struct {
	Dir    string        `json:"dir"`
	Config graphs.Config `json:"config"`
	Hash   string        `json:"hash,omitempty"`
	Device string        `json:"device,omitempty"`
	Items  []Item        `json:"items"`
	// Unchecked are keys of the reference that nothing here computes.
	Unchecked []string `json:"unchecked,omitempty"`
}

// Item is one finding. Where Measured is set, it passes when it is at most Tolerance.
type Item struct {
	Name string `json:"name"`
	// What says what is measured: "largest difference", "relative L2", …
	What      string  `json:"what"`
	Measured  float64 `json:"measured"`
	Tolerance float64 `json:"tolerance"`
	OK        bool    `json:"ok"`
	Skipped   bool    `json:"skipped,omitempty"` // the model or the reference has nothing to check
	Detail    string  `json:"detail,omitempty"`
}

// OK reports whether nothing failed.
func (r Report) OK() bool {
	for _, item := range r.Items {
		if !item.OK && !item.Skipped {
			return false
		}
	}
	return true
}

// Check examines the model in dir. What the model does wrong is in the report;
// an error means that it could not be examined (a cancelled ctx, no TensorFlow,
// no such device).
func Check(ctx context.Context, dir string, options Options) (_ Report, err error) {
	r := Report{Dir: dir}
	model, err := graphs.Open(dir, options.Model)
	switch {
	case err == nil:
	case errors.Is(err, graphs.ErrConfig), errors.Is(err, graphs.ErrContract):
		r.fail("contract", err)
		return r, nil
	default:
		return r, err
	}
	defer func() { err = errors.Join(err, model.Close()) }()
	r.Config, r.Hash, r.Device = model.Config(), model.Hash(), model.Device()
	r.Items = append(r.Items, Item{Name: "contract", What: "signatures and upl.json agree", OK: true})
	steps := []func(context.Context, *examination) error{
		checkImages, checkTexts, checkSimilarity, checkPrompts, checkGradient,
	}
	e, err := newExamination(model, &r, options)
	if err != nil {
		r.fail("tokens", err)
		return r, nil
	}
	if options.Reference != nil {
		steps = append(steps, checkReference)
	}
	for _, step := range steps {
		if err := step(ctx, e); err != nil {
			if ctx.Err() != nil {
				return r, ctx.Err()
			}
			r.fail("run", err)
		}
	}
	return r, nil
}

func (r *Report) fail(name string, err error) {
	r.Items = append(r.Items, Item{Name: name, What: "ran", Detail: err.Error()})
}

func (r *Report) skip(name, why string) {
	r.Items = append(r.Items, Item{Name: name, Skipped: true, Detail: why})
}

// measure adds a finding that passes up to its tolerance; NaN fails.
func (r *Report) measure(name, what string, measured, tolerance float64) {
	r.Items = append(r.Items, Item{Name: name, What: what, Measured: finite(measured), Tolerance: tolerance, OK: measured <= tolerance})
}

// finite keeps the report writable as JSON, which has no NaN.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return math.MaxFloat64
	}
	return v
}

// largestDifference is max |a - b|; NaN where either has one, +Inf where sizes differ.
func largestDifference(a, b []float32) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	worst := 0.0
	for i := range a {
		d := math.Abs(float64(a[i]) - float64(b[i]))
		if math.IsNaN(d) {
			return d
		}
		worst = max(worst, d)
	}
	return worst
}

// relativeL2 is |a - b| / |b|.
func relativeL2(a, b []float32) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	var difference, size float64
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		difference += d * d
		size += float64(b[i]) * float64(b[i])
	}
	return math.Sqrt(difference / size)
}

// worstNorm is the largest | |row| - 1 |.
func worstNorm(m array.Matrix) float64 {
	worst := 0.0
	for i := range m.Rows {
		worst = max(worst, math.Abs(norm(m.Row(i))-1))
	}
	return worst
}

func norm(row []float32) float64 { return math.Sqrt(dot(row, row)) }

func dot(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}
