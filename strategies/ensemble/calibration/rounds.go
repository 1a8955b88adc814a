package calibration

import "github.com/upl-host/upl-host/sdk"

// Rounds are those of an ensemble that has the parameter "calibrate", which embeds
// it: a step of the search each, and a last one in which the ensemble opens its
// views, for their temperatures are known only then.
type Rounds struct {
	calibration *Calibration // nil without
	last        bool
}

// Calibrate reads the parameter, in Configure.
func (c *Rounds) Calibrate(s *sdk.Setup) (err error) {
	c.calibration, err = New(s)
	return err
}

// Begin takes a step or, in the last round, has open called for each model, with
// the set-up at its temperature: p as it is without a calibration.
func (c *Rounds) Begin(r *sdk.Round, open func(at *sdk.Setup, model int) error) error {
	if !c.calibration.Done() {
		return c.calibration.BeginRound(r)
	}
	c.last = true
	r.SkipBatches()
	for model := range int(r.Models) {
		if err := open(r.At(c.calibration.Temperature(model)), model); err != nil {
			return err
		}
	}
	return nil
}

// Temperature of a model, in the last round; 0 without a calibration.
func (c *Rounds) Temperature(model int) float32 { return c.calibration.Temperature(model) }

// Observe is a step of the search.
func (c *Rounds) Observe(b *sdk.Batch) error { return c.calibration.Observe(b) }

// EndRound ends a step, and asks for another round but after the last.
func (c *Rounds) EndRound(r *sdk.Round) (another bool, err error) {
	if c.last {
		return false, nil
	}
	return true, c.calibration.EndRound(r)
}
