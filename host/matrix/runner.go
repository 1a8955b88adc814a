package matrix

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/folder"
)

// runner is a matrix at work in this process.
type runner struct {
	matrix  *config.Matrix
	options Options
	folder  *folder.Folder // nil: another process has the tables
	result  *Result
	queue   []int // runs that are not known to have ended
	failed  []error
	clock   clock
}

func newRunner(m *config.Matrix, o Options) *runner {
	r := &runner{matrix: m, options: o, result: newResult(m)}
	for i := range m.Runs {
		r.queue = append(r.queue, i)
	}
	return r
}

// write writes the tables, where they are this process's.
func (r *runner) write() error {
	if r.folder == nil {
		return nil
	}
	return r.result.write(r.folder)
}

// polling is how often the runs of other processes are looked at.
const polling = time.Second

// all does one run after the other that no other process is at. Who has the tables
// waits for these.
func (r *runner) all(ctx context.Context) error {
	for len(r.queue) > 0 {
		at, err := r.free()
		if err != nil {
			return err
		}
		if at < 0 && r.folder == nil {
			r.result.Elsewhere = len(r.queue)
			break
		}
		if at < 0 {
			r.options.Display.Say("waiting for %d runs that other processes are at", len(r.queue))
			if err := pause(ctx, polling); err != nil {
				return err
			}
			continue
		}
		if err := r.take(ctx, at); err != nil {
			return err
		}
	}
	if len(r.failed) > 0 {
		return &FailedError{Of: len(r.matrix.Runs), Failed: r.failed}
	}
	return nil
}

// free is the place in the queue of the first run that nobody is at; -1: none.
func (r *runner) free() (int, error) {
	for at, i := range r.queue {
		locked, err := folder.Locked(r.matrix.Runs[i].Config.Run.Out)
		if err != nil {
			return -1, err
		}
		if !locked {
			return at, nil
		}
	}
	return -1, nil
}

// take does a run of the queue. It stays there where another process was faster.
func (r *runner) take(ctx context.Context, at int) error {
	err := r.one(ctx, r.queue[at])
	var locked *folder.LockedError
	if errors.As(err, &locked) {
		return nil
	}
	if err != nil {
		return err
	}
	r.queue = slices.Delete(r.queue, at, at+1)
	if err := r.write(); err != nil {
		return err
	}
	var next []*config.Config
	if at < len(r.queue) {
		next = append(next, r.matrix.Runs[r.queue[at]].Config)
	}
	return r.options.Shared.Keep(next...)
}

// one does a run, or finds it done. An error ends the matrix, or is that another
// process is at it.
func (r *runner) one(ctx context.Context, i int) error {
	run := r.matrix.Runs[i]
	summary, err := host.Finished(ctx, run.Config, r.options.Options)
	if err != nil {
		return err
	}
	if summary == nil {
		say := r.options.Display.Say
		say("run %d of %d: %s begins%s", i+1, len(r.matrix.Runs), run.Name, r.clock.left(r.left()))
		began := time.Now()
		if summary, err = host.Run(ctx, run.Config, r.options.Options); err == nil {
			took := time.Since(began)
			r.clock.took(run, took)
			say("run %d of %d: %s: %s in %s", i+1, len(r.matrix.Runs), run.Name, headline(summary), took.Round(10*time.Millisecond))
		}
	}
	if err == nil {
		r.result.Cells[i].done(summary.Metrics)
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if locked := new(folder.LockedError); errors.As(err, &locked) {
		return err
	}
	err = fmt.Errorf("%s: %w", run.Name, err)
	if noRoom(err) {
		return fmt.Errorf("%w; no other run was begun: make room for files, and the same command goes on", err)
	}
	r.options.Display.Say("failed: %v", err)
	r.result.Cells[i].failed(err)
	r.failed = append(r.failed, err)
	if r.options.FailFast {
		return errors.Join(&FailedError{Of: len(r.matrix.Runs), Failed: r.failed}, r.write())
	}
	return nil
}

// noRoom reports whether files cannot be written, those of other runs neither.
func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// left are the runs of the queue.
func (r *runner) left() []config.MatrixRun {
	runs := make([]config.MatrixRun, len(r.queue))
	for k, i := range r.queue {
		runs[k] = r.matrix.Runs[i]
	}
	return runs
}

// headline is what a run ends with, in a word.
func headline(s *host.Summary) string {
	c := Cell{Metrics: s.Metrics}
	if v := c.Measures().Top1; v != nil {
		return points(*v) + " %"
	}
	return "no labels"
}
