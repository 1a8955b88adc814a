package bench

import (
	"context"
	"slices"
	"time"

	"github.com/upl-host/upl-host/host/progress"
)

const (
	defaultDuration = 10 * time.Second
	fewestRuns      = 3
	mostRuns        = 1 << 20
)

// runs is how many runs the bounds allow, where one takes that long.
func (b Bounds) runs(one time.Duration) int {
	if b.Runs > 0 {
		return b.Runs
	}
	if b.Duration == 0 {
		b.Duration = defaultDuration
	}
	return int(min(max(b.Duration/max(one, 1), fewestRuns), mostRuns))
}

// timing is the seconds of each run.
type timing []float64

func (t timing) min() float64 { return slices.Min(t) }

func (t timing) median() float64 {
	sorted := slices.Sorted(slices.Values(t))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// measure runs something once without timing it, once to see how long it takes, and
// then as often as the bounds allow. It ends with ctx, between two runs.
func (s Setup) measure(ctx context.Context, name string, run func() error) (timing, error) {
	start := s.display().Start("start", 2, "runs")
	var one time.Duration
	for i := range 2 {
		var err error
		if one, err = timed(ctx, run); err != nil {
			start.End()
			return nil, err
		}
		start.Set(i + 1)
	}
	start.End()
	t := make(timing, 1, s.Bounds.runs(one))
	t[0] = one.Seconds()
	task := s.display().Start(name, cap(t), "runs")
	defer task.End()
	for task.Set(1); len(t) < cap(t); task.Set(len(t)) {
		one, err := timed(ctx, run)
		if err != nil {
			return nil, err
		}
		t = append(t, one.Seconds())
	}
	return t, nil
}

func timed(ctx context.Context, run func() error) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	began := time.Now()
	err := run()
	return time.Since(began), err
}

func (s Setup) display() progress.Display {
	if s.Display == nil {
		return progress.Silent
	}
	return s.Display
}
