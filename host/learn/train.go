package learn

import (
	"context"
	"fmt"
	"time"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
)

// Gradienter computes eq. 3 and 4 and their gradient. Where several seeds train
// at once it is called from several goroutines.
type Gradienter interface {
	// Gradient takes the vectors of a context (Prompt.Rows x W), features [B, D] and
	// targets [B, C]. It keeps none of its arguments.
	Gradient(ctx context.Context, vectors, features, targets array.Matrix) (graphs.Gradient, error)
}

// Epoch is a point of the training curve: means over an epoch's steps, each
// taken before the step changed the context.
type Epoch struct {
	Epoch    int     `json:"epoch"` // from 0
	Rate     float64 `json:"learning_rate"`
	Loss     float64 `json:"loss"`     // nats
	Accuracy float64 `json:"accuracy"` // fraction whose prediction equals their pseudo label
}

// Step is what Events.OnStep is told.
type Step struct {
	Seed        uint64
	Epoch, Step int // from 0, the step within its epoch
	Loss        float64
	Done, Total int // steps of all seeds, this one included
	// Left is the time that the rest is expected to take, 0 while unknown.
	Left time.Duration
}

// Events tell of a training's progress. Any may be nil; calls come one at a
// time, also where seeds train at once, and hold the training up until they return.
type Events struct {
	OnPlan  func(Plan)                 // before the first step
	OnStep  func(Step)                 // after each step
	OnEpoch func(seed uint64, e Epoch) // after each epoch
	OnSeed  func(seed uint64)          // a seed's context is written
}

// DivergedError says that a training left the range of numbers.
type DivergedError struct {
	Seed        uint64
	Epoch, Step int // from 0
	Rate        float64
	// What left the range: the loss, or a value of the context.
	What string
}

func (e *DivergedError) Error() string {
	return fmt.Sprintf("learning diverged: seed %d, epoch %d, step %d: %s at a learning rate of %.3g; lower learn.learning_rate, "+
		"and if it happens at any rate, check the model with `upl-host model check`", e.Seed, e.Epoch, e.Step, e.What, e.Rate)
}

// trainer learns the context of one seed.
type trainer struct {
	job  *Job
	seed uint64
	// onStep is called after each step.
	onStep func(epoch, step int, loss float64)
	state
	// The batch, in memory that steps share.
	features, targets array.Matrix
}

// state is what a training goes on from: it changes from one step to the next,
// and is written at the end of an epoch.
type state struct {
	vectors, velocity array.Matrix
	curve             []Epoch // one an epoch done
}

func (s state) clone() state {
	// The curve only ever grows at its end.
	return state{vectors: s.vectors.Clone(), velocity: s.velocity.Clone(), curve: s.curve[:len(s.curve):len(s.curve)]}
}

func newTrainer(job *Job, seed uint64, from state, onStep func(epoch, step int, loss float64)) *trainer {
	size, _ := job.Settings.batches(job.Data.Features.Rows)
	return &trainer{
		job: job, seed: seed, onStep: onStep, state: from,
		features: array.NewMatrix(size, job.Data.Features.Cols),
		targets:  array.NewMatrix(size, job.Data.Targets.Cols),
	}
}

// epoch makes the steps of the next epoch. After an error the state is that of
// some step within, not to be gone on from.
func (t *trainer) epoch(ctx context.Context) error {
	settings := t.job.Settings
	epoch := len(t.curve)
	size, steps := settings.batches(t.job.Data.Features.Rows)
	order := t.job.order()(t.seed, epoch, t.job.Data.Features.Rows)
	point := Epoch{Epoch: epoch, Rate: settings.Rate(epoch)}
	optimizer := sgd{momentum: float32(settings.Momentum), decay: float32(settings.WeightDecay)}
	right, counted := 0, 0
	for step := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		picks := order[step*size : (step+1)*size]
		gather(t.features, t.job.Data.Features, picks)
		gather(t.targets, t.job.Data.Targets, picks)
		g, err := t.job.Gradienter.Gradient(ctx, t.vectors, t.features, t.targets)
		if err != nil {
			return fmt.Errorf("learning: seed %d, epoch %d, step %d: %w", t.seed, epoch, step, err)
		}
		if err := t.checkShapes(g); err != nil {
			return fmt.Errorf("learning: seed %d, epoch %d, step %d: %w", t.seed, epoch, step, err)
		}
		optimizer.step(t.vectors.Data, t.velocity.Data, g.Gradient.Data, point.Rate)
		if what := t.diverged(g); what != "" {
			return &DivergedError{Seed: t.seed, Epoch: epoch, Step: step, Rate: point.Rate, What: what}
		}
		r, c := agreement(g.Logits, t.targets)
		right, counted = right+r, counted+c
		point.Loss += g.Loss / float64(steps)
		t.onStep(epoch, step, g.Loss)
	}
	if counted > 0 {
		point.Accuracy = float64(right) / float64(counted)
	}
	t.curve = append(t.curve, point)
	return nil
}

// checkShapes holds a model of foreign make to the contract.
func (t *trainer) checkShapes(g graphs.Gradient) error {
	if g.Gradient.Rows != t.vectors.Rows || g.Gradient.Cols != t.vectors.Cols {
		return fmt.Errorf("the model gave a gradient of %d x %d for a context of %d x %d",
			g.Gradient.Rows, g.Gradient.Cols, t.vectors.Rows, t.vectors.Cols)
	}
	if g.Logits.Rows != t.targets.Rows || g.Logits.Cols != t.targets.Cols {
		return fmt.Errorf("the model gave logits of %d x %d for targets of %d x %d",
			g.Logits.Rows, g.Logits.Cols, t.targets.Rows, t.targets.Cols)
	}
	return nil
}

// contextLimit is a size at which a context is lost for good: the text tower's
// layer norms sum squares, which float32 does not hold much further on.
const contextLimit = 1e16

// diverged names what left the range of numbers in a step, "" if nothing did. A
// gradient that is not finite makes the context so.
func (t *trainer) diverged(g graphs.Gradient) string {
	if !finite(g.Loss) {
		return fmt.Sprintf("the loss is %v", g.Loss)
	}
	for i, v := range t.vectors.Data {
		if !(v >= -contextLimit && v <= contextLimit) { // also for NaN
			return fmt.Sprintf("value %d of vector %d of the context is %g", i%t.vectors.Cols, i/t.vectors.Cols, v)
		}
	}
	return ""
}
