package process

import (
	"strings"
	"sync"

	"github.com/upl-host/upl-host/sdk/session"
)

// output is what a program prints: its end, for errors, and the lines that have yet
// to go to the run's log.
type output struct {
	flood func() // called once pending is full

	mu      sync.Mutex
	last    []byte
	pending []byte
}

const (
	maxTail    = 8 << 10 // bytes of the end
	maxPending = 4 << 20 // bytes between two calls
)

// Write takes what was printed.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = append(o.last, b[max(0, len(b)-maxTail):]...)
	if len(o.last) > 2*maxTail {
		o.last = append(o.last[:0], o.last[len(o.last)-maxTail:]...)
	}
	if len(o.pending)+len(b) <= maxPending {
		o.pending = append(o.pending, b...)
	} else {
		o.flood()
	}
	return len(b), nil
}

// lines takes the whole lines that were printed since the last time.
func (o *output) lines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	end := strings.LastIndexByte(string(o.pending), '\n')
	if end < 0 {
		return nil
	}
	lines := strings.Split(string(o.pending[:end]), "\n")
	o.pending = append(o.pending[:0], o.pending[end+1:]...)
	return lines
}

// tail is the end, printable.
func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.TrimSpace(session.Printable(string(o.last[max(0, len(o.last)-maxTail):])))
}
