// Package adapter is CLIP-Adapter (arXiv 2110.04544): two layers behind the picture's
// features, mixed with these.
package adapter

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn/numeric"
	"github.com/upl-host/upl-host/host/random"
)

// Reduction is how many times narrower the layer between is.
const Reduction = 4

// Adapter classifies by scale u T', u = x / |x|, x = ratio ReLU(W2 ReLU(W1 f)) +
// (1 - ratio) f; T are the classes' text features.
type Adapter struct {
	W1   array.Matrix // [H, D]
	W2   array.Matrix // [D, H]
	Text array.Matrix // T [C, D], L2-normalised
	// Scale is the model's 1/tau.
	Scale, Ratio float64
}

// Hidden is the width of the layer between.
func Hidden(width int) int { return max(1, width/Reduction) }

// Random begins as torch.nn.Linear does: weights from U(-1/sqrt(n), 1/sqrt(n)), n the
// number of inputs. The seed alone determines them.
func Random(seed uint64, text array.Matrix, scale, ratio float64) Adapter {
	draws := random.New("adapter", seed)
	layer := func(rows, cols int) array.Matrix {
		m, bound := array.NewMatrix(rows, cols), 1/math.Sqrt(float64(cols))
		for i := range m.Data {
			m.Data[i] = float32(bound * (2*draws.Uniform() - 1))
		}
		return m
	}
	hidden := Hidden(text.Cols)
	return Adapter{W1: layer(hidden, text.Cols), W2: layer(text.Cols, hidden), Text: text, Scale: scale, Ratio: ratio}
}

// Validate reports everything that cannot be.
func (a Adapter) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(a.W1.Rows > 0 && a.W1.Cols == a.Text.Cols, "w1 of %d x %d beside text features of %d x %d", a.W1.Rows, a.W1.Cols, a.Text.Rows, a.Text.Cols)
	check(a.W2.Rows == a.W1.Cols && a.W2.Cols == a.W1.Rows, "w2 of %d x %d behind w1 of %d x %d", a.W2.Rows, a.W2.Cols, a.W1.Rows, a.W1.Cols)
	check(a.Ratio >= 0 && a.Ratio <= 1, "ratio is %g, want 0 to 1", a.Ratio)
	return errors.Join(errs...)
}

// Classes is C.
func (a Adapter) Classes() int { return a.Text.Rows }

// Width is D.
func (a Adapter) Width() int { return a.Text.Cols }

// Logits fills out [N, C] with the logits of features [N, D].
func (a Adapter) Logits(features, out array.Matrix) error {
	p := a.pass(features)
	numeric.TimesTransposed(a.Scale, p.unit, a.Text, out)
	return nil
}

// pass is what a forward pass leaves for the way back.
type pass struct {
	hidden, unit array.Matrix // behind the first ReLU [N, H]; u [N, D]
	bent         array.Matrix // behind the second ReLU [N, D]
	lengths      []float64    // |x| [N]
}

func (a Adapter) pass(features array.Matrix) pass {
	n := features.Rows
	p := pass{
		hidden: array.NewMatrix(n, a.W1.Rows), bent: array.NewMatrix(n, a.W2.Rows),
		unit: array.NewMatrix(n, features.Cols), lengths: make([]float64, n),
	}
	numeric.TimesTransposed(1, features, a.W1, p.hidden)
	rectify(p.hidden)
	numeric.TimesTransposed(1, p.hidden, a.W2, p.bent)
	rectify(p.bent)
	for i := range n {
		square, bent, unit := 0.0, p.bent.Row(i), p.unit.Row(i)
		for d, f := range features.Row(i) {
			x := a.Ratio*float64(bent[d]) + (1-a.Ratio)*float64(f)
			unit[d] = float32(x)
			square += x * x
		}
		// A picture that is mixed to nothing has no direction: its logits are 0.
		p.lengths[i] = max(math.Sqrt(square), math.SmallestNonzeroFloat32)
		for d, x := range unit {
			unit[d] = float32(float64(x) / p.lengths[i])
		}
	}
	return p
}

func rectify(m array.Matrix) {
	for i, v := range m.Data {
		m.Data[i] = max(v, 0)
	}
}

// Gradient is what a batch gives.
type Gradient struct {
	Loss   float64
	W1, W2 array.Matrix
	Logits array.Matrix
}

// Gradient of the mean loss (numeric.RowLoss) of features [B, D] with targets [B, C].
func (a Adapter) Gradient(features array.Matrix, targets numeric.Targets) Gradient {
	p := a.pass(features)
	n, width := features.Rows, features.Cols
	g := Gradient{
		W1: array.NewMatrix(a.W1.Rows, a.W1.Cols), W2: array.NewMatrix(a.W2.Rows, a.W2.Cols),
		Logits: array.NewMatrix(n, a.Text.Rows),
	}
	slope := array.NewMatrix(n, a.Text.Rows)
	numeric.TimesTransposed(a.Scale, p.unit, a.Text, g.Logits)
	g.Loss = numeric.CrossEntropy(g.Logits, targets, slope)

	back := array.NewMatrix(n, width) // by u, then by what is behind the second ReLU
	numeric.Times(a.Scale, slope, a.Text, back)
	for i := range n {
		along, unit, row := 0.0, p.unit.Row(i), back.Row(i)
		for d, v := range row {
			along += float64(v) * float64(unit[d])
		}
		for d, v := range row {
			if p.bent.Row(i)[d] <= 0 {
				row[d] = 0 // ReLU'(0) = 0
				continue
			}
			row[d] = float32(a.Ratio * (float64(v) - along*float64(unit[d])) / p.lengths[i])
		}
	}
	numeric.TransposedTimes(1, back, p.hidden, g.W2)
	inner := array.NewMatrix(n, a.W1.Rows)
	numeric.Times(1, back, a.W2, inner)
	for i, v := range p.hidden.Data {
		if v <= 0 {
			inner.Data[i] = 0
		}
	}
	numeric.TransposedTimes(1, inner, features, g.W1)
	return g
}

// Trainer learns the two layers by SGD, step by step.
type Trainer struct {
	adapter              Adapter
	optimiser            numeric.SGD
	schedule             numeric.Schedule
	velocity1, velocity2 array.Matrix
}

// NewTrainer begins with a copy of the adapter's weights.
func NewTrainer(a Adapter, optimiser numeric.SGD, schedule numeric.Schedule) *Trainer {
	a.W1, a.W2 = a.W1.Clone(), a.W2.Clone()
	return &Trainer{
		adapter: a, optimiser: optimiser, schedule: schedule,
		velocity1: array.NewMatrix(a.W1.Rows, a.W1.Cols), velocity2: array.NewMatrix(a.W2.Rows, a.W2.Cols),
	}
}

// Step learns from a batch, at the rate of its epoch.
func (t *Trainer) Step(b numeric.Batch) numeric.Outcome {
	g, rate := t.adapter.Gradient(b.Features, b.Targets), t.schedule.Rate(b.Epoch)
	t.optimiser.Step(t.adapter.W1.Data, t.velocity1.Data, g.W1.Data, rate)
	t.optimiser.Step(t.adapter.W2.Data, t.velocity2.Data, g.W2.Data, rate)
	return numeric.Outcome{Loss: g.Loss, Rate: rate, Logits: g.Logits}
}

// Adapter is what has been learnt so far; it shares the trainer's memory.
func (t *Trainer) Adapter() Adapter { return t.adapter }

// Train learns from pictures. Errors are those of numeric.Training.
func (a Adapter) Train(
	ctx context.Context, features array.Matrix, targets numeric.Targets, optimiser numeric.SGD, schedule numeric.Schedule, training numeric.Training,
) (Adapter, []numeric.Epoch, error) {
	t := NewTrainer(a, optimiser, schedule)
	curve, err := training.Run(ctx, features, targets, []array.Matrix{t.adapter.W1, t.adapter.W2}, t.Step)
	return t.Adapter(), curve, err
}
