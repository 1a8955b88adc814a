package arrays

import (
	"sync/atomic"

	"github.com/upl-host/upl-host/host/progress"
	"github.com/upl-host/upl-host/plugins"
)

// meter shows how far a policy's pass over the data is by the rows that it has
// been read for; each pass begins anew.
type meter struct {
	task progress.Task
	rows int
	done atomic.Int64
	over atomic.Bool // what is read later is another pass's
}

// watch is probabilities that tell a meter of being read.
func (m *meter) watch(p plugins.Probabilities) plugins.Probabilities { return watched{p, m} }

func (m *meter) read(first, n int) {
	if m.over.Load() {
		return
	}
	end := int64(first + n)
	if first > 0 { // several threads read ahead
		end = max(end, m.done.Load())
	}
	m.done.Store(end)
	// Not the last row: there may be another pass.
	m.task.Set(int(min(end, int64(m.rows)-1)))
}

// finish is the end of the last pass.
func (m *meter) finish() {
	m.over.Store(true)
	m.task.Set(m.rows)
}

type watched struct {
	plugins.Probabilities
	meter *meter
}

func (w watched) Read(first, n int, dst []float32) error {
	err := w.Probabilities.Read(first, n, dst)
	w.meter.read(first, n)
	return err
}
