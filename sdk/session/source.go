package session

import (
	"errors"
	"fmt"
	"slices"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/elementary"
)

// origin is what probabilities a view is of.
type origin struct {
	model       int     // len(models): the ensemble; negative: of none
	temperature float32 // 0: as they are
}

// source is a batch of an origin's probabilities.
type source struct {
	classes int
	rows    []float32
	tops    []top
}

func (s *source) row(i int) []float32 { return s.rows[i*s.classes : (i+1)*s.classes] }

// plan is the sources of a pass: each model's, the ensemble's, and then those at
// a temperature, which are made of the former.
type plan struct {
	tempered []tempered
	needed   []bool // by source
	tops     []bool // by source: whether the first classes of its rows are
}

// tempered is an origin at a temperature.
type tempered struct {
	origin
	powers *elementary.Powers // of 1 / the temperature
}

func (r *run) emptyPlan() plan {
	sources := len(r.in.Models) + 1
	return plan{needed: make([]bool, sources), tops: make([]bool, sources)}
}

// plan finds what the open views look at, and tells them where it will be.
func (r *run) plan() plan {
	p := r.emptyPlan()
	for _, v := range r.views {
		if v.spec.Kind == sdk.ViewAgree {
			for m := range r.in.Models {
				p.needed[m], p.tops[m] = true, true
			}
		}
		if v.origin.model >= 0 {
			v.source = p.want(r, v.origin)
			p.tops[v.source] = p.tops[v.source] || v.top
		}
	}
	return p
}

// want is the place of a source, with all that it is made of.
func (p *plan) want(r *run, o origin) int {
	p.needed[o.model] = true
	if o.model == len(r.in.Models) && r.in.Ensemble == nil { // it is their mean
		for m := range r.in.Models {
			p.needed[m] = true
		}
	}
	return p.place(o)
}

// place is where a source is, a new one at the end.
func (p *plan) place(o origin) int {
	if o.temperature == 0 {
		return o.model
	}
	first := len(p.needed) - len(p.tempered)
	for i, other := range p.tempered {
		if other.origin == o {
			return first + i
		}
	}
	p.tempered = append(p.tempered, tempered{o, elementary.NewPowers(1 / float64(o.temperature))})
	p.needed, p.tops = append(p.needed, true), append(p.tops, false)
	return len(p.needed) - 1
}

// partElements is what of a source is worked on at once: with those of some models
// it stays in a core's cache from being read to being looked at.
const partElements = 1 << 15

// make makes the sources of a batch.
func (r *run) make(b *batch, p *plan) error {
	for i, needed := range p.needed {
		if needed {
			r.source(b, i)
		}
	}
	step := max(partElements/r.classes, 1)
	for from := 0; from < b.rows; from += step {
		if err := r.makePart(b, p, from, min(from+step, b.rows)); err != nil {
			return err
		}
	}
	return nil
}

// makePart makes some of the batch's rows, counted from its first.
func (r *run) makePart(b *batch, p *plan, from, to int) error {
	models := len(r.in.Models)
	for i, needed := range p.needed {
		if !needed {
			continue
		}
		s := b.sources[i]
		switch {
		case i > models:
			at := p.tempered[i-models-1]
			room := make([]float64, r.classes)
			for row := from; row < to; row++ {
				temper(b.sources[at.model].row(row), s.row(row), at.powers, room)
			}
		case i == models && r.in.Ensemble == nil:
			r.mean(b, from*r.classes, to*r.classes)
		default:
			if err := r.load(i, b, from, to); err != nil {
				return err
			}
		}
		if p.tops[i] {
			for row := from; row < to; row++ {
				s.tops = append(s.tops, scan(s.row(row)))
			}
		}
	}
	return nil
}

// source gives a batch's i-th room for its rows.
func (r *run) source(b *batch, i int) {
	size := b.rows * r.classes
	if b.sources[i] == nil {
		b.sources[i] = &source{classes: r.classes}
	}
	s := b.sources[i]
	if cap(s.rows) < size {
		s.rows = make([]float32, size)
	}
	s.rows, s.tops = s.rows[:size], s.tops[:0]
}

// load reads and checks some rows of a model's probabilities, or the ensemble's.
func (r *run) load(i int, b *batch, from, to int) error {
	probabilities := r.in.Ensemble
	if i < len(r.in.Models) {
		probabilities = r.in.Models[i]
	}
	s := b.sources[i]
	if err := probabilities.Read(b.first+from, to-from, s.rows[from*r.classes:to*r.classes]); err != nil {
		var data *DataError
		if errors.As(err, &data) {
			return err // of a model that the ensemble is made of
		}
		return fmt.Errorf("reading probabilities of %s: %w", r.in.source(i), err)
	}
	for row := from; row < to; row++ {
		if reason := checkRow(s.row(row), maxExcess); reason != "" {
			return &DataError{"probabilities", r.in.source(i), b.first + row, reason}
		}
	}
	return nil
}

// mean is the ensemble of a policy that has yet to make one, in some elements of a
// batch: the sum over models in their order, in float64, by their number.
func (r *run) mean(b *batch, from, to int) {
	models := len(r.in.Models)
	rows := make([][]float32, models)
	for m := range rows {
		rows[m] = b.sources[m].rows[from:to]
	}
	mix(b.sources[models].rows[from:to], rows, slices.Repeat([]float64{1}, models), float64(models))
}

// temper fills dst with softmax(log max(p, tiny) / temperature), of the powers of 1 by
// it; room is for as many numbers.
func temper(row, dst []float32, powers *elementary.Powers, room []float64) {
	powers.Of(room, row, scan(row).p)
	var sum float64
	for _, e := range room {
		sum += e
	}
	for c, e := range room {
		dst[c] = float32(e / sum)
	}
}
