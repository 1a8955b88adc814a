package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/upl-host/upl-host/graphs/export"
	"github.com/upl-host/upl-host/host/backbone"
)

// randomSeed is that of the weights and of all data that is made up.
const randomSeed = 1

// subject is a model that is measured, with its report in the making.
type subject struct {
	*backbone.Backbone
	report    *Report
	temporary string // folder for what is made
}

// open opens the model, or makes one. The peak comes first: the process's first
// session decides how many threads TensorFlow has, and it must be one of ours.
func (s ModelSetup) open(ctx context.Context, benchmark, item string) (_ *subject, err error) {
	peak, err := s.peak(ctx)
	if err != nil {
		return nil, err
	}
	o := &subject{report: &Report{
		Benchmark: benchmark, Item: item, Threads: threads(s.Threads), PeakGFLOPS: peak / 1e9,
	}}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.close())
		}
	}()
	if o.temporary, err = temporary(); err != nil {
		return nil, err
	}
	dir := s.Model
	if dir == "" {
		dir = filepath.Join(o.temporary, "model")
		if err := s.make(ctx, dir); err != nil {
			return nil, err
		}
	}
	forgetPeak()
	description, err := backbone.Describe(dir, "")
	if err != nil {
		return nil, err
	}
	if o.Backbone, err = description.Open(s.options()); err != nil {
		return nil, err
	}
	o.report.Model, o.report.Device = description.Config.Name, o.Device()
	return o, nil
}

// temporary makes a folder, which is to be removed.
func temporary() (string, error) {
	folder, err := os.MkdirTemp("", "upl-host-bench-*")
	if err != nil {
		return "", fmt.Errorf("making a temporary folder: %w", err)
	}
	return folder, nil
}

func (s ModelSetup) make(ctx context.Context, dir string) error {
	task := s.display().Start("model", 1, "models, "+s.Architecture+" with random weights")
	defer task.End()
	write := s.Make
	if write == nil {
		write = func(ctx context.Context, architecture, dir string) error {
			return export.New(ctx, dir, architecture, randomSeed, false)
		}
	}
	if err := write(ctx, s.Architecture, dir); err != nil {
		return err
	}
	task.Set(1)
	return nil
}

// close closes the model, and removes what was made.
func (o *subject) close() (err error) {
	if o.Backbone != nil {
		err = o.Close()
	}
	return errors.Join(err, os.RemoveAll(o.temporary)) // of "" it does nothing
}

// finish notes the memory, and the peak once more: a machine that others share is
// not always as fast, and a rate is held against its best.
func (o *subject) finish(ctx context.Context, s ModelSetup) error {
	o.report.RSS = peakMemory()
	peak, err := s.peak(ctx)
	o.report.PeakGFLOPS = max(o.report.PeakGFLOPS, peak/1e9)
	return err
}
