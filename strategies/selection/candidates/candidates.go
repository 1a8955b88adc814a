// Package candidates is the labelling of CPL (candidate pseudo labels, ICML 2024;
// vanillaer/CPL-ICML2024, utils/clip_pseudolabels.py): an image gets the set of
// classes that are likely for it, of which the loss takes one to be right. A class is
// in the set where it is likely within the image, one of the first whose
// probabilities together exceed a quantile of all images' confidences, and likely
// between images: its probability is in the upper tenth of its column.
//
// It is for models that are often unsure between a few classes: a hard label would be
// wrong half the time, a set is right. Images with an empty set are left out.
package candidates

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/strategies/selection/ranking"
)

// Policy is "candidates".
var Policy = sdk.Policy{
	Name:    "candidates",
	Version: "1.0.0",
	Summary: "for each image the set of its likely classes",
	Parameters: `{
		"type": "object",
		"additionalProperties": false,
		"properties": {
			"quantile_max": {
				"type": "number", "minimum": 0, "maximum": 1, "default": 0.6,
				"description": "of the images' largest probabilities: what a set's have to exceed together; six decimals at most"
			},
			"quantile_column": {
				"type": "number", "minimum": 0, "maximum": 1, "default": 0.9,
				"description": "of the images' probabilities of a class: what that of an image with the class in its set reaches; six decimals at most"
			},
			"floor": {
				"type": "number", "minimum": 0, "maximum": 1, "default": 1e-7,
				"description": "share of a set's probabilities that a class has to exceed"
			}
		}
	}`,
	Needs:     []sdk.ViewKind{sdk.ViewRows, sdk.ViewTopM, sdk.ViewQuantile},
	Rounds:    true,
	Selection: func() sdk.Selection { return &candidates{} },
}

// peek is how many classes of a row are looked at first: seldom are more likely.
const peek = 16

type candidates struct {
	ofMax, ofColumn fraction
	floor           float64
	rows            *sdk.View[float32]
	top             *sdk.View[sdk.Candidate]

	largest *sdk.View[float64]   // quantiles of the first round
	columns []*sdk.View[float64] // of the round: quantiles of the columns from len(bars) on
	least   float64              // what the probabilities of a set exceed
	bars    []float64            // by class, as far as they are known: what its probability reaches

	set    []uint32
	sorted []sdk.Candidate
}

// Configure reads the parameters.
func (p *candidates) Configure(s *sdk.Setup) (err error) {
	if !s.Takes(sdk.EmitCandidates) {
		return &sdk.Error{Code: sdk.CodeConfig, Message: "it gives sets of classes, and none are taken here"}
	}
	if p.ofMax, err = newFraction(s, "quantile_max"); err != nil {
		return err
	}
	if p.ofColumn, err = newFraction(s, "quantile_column"); err != nil {
		return err
	}
	p.floor, err = s.Float("floor")
	return err
}

// fraction is a quantile, i / m.
type fraction struct{ i, m int }

func newFraction(s *sdk.Setup, parameter string) (fraction, error) {
	x, err := s.Float(parameter)
	if err != nil {
		return fraction{}, err
	}
	for m := 1; m <= 1_000_000; m *= 10 {
		if i := math.Round(x * float64(m)); i/float64(m) == x {
			return fraction{int(i), m}, nil
		}
	}
	return fraction{}, sdk.Unusable(parameter, "has more than six decimals")
}

// finding says that quantiles are yet to be found.
func (p *candidates) finding(s *sdk.Setup) bool { return len(p.bars) < int(s.Classes) && s.Rows > 0 }

// BeginRound opens quantiles of as many columns as the host has room for, or the views
// that sets are made of.
func (p *candidates) BeginRound(r *sdk.Round) (err error) {
	if !p.finding(r.Setup) {
		if p.rows, err = r.OpenRows(sdk.Ensemble); err != nil {
			return err
		}
		p.top, err = r.OpenTopM(sdk.Ensemble, min(peek, int(r.Classes)))
		return err
	}
	r.SkipBatches()
	if r.Number == 0 {
		if p.largest, err = r.OpenQuantile(sdk.Ensemble, sdk.QuantileP, p.ofMax.m); err != nil {
			return err
		}
	}
	p.columns = p.columns[:0]
	for class := len(p.bars); class < int(r.Classes); class++ {
		column, err := r.OpenColumnQuantile(sdk.Ensemble, class, p.ofColumn.m)
		if len(p.columns) > 0 && errors.Is(err, &sdk.Error{Code: sdk.CodeLimit}) {
			return nil // the others in rounds to come
		}
		if err != nil {
			return err
		}
		p.columns = append(p.columns, column)
	}
	return nil
}

// EndRound reads quantiles; once all are known a pass emits the sets.
func (p *candidates) EndRound(r *sdk.Round) (another bool, err error) {
	if !p.finding(r.Setup) {
		return false, nil
	}
	if r.Number == 0 {
		if p.least, err = p.ofMax.read(p.largest); err != nil {
			return false, err
		}
		if err := r.Metric("quantile", p.least); err != nil {
			return false, err
		}
	}
	for _, column := range p.columns {
		bar, err := p.ofColumn.read(column)
		if err != nil {
			return false, err
		}
		p.bars = append(p.bars, bar)
	}
	if p.finding(r.Setup) {
		return true, nil
	}
	return true, ranking.Metrics(r, "column_quantile", p.bars)
}

func (f fraction) read(quantiles *sdk.View[float64]) (float64, error) {
	q, err := quantiles.Read(f.i, 1)
	if err != nil {
		return 0, err
	}
	return q[0], nil
}

// Observe emits the sets of a batch.
func (p *candidates) Observe(b *sdk.Batch) error {
	top, err := p.top.Batch(b)
	if err != nil {
		return err
	}
	m := min(peek, len(p.bars))
	for i := range b.Rows {
		row := b.First + i
		if err := p.find(row, top[i*m:(i+1)*m]); err != nil {
			return err
		}
		if len(p.set) == 0 {
			continue
		}
		if err := b.EmitCandidates(row, 1, p.set...); err != nil {
			return err
		}
	}
	return nil
}

// find fills p.set with a row's set, of its first classes.
func (p *candidates) find(row int, first []sdk.Candidate) error {
	p.set = p.set[:0]
	likely, sum := p.prefix(first)
	if sum <= p.least && len(first) < len(p.bars) {
		var err error
		if first, err = p.sort(row); err != nil {
			return err
		}
		likely, sum = p.prefix(first)
	}
	between := math.Inf(-1) // the sum of the classes that are likely between images, once it is needed
	for _, c := range first[:likely] {
		x := float64(c.P)
		if x < p.bars[c.Class] || x/sum <= p.floor {
			continue
		}
		if x <= 2*p.floor { // it may be too small a share of that sum, which is below 2
			if between < 0 {
				var err error
				if between, err = p.between(row); err != nil {
					return err
				}
			}
			if x/between <= p.floor {
				continue
			}
		}
		p.set = append(p.set, c.Class)
	}
	return nil
}

// prefix is how many classes it takes to exceed the quantile, and their sum; all where
// it is not exceeded.
func (p *candidates) prefix(sorted []sdk.Candidate) (n int, sum float64) {
	for n, c := range sorted {
		if sum += float64(c.P); sum > p.least {
			return n + 1, sum
		}
	}
	return len(sorted), sum
}

// sort gives all classes of a row, the most probable first.
func (p *candidates) sort(row int) ([]sdk.Candidate, error) {
	probabilities, err := p.rows.Read(row, 1)
	if err != nil {
		return nil, err
	}
	p.sorted = p.sorted[:0]
	for c, x := range probabilities {
		p.sorted = append(p.sorted, sdk.Candidate{Class: uint32(c), P: x})
	}
	slices.SortFunc(p.sorted, func(a, b sdk.Candidate) int {
		return cmp.Or(cmp.Compare(b.P, a.P), cmp.Compare(a.Class, b.Class))
	})
	return p.sorted, nil
}

// between is the sum of a row's classes that are likely between images.
func (p *candidates) between(row int) (sum float64, err error) {
	probabilities, err := p.rows.Read(row, 1)
	if err != nil {
		return 0, err
	}
	for c, x := range probabilities {
		if float64(x) >= p.bars[c] {
			sum += float64(x)
		}
	}
	return sum, nil
}
