// Package bench measures upl-host on the machine that it runs on: a step of prompt
// learning, encoding pictures and texts, an ensemble with a selection, each on
// sizes of true use. It times what a run calls, and holds the useful operations
// against the machine's rate of matrix products.
package bench

import (
	"context"
	"runtime"
	"time"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/host/progress"
)

// Setup is what all benchmarks have in common.
type Setup struct {
	Threads int // 0: one a core
	Bounds  Bounds
	Display progress.Display // nil: none
}

// ModelSetup is what the benchmarks of a model have in common.
type ModelSetup struct {
	Setup
	// Model is a model's folder. Without one, a model of an Architecture's size with
	// random weights is made in a temporary folder.
	Model        string
	Architecture string
	// Make writes such a model; nil: export.New, in this process, whose memory it
	// leaves larger than it found it.
	Make   func(ctx context.Context, architecture, dir string) error
	Device string // as graphs.Options has it
	// Peak measures the rate that others are held against; nil: graphs.MatMulPeak.
	Peak func(context.Context, graphs.Options) (float64, error)
}

func (s ModelSetup) options() graphs.Options {
	return graphs.Options{Device: s.Device, Threads: s.Threads}
}

func (s ModelSetup) peak(ctx context.Context) (float64, error) {
	if s.Peak != nil {
		return s.Peak(ctx, s.options())
	}
	return graphs.MatMulPeak(ctx, s.options())
}

// Bounds end a measurement. A first run, which builds what later ones use, is
// neither counted nor timed.
type Bounds struct {
	// Runs is how often what is measured is run; 0: as often as Duration has time
	// for, 3 times at least.
	Runs     int
	Duration time.Duration // 0: 10 s
}

// Report is what a benchmark measured. A number that was not measured, or has no
// meaning for a benchmark, is 0 and not in JSON.
type Report struct {
	Benchmark string `json:"benchmark"` // prompt, encode, select, text
	Model     string `json:"model"`     // its name; of select, those of the probabilities
	Device    string `json:"device"`    // CPU, GPU:0, …
	Threads   int    `json:"threads"`
	Settings
	Item  string `json:"item"`  // step, picture, row, text
	Items int    `json:"items"` // of a run
	Runs  int    `json:"runs"`
	// Median and Min are seconds of a run, ItemsPerSecond Items by Median.
	Median         float64 `json:"median_s"`
	Min            float64 `json:"min_s"`
	ItemsPerSecond float64 `json:"items_per_s"`
	// GFLOPS are 10^9 useful floating-point operations a second: those that are
	// needed at least, by Median (graphs.Model.GradientOperations, ImageOperations,
	// TextOperations); PeakGFLOPS what Peak found before or behind the runs, whichever
	// is more.
	GFLOPS     float64 `json:"gflops,omitempty"`
	PeakGFLOPS float64 `json:"peak_gflops,omitempty"`
	// RSS is the largest resident set while the model was opened and run, in bytes,
	// TensorFlow's library included.
	RSS int64 `json:"rss_bytes,omitempty"`
	// EqualWithin is the relative L2 distance of the gradient from the model's own, of
	// several the largest.
	EqualWithin *float64 `json:"equal_within,omitempty"`
	Stages
}

// Settings are what was measured.
type Settings struct {
	Classes       int    `json:"classes,omitempty"`
	Batch         int    `json:"batch,omitempty"`
	ContextLength int    `json:"context_length,omitempty"`
	Position      string `json:"position,omitempty"`
	ClassSpecific bool   `json:"class_specific,omitempty"`
	Path          Path   `json:"path,omitempty"`
	Seeds         int    `json:"seeds,omitempty"`        // contexts side by side
	Memory        int64  `json:"memory_bytes,omitempty"` // what they were bounded by
	Parts         int    `json:"parts,omitempty"`        // that the classes went in, if several
	Templates     int    `json:"templates,omitempty"`
	Skipped       int    `json:"skipped,omitempty"` // pictures that cannot be decoded
	Rows          int    `json:"rows,omitempty"`
	Models        int    `json:"models,omitempty"`
	Policy        string `json:"policy,omitempty"`
}

// Stages are seconds of parts of a run, medians. Decode and Tower are measured
// alone: in a run they overlap.
type Stages struct {
	Decode    float64 `json:"decode_s,omitempty"` // reading, decoding, resizing
	Tower     float64 `json:"tower_s,omitempty"`  // the image tower over pixels in memory
	Ensemble  float64 `json:"ensemble_s,omitempty"`
	Selection float64 `json:"select_s,omitempty"`
	// GBPerSecond are 10^9 bytes of the models' probabilities that are read a
	// second, of a run: each file once for the ensemble.
	GBPerSecond float64 `json:"gb_per_s,omitempty"`
}

// threads is the number of threads that an option stands for.
func threads(option int) int {
	if option == 0 {
		return runtime.GOMAXPROCS(0)
	}
	return option
}

// rate fills in what follows from a run's items and its useful operations.
func (r *Report) rate(t timing, items int, operations int64) {
	r.Items, r.Runs, r.Median, r.Min = items, len(t), t.median(), t.min()
	r.ItemsPerSecond = float64(items) / r.Median
	r.GFLOPS = float64(operations) / r.Median / 1e9
}
