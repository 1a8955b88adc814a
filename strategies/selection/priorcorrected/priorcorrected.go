// Package priorcorrected is the correction of the label prior of Frolic (arXiv
// 2410.19294; zhuhsingyuu/Frolic, main_zeroshot.py): what a model predicts is skewed
// towards the classes that its pre-training saw often, and how far is estimated from
// its own predictions.
//
// Column c of a matrix A is the mean probabilities of the images that are surely of
// class c: its prediction leads by more than a margin of log probability. The prior
// is A's stationary distribution, found by power iteration; probabilities are divided
// by it, and all that repeated. Then per class the k most confident images of those
// predicted as it are picked. It needs no knowledge of the true prior.
package priorcorrected

import (
	"math"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/elementary"
	"github.com/upl-host/upl-host/strategies/selection/ranking"
	"github.com/upl-host/upl-host/strategies/selection/reweighted"
	"github.com/upl-host/upl-host/strategies/vector"
)

// Policy is "prior-corrected".
var Policy = sdk.Policy{
	Name:    "prior-corrected",
	Version: "1.0.0",
	Summary: "per class the K most confident images after dividing by the model's own prior of the classes",
	Parameters: `{
		"type": "object",
		"additionalProperties": false,
		"properties": {
			"iterations": {
				"type": "integer", "minimum": 0, "default": 10,
				"description": "corrections, each a pass over the probabilities"
			},
			"margin": {
				"anyOf": [{"type": "null"}, {"type": "number", "minimum": 0, "maximum": 1000}], "default": null,
				"description": "by how much the log probability of a sure image's class leads; null: 1 / classes"
			},
			"power_tol": {
				"type": "number", "minimum": 0, "default": 0.001,
				"description": "the power iteration ends when all shares together change by less"
			},
			"power_max": {
				"type": "integer", "minimum": 1, "maximum": 10000, "default": 100,
				"description": "the most steps of the power iteration"
			},
			` + reweighted.OutputParameters + `
		}
	}`,
	Needs:     []sdk.ViewKind{sdk.ViewRows},
	Rounds:    true,
	Selection: func() sdk.Selection { return &corrected{} },
}

type corrected struct {
	iterations int     // still to come
	lead       float64 // of a sure image's probability over the next, as a factor
	power      powerIteration
	p          *reweighted.Matrix
	counts     []float64 // sure images by class
	sums       []float64 // [class][of their probabilities by class]
	prior      []float64
	output     *reweighted.Output
}

// Configure opens the view.
func (p *corrected) Configure(s *sdk.Setup) (err error) {
	if p.iterations, err = s.Int("iterations"); err != nil {
		return err
	}
	margin := 1 / float64(s.Classes)
	if s.Has("margin") {
		if margin, err = s.Float("margin"); err != nil {
			return err
		}
	}
	p.lead = elementary.Exp(margin)
	if p.power.tolerance, err = s.Float("power_tol"); err != nil {
		return err
	}
	if p.power.most, err = s.Int("power_max"); err != nil {
		return err
	}
	if p.output, err = reweighted.NewOutput(s); err != nil {
		return err
	}
	if err := p.output.CheckIterations(s, p.iterations); err != nil {
		return err
	}
	classes := int(s.Classes)
	p.counts, p.sums = make([]float64, classes), make([]float64, classes*classes)
	p.prior = uniform(classes)
	p.p, err = reweighted.Open(s, 1)
	return err
}

// Observe sums the probabilities of sure images, or picks.
func (p *corrected) Observe(b *sdk.Batch) error {
	if p.iterations == 0 {
		return p.output.Observe(b, p.p)
	}
	classes := int(b.Classes)
	return p.p.Rows(b.First, b.Rows, func(_ int, products []float64, sum float64) error {
		class, first, second := vector.FirstTwo(products)
		if first > second*p.lead || classes == 1 {
			p.counts[class]++
			vector.AddScaled(p.sums[class*classes:(class+1)*classes], 1/sum, products)
		}
		return nil
	})
}

// EndRound corrects once more.
func (p *corrected) EndRound(r *sdk.Round) (another bool, err error) {
	if p.iterations == 0 {
		return p.output.EndRound(r)
	}
	p.iterations--
	for class, n := range p.counts {
		if n > 0 {
			column := p.sums[class*len(p.counts):][:len(p.counts)]
			for c := range column {
				column[c] /= n
			}
		}
	}
	if prior, ok := p.power.run(p.sums, len(p.counts)); ok {
		p.prior = prior
		for c, v := range prior {
			p.p.Weights[c] /= v + 1e-12
		}
		p.p.Rescale()
	} else { // no image was sure: there is nothing to correct by
		p.iterations = 0
	}
	clear(p.counts)
	clear(p.sums)
	if p.iterations > 0 {
		return true, nil
	}
	return true, ranking.Metrics(r, "prior", p.prior)
}

// powerIteration finds the stationary distribution of a matrix.
type powerIteration struct {
	tolerance float64
	most      int // steps
}

// run starts at equal shares. The matrix has column c at [c*n:(c+1)*n]. Its result is
// what a step changed by less than the tolerance, before that step; !ok: nothing is
// left after a step.
func (p powerIteration) run(columns []float64, n int) (x []float64, ok bool) {
	x = uniform(n)
	for range p.most {
		next, sum := make([]float64, n), 0.0
		for c, share := range x {
			vector.AddScaled(next, share, columns[c*n:(c+1)*n])
		}
		for _, y := range next {
			sum += y
		}
		if sum == 0 {
			return nil, false
		}
		var change float64
		for c := range next {
			next[c] /= sum
			change += math.Abs(next[c] - x[c])
		}
		if change < p.tolerance {
			return x, true
		}
		x = next
	}
	return x, true
}

func uniform(n int) []float64 {
	x := make([]float64, n)
	for c := range x {
		x[c] = 1 / float64(n)
	}
	return x
}
