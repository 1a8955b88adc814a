package learn

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn/numeric"
)

// Gradienter computes eq. 3 and 4 and their gradient.
type Gradienter interface {
	// Gradients takes a batch for each context that trains in this step: vectors
	// (Prompt.Rows x W), features [B, D], targets [B, C] and which of these are
	// candidate sets. It keeps none of them.
	Gradients(ctx context.Context, batches []graphs.Batch) ([]graphs.Gradient, error)
}

// Epoch is a point of the training curve: means over an epoch's steps, each
// taken before the step changed the context.
type Epoch struct {
	Epoch    int     `json:"epoch"` // from 0
	Rate     float64 `json:"learning_rate"`
	Loss     float64 `json:"loss"`     // nats
	Accuracy float64 `json:"accuracy"` // fraction whose prediction equals their pseudo label, or is of their candidate set
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
// time, and hold the training up until they return.
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

// trainer learns the contexts of a group of seeds, step by step side by side.
type trainer struct {
	job   *Job
	seeds []uint64
	// onStep is called for each seed after each step.
	onStep func(seed uint64, epoch, step int, loss float64)
	states []state // by seed
	// The batches, in memory that steps share; vectors are the states'.
	batches []graphs.Batch
}

// state is what a seed's training goes on from: it changes from one step to the
// next, and is written at the end of an epoch.
type state struct {
	vectors, velocity array.Matrix
	curve             []Epoch // one an epoch done
}

func (s state) clone() state {
	// The curve only ever grows at its end.
	return state{vectors: s.vectors.Clone(), velocity: s.velocity.Clone(), curve: s.curve[:len(s.curve):len(s.curve)]}
}

func newTrainer(job *Job, seeds []uint64, from []state, onStep func(seed uint64, epoch, step int, loss float64)) *trainer {
	size, _ := job.Settings.batches(job.pictures())
	t := &trainer{job: job, seeds: seeds, onStep: onStep, states: from, batches: make([]graphs.Batch, len(seeds))}
	for i := range t.batches {
		t.batches[i] = graphs.Batch{
			Vectors:  from[i].vectors,
			Features: array.NewMatrix(size, job.Data.Features.Cols),
			Targets:  array.NewMatrix(size, job.Data.Targets.Cols),
		}
		if job.Data.Targets.Sets != nil {
			t.batches[i].Sets = make([]bool, size)
		}
	}
	return t
}

// done is the number of epochs that are behind.
func (t *trainer) done() int { return len(t.states[0].curve) }

func (t *trainer) clone() []state {
	clones := make([]state, len(t.states))
	for i, s := range t.states {
		clones[i] = s.clone()
	}
	return clones
}

// epochOf is a seed's part in an epoch.
type epochOf struct {
	order          []int
	seen           func(picture int) []float32
	point          Epoch
	right, counted int
}

// epoch makes the steps of the next epoch. After an error the states are those
// of some step within, not to be gone on from.
func (t *trainer) epoch(ctx context.Context) error {
	settings, data := t.job.Settings, t.job.Data
	epoch := t.done()
	_, steps := settings.batches(t.job.pictures())
	parts := make([]epochOf, len(t.seeds))
	for i, seed := range t.seeds {
		parts[i].order = t.job.visits(seed, epoch)
		parts[i].seen = data.SeenIn(seed, epoch)
		parts[i].point = Epoch{Epoch: epoch, Rate: settings.Rate(epoch)}
	}
	for step := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		for i, b := range t.batches {
			picks := parts[i].order[step*b.Features.Rows : (step+1)*b.Features.Rows]
			gather(b.Features, parts[i].seen, picks)
			targetsOf(b).Gather(data.Targets, picks)
		}
		gradients, err := t.job.Gradienter.Gradients(ctx, t.batches)
		if err != nil {
			return fmt.Errorf("learning: %s, epoch %d, step %d: %w", seedsText(t.seeds), epoch, step, err)
		}
		for i := range t.seeds {
			if err := t.move(i, step, &parts[i], gradients[i]); err != nil {
				return err
			}
			parts[i].point.Loss += gradients[i].Loss / float64(steps)
		}
	}
	for i, p := range parts {
		if p.counted > 0 {
			p.point.Accuracy = float64(p.right) / float64(p.counted)
		}
		t.states[i].curve = append(t.states[i].curve, p.point)
	}
	return nil
}

// move makes one step of seed i.
func (t *trainer) move(i, step int, part *epochOf, g graphs.Gradient) error {
	seed, s, b, point := t.seeds[i], t.states[i], t.batches[i], part.point
	if err := checkShapes(b, g); err != nil {
		return fmt.Errorf("learning: seed %d, epoch %d, step %d: %w", seed, point.Epoch, step, err)
	}
	settings := t.job.Settings
	optimizer := numeric.SGD{Momentum: float32(settings.Momentum), Decay: float32(settings.WeightDecay)}
	optimizer.Step(s.vectors.Data, s.velocity.Data, g.Gradient.Data, point.Rate)
	if what := diverged(s.vectors, g); what != "" {
		return &DivergedError{Seed: seed, Epoch: point.Epoch, Step: step, Rate: point.Rate, What: what}
	}
	right, counted := numeric.Agreement(g.Logits, targetsOf(b))
	part.right, part.counted = part.right+right, part.counted+counted
	t.onStep(seed, point.Epoch, step, g.Loss)
	return nil
}

func seedsText(seeds []uint64) string {
	if len(seeds) == 1 {
		return fmt.Sprint("seed ", seeds[0])
	}
	return fmt.Sprint("seeds ", strings.Trim(fmt.Sprint(seeds), "[]"))
}

// checkShapes holds a model of foreign make to the contract.
func checkShapes(b graphs.Batch, g graphs.Gradient) error {
	if g.Gradient.Rows != b.Vectors.Rows || g.Gradient.Cols != b.Vectors.Cols {
		return fmt.Errorf("the model gave a gradient of %d x %d for a context of %d x %d",
			g.Gradient.Rows, g.Gradient.Cols, b.Vectors.Rows, b.Vectors.Cols)
	}
	if g.Logits.Rows != b.Targets.Rows || g.Logits.Cols != b.Targets.Cols {
		return fmt.Errorf("the model gave logits of %d x %d for targets of %d x %d",
			g.Logits.Rows, g.Logits.Cols, b.Targets.Rows, b.Targets.Cols)
	}
	return nil
}

// contextLimit is a size at which a context is lost for good: the text tower's
// layer norms sum squares, which float32 does not hold much further on.
const contextLimit = 1e16

// diverged names what left the range of numbers in a step, "" if nothing did. A
// gradient that is not finite makes the context so.
func diverged(vectors array.Matrix, g graphs.Gradient) string {
	if !finite(g.Loss) {
		return fmt.Sprintf("the loss is %v", g.Loss)
	}
	for i, v := range vectors.Data {
		if !(v >= -contextLimit && v <= contextLimit) { // also for NaN
			return fmt.Sprintf("value %d of vector %d of the context is %g", i%vectors.Cols, i/vectors.Cols, v)
		}
	}
	return ""
}
