package matrix

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
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
// Several processes, on one machine or many that share the folder, may run the same
// matrix at once: each does runs that no other is at. The first has the tables and
// waits for the others' runs; one that finds nothing left to begin ends, with
// Result.Elsewhere. One that is killed leaves its part to the others.
//
// Errors: *CheckError, *FailedError, those of host.Run, ctx.Err().
func Run(ctx context.Context, m *config.Matrix, o Options) (_ *Result, err error) {
	o.Shared, o.Display = host.NewShared(), newDisplay(o.Display)
	defer func() { err = errors.Join(err, o.Shared.Close()) }()
	if err := check(ctx, m, o); err != nil {
		return nil, err
	}
	led, result, err := lead(ctx, m, o)
	if led || err != nil {
		return result, err
	}
	if err := expectMatrix(ctx, m.Out); err != nil {
		return nil, err
	}
	o.Display.Say("another process is at work in %s: doing the runs that it is not at", m.Out)
	helper := newRunner(m, o)
	failed := new(FailedError)
	helped := helper.all(ctx)
	if helped != nil && (o.FailFast || !errors.As(helped, &failed)) {
		return helper.result, helped
	}
	// Who had the tables may have ended before its time.
	led, result, err = lead(ctx, m, o)
	if led || err != nil {
		return result, err
	}
	return helper.result, helped
}

// lead does what is left of a matrix and has its tables, unless another process has.
func lead(ctx context.Context, m *config.Matrix, o Options) (led bool, _ *Result, err error) {
	f, err := folder.Open(m.Out)
	var locked *folder.LockedError
	if errors.As(err, &locked) {
		return false, nil, nil
	}
	if err != nil {
		return false, nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := claim(f); err != nil {
		return true, nil, err
	}
	r := newRunner(m, o)
	r.folder = f
	if err := r.write(); err != nil { // from here on the folder is a matrix's
		return true, nil, err
	}
	return true, r.result, r.all(ctx)
}

// expectMatrix refuses a folder where another process works on something else. One
// that has just begun is given time to say what it is.
func expectMatrix(ctx context.Context, path string) error {
	for range 50 {
		if there, err := folder.At(path).Exists(cellsName); err != nil || there {
			return err
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return &folder.LockedError{Path: path}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
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
	var locked *folder.LockedError
	if errors.As(err, &locked) { // by who writes the same tables
		return result, nil
	}
	if err != nil {
		return nil, err
	}
	return result, errors.Join(result.write(f), f.Close())
}

// check prepares every run. Of faults that several have, the first's is shown.
func check(ctx context.Context, m *config.Matrix, o Options) error {
	var texts []string
	runs := make(map[string][]int) // by fault: those that have it
	e := &CheckError{}
	for i, r := range m.Runs {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := host.Check(ctx, r.Config, o.Options)
		if err == nil {
			continue
		}
		// The folder's name is not what is wrong.
		text := strings.ReplaceAll(err.Error(), r.Config.Run.Out, "its folder")
		if runs[text] == nil {
			texts = append(texts, text)
			e.messages = append(e.messages, err.Error())
			e.errs = append(e.errs, err)
		}
		runs[text] = append(runs[text], i)
	}
	for k, text := range texts {
		e.messages[k] = whose(m.Runs, runs[text]) + ": " + e.messages[k]
	}
	if len(e.errs) == 0 {
		return nil
	}
	return e
}

// whose names the runs that have a fault, and before them the cells that these runs
// alone have: the fault is in one of them.
func whose(runs []config.MatrixRun, faulty []int) string {
	name := runs[faulty[0]].Name
	if more := len(faulty) - 1; more > 0 {
		name += fmt.Sprintf(" and %d more", more)
	}
	if len(faulty) == len(runs) {
		return name
	}
	var cells []string
	for _, cell := range runs[faulty[0]].Cells {
		shared := true
		for i := range runs {
			shared = shared && slices.Contains(runs[i].Cells, cell) == slices.Contains(faulty, i)
		}
		if shared {
			cells = append(cells, cell)
		}
	}
	return strings.Join(append(cells, name), ": ")
}

// runFolder is where a run of a matrix lies, as its table names it.
func runFolder(name string) string { return filepath.ToSlash(filepath.Join("runs", name)) }
