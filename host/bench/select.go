package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/upl-host/upl-host/host/arrays"
	"github.com/upl-host/upl-host/host/label"
	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
)

// SelectSetup is an ensemble of several models' probabilities and a selection from
// it, as `upl-host select` makes them.
type SelectSetup struct {
	Setup
	// Files are probabilities [N, C], a .npy file a model; without any, Models of
	// Rows x Classes are made.
	Files                 []string
	Rows, Classes, Models int
	Policy                string
	Catalogue             *plugins.Catalogue
}

// Select measures it; it needs no TensorFlow. The files are read as often as they
// are measured: what the system's memory has room for comes from there.
func Select(ctx context.Context, s SelectSetup) (_ *Report, err error) {
	// Before data is made for it.
	if _, err := label.Open(ctx, s.Catalogue, s.Policy, nil, sdk.KindSelection); err != nil {
		return nil, err
	}
	folder, err := temporary()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if len(s.Files) == 0 {
		if s.Files, err = s.writeProbabilities(ctx, folder); err != nil {
			return nil, err
		}
	}
	bytes := int64(0)
	for _, file := range s.Files {
		info, err := os.Stat(file)
		if err != nil {
			return nil, &arrays.Error{Err: err}
		}
		bytes += info.Size()
	}
	job := arrays.Job{
		Sources: arrays.Sources{Probabilities: s.Files}, Policy: arrays.Choice{Name: s.Policy},
		Output: filepath.Join(folder, "selection.npz"), Seed: randomSeed, Threads: s.Threads, Catalogue: s.Catalogue,
	}
	forgetPeak()
	var did *arrays.Report
	var ensemble, selection timing
	times, err := s.measure(ctx, "select", func() error {
		if did, err = job.Select(ctx); err != nil {
			return err
		}
		ensemble, selection = append(ensemble, did.EnsembleSeconds), append(selection, did.Seconds)
		return nil
	})
	if err != nil {
		return nil, err
	}
	r := &Report{
		Benchmark: "select", Model: strings.Join(did.Models, ", "), Device: "CPU", Threads: threads(s.Threads), Item: "row",
		Settings: Settings{Classes: did.Classes, Rows: did.Rows, Models: len(did.Models), Policy: s.Policy},
		RSS:      peakMemory(),
	}
	r.rate(times, did.Rows, 0)
	// The first run was not timed.
	r.Ensemble, r.Selection = ensemble[1:].median(), selection[1:].median()
	r.GBPerSecond = float64(bytes) / r.Median / 1e9
	return r, nil
}
