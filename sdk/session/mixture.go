package session

import (
	"context"
	"sync"

	"github.com/upl-host/upl-host/sdk"
)

// share is an origin of rows in a mean.
type share struct {
	origin origin
	weight float64 // a float32
}

// mixture is the mean of a policy's shares, made of the models' rows as it is read.
type mixture struct {
	run    *run // over the models, without an ensemble
	plan   plan
	shares []share
	places []int // of the shares, in the plan
	weight float64
	free   sync.Pool // of *batch
}

// mixture is the ensemble that the guest has emitted the shares of.
func (r *run) mixture() *mixture {
	m := &mixture{
		run:    &run{in: r.in, dataset: r.dataset, rows: r.rows, classes: r.classes},
		shares: r.shares,
	}
	m.plan = m.run.emptyPlan()
	for _, s := range m.shares {
		m.places = append(m.places, m.plan.want(m.run, s.origin))
		m.weight += s.weight
	}
	m.free.New = func() any { return &batch{sources: make([]*source, len(m.plan.needed))} }
	return m
}

// Rows is N.
func (m *mixture) Rows() int { return m.run.rows }

// Classes is C.
func (m *mixture) Classes() int { return m.run.classes }

// Read makes rows. It may be called concurrently.
func (m *mixture) Read(first, n int, dst []float32) error {
	b := m.free.Get().(*batch)
	defer m.free.Put(b)
	step := max(partElements/m.run.classes, 1)
	for end := first + n; first < end; first += b.rows {
		b.first, b.rows = first, min(step, end-first)
		size := b.rows * m.run.classes
		if err := m.fill(b, dst[:size:size]); err != nil {
			return err
		}
		dst = dst[size:]
	}
	return nil
}

// fill makes the rows of a batch. A sole share is made where it is wanted.
func (m *mixture) fill(b *batch, dst []float32) error {
	if len(m.shares) == 1 {
		at := m.places[0]
		b.sources[at] = &source{classes: m.run.classes, rows: dst}
		defer func() { b.sources[at] = nil }()
		return m.run.make(b, &m.plan)
	}
	if err := m.run.make(b, &m.plan); err != nil {
		return err
	}
	rows, weights := make([][]float32, len(m.shares)), make([]float64, len(m.shares))
	for i, s := range m.shares {
		rows[i], weights[i] = b.sources[m.places[i]].rows, s.weight
	}
	mix(dst, rows, weights, m.weight)
	return nil
}

// emitMixture emits the mixture's rows: the guest is not called.
func (r *run) emitMixture(ctx context.Context, emit func(first int, rows []float32) error) error {
	in := *r.in
	in.Ensemble = r.mixture()
	r.in, r.current = &in, nil
	ensemble := len(in.Models)
	r.views = []*view{{spec: sdk.ViewSpec{Kind: sdk.ViewRows}, origin: origin{model: ensemble}}}
	return r.pass(ctx, nil, func(b *batch) error { return emit(b.first, b.sources[ensemble].rows) })
}
