package session

import (
	"context"
	"runtime"
	"sync"

	"github.com/upl-host/upl-host/sdk"
)

// batch is a range of rows with the records of its views.
type batch struct {
	first, rows int
	sources     []*source // as the plan has them; nil where no view needs it
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

	plan := r.plan()
	free := make(chan *batch, r.ahead(threads, &plan))
	for range cap(free) {
		free <- &batch{sources: make([]*source, len(plan.needed)), data: make([][]byte, len(r.views))}
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
				b.err = r.prepare(ctx, b, &plan)
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

// ahead is how many batches there are at once: enough for all threads, in 128 MiB
// where one alone does not take more.
func (r *run) ahead(threads int, p *plan) int {
	each := 0
	for _, needed := range p.needed {
		if needed {
			each += 4 * r.classes
		}
	}
	for _, v := range r.views {
		if v.fill != nil {
			each += v.size
		}
	}
	const most = 128 << 20
	return max(min(threads+2, most/max(each*int(r.dataset.BatchRows), 1)), 1)
}

// prepare reads and checks the probabilities that the views need, and fills the
// batch views.
func (r *run) prepare(ctx context.Context, b *batch, p *plan) error {
	if err := r.make(b, p); err != nil {
		return err
	}
	for i, v := range r.views {
		if err := context.Cause(ctx); err != nil { // a guest can have many views, and dear ones
			return err
		}
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
		if err := v.fill(b, b.data[i]); err != nil {
			return err
		}
	}
	return nil
}
