// Package progress shows how far long work is: bars on a terminal, a quiet line
// every few seconds where there is none.
package progress

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// Display shows tasks, one after the other or side by side.
type Display interface {
	// Start begins a task of total units ("pictures", "steps").
	Start(name string, total int, unit string) Task
	// Say prints a line above whatever is shown.
	Say(format string, arguments ...any)
	// Close ends the display; unfinished tasks stay as they are.
	Close()
}

// Task is a piece of work on display. Its methods may be called from several goroutines.
type Task interface {
	// Set tells how many units are done.
	Set(done int)
	// End ends the task, finished or not.
	End()
}

// New returns bars for a terminal, lines otherwise.
func New(w io.Writer, terminal bool) Display {
	if terminal {
		return &bars{progress: mpb.New(mpb.WithOutput(w), mpb.WithWidth(32), mpb.WithRefreshRate(100*time.Millisecond))}
	}
	return &lines{w: w, every: 5 * time.Second, now: time.Now}
}

// Silent shows nothing.
var Silent Display = silent{}

type silent struct{}

func (silent) Start(string, int, string) Task { return silent{} }
func (silent) Say(string, ...any)             {}
func (silent) Close()                         {}
func (silent) Set(int)                        {}
func (silent) End()                           {}

type bars struct{ progress *mpb.Progress }

func (b *bars) Start(name string, total int, unit string) Task {
	bar := b.progress.AddBar(int64(total),
		mpb.PrependDecorators(decor.Name(name, decor.WC{W: 10, C: decor.DindentRight})),
		mpb.AppendDecorators(decor.CountersNoUnit("%d / %d "+unit), decor.Name("  "),
			decor.OnComplete(decor.AverageETA(decor.ET_STYLE_GO), "done")))
	return task{bar}
}

func (b *bars) Say(format string, arguments ...any) {
	fmt.Fprintf(b.progress, format+"\n", arguments...)
}

func (b *bars) Close() { b.progress.Shutdown() }

type task struct{ bar *mpb.Bar }

func (t task) Set(done int) { t.bar.SetCurrent(int64(done)) }

func (t task) End() {
	if !t.bar.Completed() {
		t.bar.Abort(false)
	}
	t.bar.Wait()
}

type lines struct {
	mutex sync.Mutex
	w     io.Writer
	every time.Duration
	now   func() time.Time
}

func (l *lines) Start(name string, total int, unit string) Task {
	now := l.now()
	return &line{lines: l, name: name, total: total, unit: unit, began: now, printed: now}
}

func (l *lines) Say(format string, arguments ...any) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	fmt.Fprintf(l.w, format+"\n", arguments...)
}

func (l *lines) Close() {}

type line struct {
	lines          *lines
	name, unit     string
	total, done    int
	before         int // done when the work began: another run's
	begun          bool
	began, printed time.Time
}

func (t *line) Set(done int) {
	t.lines.mutex.Lock()
	defer t.lines.mutex.Unlock()
	if !t.begun {
		t.begun, t.before = true, max(0, done-1)
	}
	t.done = done
	now := t.lines.now()
	if now.Sub(t.printed) < t.lines.every || done >= t.total {
		return
	}
	t.printed = now
	left := ""
	if n := done - t.before; n > 0 {
		seconds := now.Sub(t.began).Seconds() * float64(t.total-done) / float64(n)
		left = fmt.Sprintf(", about %s left", time.Duration(seconds*float64(time.Second)).Round(time.Second))
	}
	fmt.Fprintf(t.lines.w, "%s: %d of %d %s%s\n", t.name, done, t.total, t.unit, left)
}

func (t *line) End() {
	t.lines.mutex.Lock()
	defer t.lines.mutex.Unlock()
	fmt.Fprintf(t.lines.w, "%s: %d of %d %s in %s\n", t.name, t.done, t.total, t.unit, t.lines.now().Sub(t.began).Round(time.Millisecond))
}
