package matrix

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/folder"
)

// Options of a matrix, beside its configuration.
type Options struct {
	host.Options
	// FailFast ends the matrix with the first run that fails.
	FailFast bool
}

// FailedError says that some runs of a matrix failed. Their errors are in it.
type FailedError struct {
	Of     int // runs
	Failed []error
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("%d of %d runs failed, the others are in the table; the first: %v", len(e.Failed), e.Of, e.Failed[0])
}

// Unwrap returns the runs' errors.
func (e *FailedError) Unwrap() []error { return e.Failed }

// CheckError says what is wrong with the runs of a matrix before any of them began.
type CheckError struct {
	messages []string
	errs     []error
}

func (e *CheckError) Error() string {
	return "nothing was begun, for what is wrong with these runs of the matrix:\n  " + strings.Join(e.messages, "\n  ")
}

// Unwrap returns the errors.
func (e *CheckError) Unwrap() []error { return e.errs }

// Run does all runs of a matrix that are not done yet, and writes the tables into
// its folder after each. It may be stopped at any moment: what is done stays, and
// the tables are the same bytes in the end. Before the first run begins all of them
// are checked. A run that fails is noted in the table, and the others go on; the
// error is then a *FailedError, and the result is there.
//
// Errors: *CheckError, *FailedError, those of host.Run, ctx.Err().
func Run(ctx context.Context, m *config.Matrix, o Options) (_ *Result, err error) {
	o.Shared, o.Display = host.NewShared(), newDisplay(o.Display)
	defer func() { err = errors.Join(err, o.Shared.Close()) }()
	if err := check(ctx, m, o); err != nil {
		return nil, err
	}
	f, err := folder.Open(m.Out)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := claim(f); err != nil {
		return nil, err
	}
	r := runner{matrix: m, options: o, folder: f, result: newResult(m)}
	return r.result, r.all(ctx)
}

// claim refuses a folder that is something else's.
func claim(f *folder.Folder) error {
	empty, err := f.Empty()
	if err != nil || empty {
		return err
	}
	if there, err := f.Exists(cellsName); err != nil || there {
		return err
	}
	return &host.UsageError{Err: fmt.Errorf("%s is neither empty nor a matrix's folder: choose another one with --out", f.Path)}
}

// Finished returns the result of a matrix that is done already; nil where anything
// is left to do. It needs no TensorFlow.
func Finished(ctx context.Context, m *config.Matrix, o Options) (_ *Result, err error) {
	if there, err := folder.At(m.Out).Exists(cellsName); err != nil || !there {
		return nil, err
	}
	o.Shared = host.NewShared()
	defer func() { err = errors.Join(err, o.Shared.Close()) }()
	result := newResult(m)
	for i, r := range m.Runs {
		summary, err := host.Finished(ctx, r.Config, o.Options)
		if err != nil || summary == nil {
			return nil, err
		}
		result.Cells[i].done(summary.Metrics)
	}
	f, err := folder.Open(m.Out)
	if err != nil {
		return nil, err
	}
	return result, errors.Join(result.write(f), f.Close())
}

// check prepares every run. Of faults that several have, the first's is shown.
func check(ctx context.Context, m *config.Matrix, o Options) error {
	e := &CheckError{}
	first := make(map[string]int)
	runs := make(map[int]int) // by message: how many more
	for _, r := range m.Runs {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := host.Check(ctx, r.Config, o.Options)
		if err == nil {
			continue
		}
		// The folder's name is not what is wrong.
		text := strings.ReplaceAll(err.Error(), r.Config.Run.Out, "its folder")
		if at, ok := first[text]; ok {
			runs[at]++
			continue
		}
		first[text] = len(e.messages)
		e.messages = append(e.messages, r.Name+": "+err.Error())
		e.errs = append(e.errs, err)
	}
	for at, n := range runs {
		name, text, _ := strings.Cut(e.messages[at], ": ")
		e.messages[at] = fmt.Sprintf("%s and %d more: %s", name, n, text)
	}
	if len(e.errs) == 0 {
		return nil
	}
	return e
}

// runner is a matrix at work.
type runner struct {
	matrix  *config.Matrix
	options Options
	folder  *folder.Folder
	result  *Result
	failed  []error
	clock   clock
}

func (r *runner) all(ctx context.Context) error {
	if err := r.result.write(r.folder); err != nil { // from here on the folder is a matrix's
		return err
	}
	runs := r.matrix.Runs
	for i := range runs {
		if err := r.one(ctx, i); err != nil {
			return err
		}
		if err := r.result.write(r.folder); err != nil {
			return err
		}
		var next []*config.Config
		if i+1 < len(runs) {
			next = append(next, runs[i+1].Config)
		}
		if err := r.options.Shared.Keep(next...); err != nil {
			return err
		}
	}
	if len(r.failed) > 0 {
		return &FailedError{Of: len(runs), Failed: r.failed}
	}
	return nil
}

// one does a run, or finds it done. An error ends the matrix.
func (r *runner) one(ctx context.Context, i int) error {
	run := r.matrix.Runs[i]
	summary, err := host.Finished(ctx, run.Config, r.options.Options)
	if err != nil {
		return err
	}
	if summary == nil {
		say := r.options.Display.Say
		say("run %d of %d: %s begins%s", i+1, len(r.matrix.Runs), run.Name, r.clock.left(r.matrix.Runs[i:]))
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
	err = fmt.Errorf("%s: %w", run.Name, err)
	r.options.Display.Say("failed: %v", err)
	r.result.Cells[i].failed(err)
	r.failed = append(r.failed, err)
	if r.options.FailFast {
		return errors.Join(&FailedError{Of: len(r.matrix.Runs), Failed: r.failed}, r.result.write(r.folder))
	}
	return nil
}

// headline is what a run ends with, in a word.
func headline(s *host.Summary) string {
	c := Cell{Metrics: s.Metrics}
	if v := c.Measures().Top1; v != nil {
		return points(*v) + " %"
	}
	return "no labels"
}

// clock guesses how long runs will take by how long those before them took.
type clock struct {
	all map[string]mean // by what is alike between runs
}

type mean struct {
	sum time.Duration
	n   int
}

func (m mean) of() time.Duration { return m.sum / time.Duration(max(1, m.n)) }

// kinds are what is alike between runs, the most telling first.
func kinds(r config.MatrixRun) []string {
	return []string{
		strings.Join([]string{r.Dataset, r.Model, r.Method, r.Strategy, fmt.Sprint(r.K)}, "\n"),
		strings.Join([]string{r.Dataset, r.Model, r.Method}, "\n"), r.Method, "",
	}
}

func (c *clock) took(r config.MatrixRun, d time.Duration) {
	if c.all == nil {
		c.all = make(map[string]mean)
	}
	for _, kind := range kinds(r) {
		m := c.all[kind]
		c.all[kind] = mean{m.sum + d, m.n + 1}
	}
}

// left says how long runs will take; nothing where nobody knows.
func (c *clock) left(runs []config.MatrixRun) string {
	if len(c.all) == 0 {
		return ""
	}
	var sum time.Duration
	for _, r := range runs {
		for _, kind := range kinds(r) {
			if m := c.all[kind]; m.n > 0 {
				sum += m.of()
				break
			}
		}
	}
	return fmt.Sprintf(" (about %s left)", max(sum, time.Second).Round(time.Second))
}

// runFolder is where a run of a matrix lies, as its table names it.
func runFolder(name string) string { return filepath.ToSlash(filepath.Join("runs", name)) }
