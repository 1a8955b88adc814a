package learn

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/upl-host/upl-host/host/learn/numeric"
)

// Settings say how a context is learned. DefaultSettings has those of the paper.
type Settings struct {
	// Seeds name the prompts of the ensemble: one context is learned for each.
	Seeds []uint64 `json:"-"`
	// Epochs counts passes over the pictures, warm-up included.
	Epochs int `json:"epochs"`
	// BatchSize is the number of pictures in a step.
	BatchSize int `json:"batch_size"`
	// LearningRate is where the cosine begins, after the warm-up.
	LearningRate float64 `json:"learning_rate"`
	// WarmupEpochs run at WarmupRate, before the cosine.
	WarmupEpochs int     `json:"warmup_epochs"`
	WarmupRate   float64 `json:"warmup_rate"`
	Momentum     float64 `json:"momentum"`     // in [0, 1)
	WeightDecay  float64 `json:"weight_decay"` // added to the gradient, times the context

	// Together is the most seeds that train side by side, in one step: faster where
	// a step of one is small (ClassPrompts.Together). The last bits depend on it.
	Together int `json:"together"`
	// CheckpointEvery is the time from one checkpoint to the next; 0
	// means a checkpoint after every epoch. An interrupted training saves what it
	// has in any case.
	CheckpointEvery time.Duration `json:"-"`
}

// DefaultSettings are UPL's: 16 prompts of 50 epochs.
func DefaultSettings() Settings {
	s := Settings{
		Epochs: 50, BatchSize: 32,
		LearningRate: 0.002, WarmupEpochs: 1, WarmupRate: 1e-5,
		Momentum: 0.9, WeightDecay: 5e-4,
		Together: 1, CheckpointEvery: 5 * time.Second,
	}
	for seed := range uint64(16) {
		s.Seeds = append(s.Seeds, seed+1)
	}
	return s
}

// Validate reports every setting that cannot be.
func (s Settings) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(len(s.Seeds) > 0, "no seed: at least one prompt is learned")
	seen := map[uint64]bool{}
	for _, seed := range s.Seeds {
		check(!seen[seed], "seed %d is there twice", seed)
		seen[seed] = true
	}
	check(s.Epochs >= 1, "epochs is %d, want at least 1", s.Epochs)
	check(s.BatchSize >= 1, "batch_size is %d, want at least 1", s.BatchSize)
	check(s.WarmupEpochs >= 0, "warmup_epochs is %d, want at least 0", s.WarmupEpochs)
	check(finite(s.LearningRate) && s.LearningRate > 0, "learning_rate is %g, want above 0", s.LearningRate)
	check(finite(s.WarmupRate) && s.WarmupRate >= 0, "warmup_rate is %g, want at least 0", s.WarmupRate)
	check(s.Momentum >= 0 && s.Momentum < 1, "momentum is %g, want 0 to below 1", s.Momentum)
	check(finite(s.WeightDecay) && s.WeightDecay >= 0, "weight_decay is %g, want at least 0", s.WeightDecay)
	check(s.Together >= 1, "together is %d, want at least 1", s.Together)
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("learning: %w", err)
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// Rate is the learning rate of an epoch, counted from 0.
func (s Settings) Rate(epoch int) float64 {
	return numeric.Schedule{
		Epochs: s.Epochs, WarmupEpochs: s.WarmupEpochs, Start: s.LearningRate, Warmup: s.WarmupRate,
	}.Rate(epoch)
}

// batches splits n >= 1 pictures: how many are in a batch, and how many batches
// an epoch has.
func (s Settings) batches(n int) (size, steps int) { return numeric.Batches(n, s.BatchSize) }

// groups are the seeds that train together, in groups of nearly the same size.
func (s Settings) groups() [][]uint64 {
	count := (len(s.Seeds) + s.Together - 1) / s.Together
	return slices.Collect(slices.Chunk(s.Seeds, (len(s.Seeds)+count-1)/count))
}
