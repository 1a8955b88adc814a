// Package sinkhorn balances the classes: optimal transport of images to classes
// with entropy regularisation, by Sinkhorn's iteration (Cuturi, arXiv 1306.0895).
// It is the labelling of SeLa (arXiv 1911.05371; yukimasano/self-label) and of InMaP
// (arXiv 2310.19752; idstcv/InMaP), and with a small epsilon comes near OTTER's
// transport (arXiv 2404.08461).
//
// Q is p to the power of 1/epsilon; then, a number of times, columns are scaled to
// the classes' prior and rows to 1. Per class the k images with the largest Q of
// those predicted as it are picked. It is for data whose classes are known to be of
// about equal size, or of known sizes, and a model that prefers some of them.
//
// Q is never in memory: it is p^(1/epsilon) times a weight for each class, by the
// row's sum; an iteration is a pass that finds the next weights.
package sinkhorn

import (
	"math"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/elementary"
	"github.com/upl-host/upl-host/strategies/selection/reweighted"
)

// Policy is "sinkhorn".
var Policy = sdk.Policy{
	Name:    "sinkhorn",
	Version: "1.0.0",
	Summary: "per class the K most confident images after balancing the classes by Sinkhorn's iteration",
	Parameters: `{
		"type": "object",
		"additionalProperties": false,
		"properties": {
			"epsilon": {
				"type": "number", "minimum": 0.001, "maximum": 1000, "default": 1,
				"description": "regularisation: probabilities are taken to the power of 1/epsilon; near 0 each image is transported whole"
			},
			"prior": {
				"enum": ["uniform", "power", "given"], "default": "uniform",
				"description": "share of each class: equal, the model's own to the power of gamma, or the configuration's prior"
			},
			"gamma": {
				"type": "number", "minimum": 0, "maximum": 100, "default": 1,
				"description": "of prior power; 0: uniform, 1: the model's own"
			},
			"iterations": {
				"type": "integer", "minimum": 0, "default": 20,
				"description": "passes over the probabilities"
			},
			` + reweighted.OutputParameters + `
		}
	}`,
	Needs:     []sdk.ViewKind{sdk.ViewRows, sdk.ViewStats},
	Rounds:    true,
	Selection: func() sdk.Selection { return &sinkhorn{} },
}

type sinkhorn struct {
	iterations int // still to come
	kind       string
	gamma      float64
	prior      []float64 // to sum 1; nil until the first pass, of prior power
	q          *reweighted.Matrix
	sums       []float64 // of Q's columns, of a pass
	output     *reweighted.Output
}

// Configure opens the views.
func (p *sinkhorn) Configure(s *sdk.Setup) (err error) {
	epsilon, err := s.Float("epsilon")
	if err != nil {
		return err
	}
	if p.gamma, err = s.Float("gamma"); err != nil {
		return err
	}
	if p.iterations, err = s.Int("iterations"); err != nil {
		return err
	}
	if p.output, err = reweighted.NewOutput(s); err != nil {
		return err
	}
	if err := p.output.CheckIterations(s, p.iterations); err != nil {
		return err
	}
	if err := p.choosePrior(s); err != nil {
		return err
	}
	p.sums = make([]float64, s.Classes)
	p.q, err = reweighted.Open(s, 1/epsilon)
	return err
}

// choosePrior finds the prior where it does not take a pass.
func (p *sinkhorn) choosePrior(s *sdk.Setup) (err error) {
	if p.kind, err = s.Text("prior"); err != nil {
		return err
	}
	switch p.kind {
	case "uniform":
		p.prior = make([]float64, s.Classes)
		for c := range p.prior {
			p.prior[c] = 1
		}
	case "given":
		if len(s.Prior) == 0 {
			return sdk.Unusable("prior", `is "given", and the configuration gives none: give one, or take "uniform" or "power"`)
		}
		p.prior = s.Prior
	default:
		return nil
	}
	p.prior, err = shares(p.prior)
	return err
}

// shares are numbers by their sum.
func shares(of []float64) ([]float64, error) {
	var sum float64
	for _, x := range of {
		sum += x
	}
	if !(sum > 0 && sum <= math.MaxFloat64) { // NaN is neither
		return nil, sdk.Unusable("prior", "its numbers do not sum to one above 0")
	}
	to := make([]float64, len(of))
	for c, x := range of {
		to[c] = x / sum
	}
	return to, nil
}

// Observe sums Q's columns, or picks.
func (p *sinkhorn) Observe(b *sdk.Batch) error {
	if p.iterations == 0 {
		return p.output.Observe(b, p.q)
	}
	return p.q.AddColumns(p.sums, b.First, b.Rows, float64(b.Dataset.Rows))
}

// EndRound scales the columns: rows follow by themselves.
func (p *sinkhorn) EndRound(r *sdk.Round) (another bool, err error) {
	if p.iterations == 0 {
		return p.output.EndRound(r)
	}
	p.iterations--
	if r.Rows == 0 {
		return true, nil
	}
	if p.prior == nil {
		powers := make([]float64, len(p.sums))
		for c, sum := range p.sums {
			powers[c] = power(sum, p.gamma)
		}
		if p.prior, err = shares(powers); err != nil {
			return false, err
		}
	}
	for c, sum := range p.sums {
		// A column of zeros stays so, and one that no float64 could scale up.
		if factor := p.prior[c] / sum; sum > 0 && factor <= math.MaxFloat64 {
			p.q.Weights[c] *= factor
		} else {
			p.q.Weights[c] = 0
		}
	}
	p.q.Rescale()
	clear(p.sums)
	return true, nil
}

// power is x^exponent for x of 0 to 1.
func power(x, exponent float64) float64 {
	switch {
	case exponent == 0:
		return 1
	case x < math.SmallestNonzeroFloat64*(1<<52):
		return 0
	}
	return elementary.Power(x, exponent)
}
