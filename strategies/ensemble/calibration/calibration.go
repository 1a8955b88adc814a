// Package calibration finds, for each model, the temperature at which its mean
// confidence is a target: else the sharpest model of an ensemble rules. With
// conf(T) the mean over images of max softmax(log p / T), the target is a number
// or the mean over models of conf(1).
package calibration

import (
	"strconv"

	"github.com/upl-host/upl-host/sdk"
)

// Parameter is the JSON Schema of the parameter "calibrate". A policy that has it
// needs rounds, and [sdk.ViewStats].
const Parameter = `{
	"anyOf": [{"type": "null"}, {"const": "mean"}, {"type": "number", "minimum": 0, "maximum": 1}], "default": null,
	"description": "a temperature for each model that makes its mean confidence this, or the mean over models"
}`

// Calibration is the search, a step a round: all models at once. A nil one does
// nothing.
type Calibration struct {
	target   float64
	mean     bool // the target is yet to be found
	searches []search
	stats    []*sdk.View[sdk.Stats] // of the round, by model; nil of those that are done
	sums     []float64
}

// New reads the parameter; nil where it is null.
func New(s *sdk.Setup) (*Calibration, error) {
	if !s.Has("calibrate") {
		return nil, nil
	}
	c := &Calibration{mean: true}
	if _, err := s.Text("calibrate"); err != nil {
		if c.target, err = s.Float("calibrate"); err != nil {
			return nil, err
		}
		c.mean = false
	}
	models := int(s.Models)
	c.searches, c.stats, c.sums = make([]search, models), make([]*sdk.View[sdk.Stats], models), make([]float64, models)
	for m := range c.searches {
		c.searches[m] = newSearch()
		if s.Rows == 0 {
			c.searches[m].done = true
		}
	}
	return c, nil
}

// Done says whether all temperatures are found.
func (c *Calibration) Done() bool {
	if c == nil {
		return true
	}
	for _, s := range c.searches {
		if !s.done {
			return false
		}
	}
	return true
}

// Temperature of a model, as far as it is known; 0, that of probabilities as they
// are, without a calibration.
func (c *Calibration) Temperature(model int) float32 {
	if c == nil {
		return 0
	}
	return c.searches[model].temperature()
}

// BeginRound opens the views of a step.
func (c *Calibration) BeginRound(r *sdk.Round) (err error) {
	for m := range c.stats {
		c.stats[m], c.sums[m] = nil, 0
		if s := &c.searches[m]; !s.done {
			if c.stats[m], err = r.At(s.temperature()).OpenStats(m, sdk.FlagNoEntropy); err != nil {
				return err
			}
		}
	}
	return nil
}

// Observe sums confidences.
func (c *Calibration) Observe(b *sdk.Batch) error {
	for m, view := range c.stats {
		if view == nil {
			continue
		}
		stats, err := view.Batch(b)
		if err != nil {
			return err
		}
		for i := range stats {
			c.sums[m] += float64(stats[i].P)
		}
	}
	return nil
}

// EndRound takes the step and, with the last, records the temperatures.
func (c *Calibration) EndRound(r *sdk.Round) error {
	rows := float64(r.Rows)
	if c.mean && rows > 0 { // the first step is at temperature 1
		var sum float64
		for _, confidences := range c.sums {
			sum += confidences / rows
		}
		c.target, c.mean = sum/float64(len(c.sums)), false
	}
	for m := range c.searches {
		if c.stats[m] != nil {
			c.searches[m].step(c.sums[m]/rows - c.target)
		}
	}
	if !c.Done() {
		return nil
	}
	for m := range c.searches {
		if err := r.Metric("temperature_"+strconv.Itoa(m), float64(c.Temperature(m))); err != nil {
			return err
		}
	}
	return nil
}
