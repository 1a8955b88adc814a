package numeric

import (
	"context"
	"fmt"
	"math"

	"github.com/upl-host/upl-host/graphs/array"
)

// Training goes over pictures in epochs of batches.
type Training struct {
	Epochs, BatchSize int
	// DropLast leaves out the last, smaller batch of an epoch, unless it is the only one.
	DropLast bool
	// Order of the n pictures in an epoch.
	Order func(epoch, n int) []int
	// Seen gives what an epoch sees of each picture, where that is another view than
	// its features; it may be nil.
	Seen func(epoch int) func(picture int) []float32
	// OnStep is told how many of all steps are done; it may be nil.
	OnStep func(done, total int)
}

// Batch is what a step gets.
type Batch struct {
	Features    array.Matrix
	Targets     Targets
	Epoch       int
	Step, Steps int // of all epochs
}

// Outcome is what a step found before it changed anything, and the rate at which it did.
type Outcome struct {
	Loss   float64
	Rate   float64
	Logits array.Matrix
}

// Epoch is a point of the training curve: means over an epoch's steps, each taken
// before the step changed anything.
type Epoch struct {
	Epoch          int
	Rate           float64
	Loss, Accuracy float64
}

// DivergedError says that a training left the range of numbers.
type DivergedError struct {
	Epoch, Step int // from 0, the step within its epoch
	Rate        float64
	What        string
}

func (e *DivergedError) Error() string {
	return fmt.Sprintf("learning diverged: epoch %d, step %d: %s at a learning rate of %.3g", e.Epoch, e.Step, e.What, e.Rate)
}

// Batches splits n >= 1 pictures: how many are in a batch, and how many batches
// an epoch has. A last, smaller batch is dropped, but never so that no step is left.
func Batches(n, batchSize int) (size, steps int) {
	if n < batchSize {
		return n, 1
	}
	return batchSize, n / batchSize
}

// steps is the number of batches of an epoch.
func (t Training) steps(n int) int {
	if t.DropLast {
		_, steps := Batches(n, t.BatchSize)
		return steps
	}
	return (n + t.BatchSize - 1) / t.BatchSize
}

// Steps is the number of steps of all epochs.
func (t Training) Steps(n int) int { return t.Epochs * t.steps(n) }

// Run makes all steps. params are what they change: they are looked through for
// numbers out of range. Errors: DivergedError, ctx.Err().
func (t Training) Run(ctx context.Context, features array.Matrix, targets Targets, params []array.Matrix, step func(Batch) Outcome) ([]Epoch, error) {
	n, steps := features.Rows, t.steps(features.Rows)
	size := min(n, t.BatchSize)
	f, y := array.NewMatrix(size, features.Cols), NewTargets(size, targets.Cols, targets.Sets != nil)
	curve := make([]Epoch, 0, t.Epochs)
	for epoch := range t.Epochs {
		order, point := t.Order(epoch, n), Epoch{Epoch: epoch}
		right, counted := 0, 0
		seen := features.Row
		if t.Seen != nil {
			seen = t.Seen(epoch)
		}
		for s := range steps {
			if err := ctx.Err(); err != nil {
				return curve, err
			}
			rows := order[s*size : min((s+1)*size, n)]
			batch := Batch{
				Features: f.Slice(0, len(rows)), Targets: y.Slice(0, len(rows)),
				Epoch: epoch, Step: epoch*steps + s, Steps: t.Epochs * steps,
			}
			for i, row := range rows {
				copy(batch.Features.Row(i), seen(row))
			}
			batch.Targets.Gather(targets, rows)
			o := step(batch)
			if what := diverged(o.Loss, params); what != "" {
				return curve, &DivergedError{Epoch: epoch, Step: s, Rate: o.Rate, What: what}
			}
			if s == 0 {
				point.Rate = o.Rate
			}
			point.Loss += o.Loss / float64(steps)
			a, b := Agreement(o.Logits, batch.Targets)
			right, counted = right+a, counted+b
			if t.OnStep != nil {
				t.OnStep(batch.Step+1, batch.Steps)
			}
		}
		if counted > 0 {
			point.Accuracy = float64(right) / float64(counted)
		}
		curve = append(curve, point)
	}
	return curve, nil
}

// diverged names what is out of range, "" if nothing is.
func diverged(loss float64, params []array.Matrix) string {
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return fmt.Sprintf("the loss is %v", loss)
	}
	for _, m := range params {
		if err := m.CheckFinite(); err != nil {
			return "of the weights, " + err.Error()
		}
	}
	return ""
}
