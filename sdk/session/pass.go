package session

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/upl-host/upl-host/sdk"
)

// source is a batch of one model's (or the ensemble's) probabilities.
type source struct {
	classes int
	rows    []float32
	tops    []top
}

func (s *source) row(i int) []float32 { return s.rows[i*s.classes : (i+1)*s.classes] }

// batch is a range of rows with the records of its views.
type batch struct {
	first, rows int
	sources     []*source // by model, the ensemble last; nil where no view needs it
	data        [][]byte  // by view
	err         error
	ready       chan struct{}
}

// pass takes all rows past the views, in order: global ones accumulate, and visit
// sees every batch. Batches are prepared ahead by several threads.
func (r *run) pass(ctx context.Context, globals []*view, visit func(*batch) error) error {
	threads := r.in.Threads
	setDefault(&threads, runtime.GOMAXPROCS(0))

	ctx, cancel := context.WithCancelCause(ctx)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer cancel(nil)

	free := make(chan *batch, threads+2)
	for range cap(free) {
		free <- &batch{sources: make([]*source, len(r.in.Models)+1), data: make([][]byte, len(r.views))}
	}
	// A batch is in both channels at once: to be prepared, and, in order, to be
	// visited once it is ready. Neither ever blocks the producer, for there are
	// no more batches than places.
	jobs, order := make(chan *batch, cap(free)), make(chan *batch, cap(free))
	workers.Go(func() {
		defer close(jobs)
		defer close(order)
		for first := 0; first < r.rows; first += int(r.dataset.BatchRows) {
			select {
			case b := <-free:
				b.first, b.rows = first, min(int(r.dataset.BatchRows), r.rows-first)
				b.ready = make(chan struct{})
				jobs <- b
				order <- b
			case <-ctx.Done():
				return
			}
		}
	})
	for range threads {
		workers.Go(func() {
			for b := range jobs {
				b.err = r.prepare(b)
				close(b.ready)
			}
		})
	}
	for b := range order {
		<-b.ready
		if b.err != nil {
			return b.err
		}
		for _, v := range globals {
			v.global.add(b.first, b.sources[v.source])
		}
		if err := visit(b); err != nil {
			return err
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		free <- b
	}
	for _, v := range globals {
		v.global.finish()
	}
	return context.Cause(ctx)
}

// prepare reads and checks the probabilities that the views need, and fills the
// batch views.
func (r *run) prepare(b *batch) error {
	models := len(r.in.Models)
	needed, tops := r.needed()
	for i, need := range needed {
		if !need {
			continue
		}
		if b.sources[i] == nil {
			b.sources[i] = &source{classes: r.classes, rows: make([]float32, int(r.dataset.BatchRows)*r.classes)}
		}
		s := b.sources[i]
		s.rows = s.rows[:b.rows*r.classes]
		if i == models && r.in.Ensemble == nil {
			r.mean(b)
		} else if err := r.load(i, b); err != nil {
			return err
		}
		if s.tops = s.tops[:0]; tops[i] {
			for row := range b.rows {
				s.tops = append(s.tops, scan(s.row(row)))
			}
		}
	}
	for i, v := range r.views {
		if v.spec.Kind == sdk.ViewRows {
			b.data[i] = bytesOf(b.sources[v.source].rows)
		}
		if v.fill == nil {
			continue
		}
		if size := b.rows * v.size; cap(b.data[i]) < size {
			b.data[i] = make([]byte, size)
		} else {
			b.data[i] = b.data[i][:size]
		}
		v.fill(b, b.data[i])
	}
	return nil
}

// needed says which sources the open views look at, and of which they need the
// first classes.
func (r *run) needed() (sources, tops []bool) {
	models := len(r.in.Models)
	sources, tops = make([]bool, models+1), make([]bool, models+1)
	for _, v := range r.views {
		first, last := v.source, v.source
		if v.spec.Kind == sdk.ViewAgree {
			first, last = 0, models-1
		}
		for i := first; i <= last; i++ {
			sources[i] = true
			tops[i] = tops[i] || v.top
		}
	}
	if r.in.Ensemble == nil && sources[models] {
		for i := range models { // of which it is the mean
			sources[i] = true
		}
	}
	return sources, tops
}

func (r *run) load(i int, b *batch) error {
	from := r.in.Ensemble
	if i < len(r.in.Models) {
		from = r.in.Models[i]
	}
	s := b.sources[i]
	if err := from.Read(b.first, b.rows, s.rows); err != nil {
		return fmt.Errorf("reading probabilities of %s: %w", r.in.source(i), err)
	}
	for row := range b.rows {
		if reason := checkRow(s.row(row), maxExcess); reason != "" {
			return &DataError{r.in.source(i), b.first + row, reason}
		}
	}
	return nil
}

// mean is the ensemble of a policy that has yet to make one: the sum over models
// in their order, in float64, by their number.
func (r *run) mean(b *batch) {
	models := len(r.in.Models)
	out := b.sources[models].rows
	var sums [1024]float64
	for from := 0; from < len(out); from += len(sums) {
		part := out[from:min(from+len(sums), len(out))]
		clear(sums[:])
		for m := range models {
			for i, p := range b.sources[m].rows[from : from+len(part)] {
				sums[i] += float64(p)
			}
		}
		for i := range part {
			part[i] = float32(sums[i] / float64(models))
		}
	}
}
