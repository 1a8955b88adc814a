package adapter_test

import (
	"errors"
	"math"
	"testing"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn/adapter"
	"github.com/upl-host/upl-host/host/learn/internal/golden"
	"github.com/upl-host/upl-host/host/learn/numeric"
)

func begin(t *testing.T, c golden.Case) adapter.Adapter {
	t.Helper()
	a := adapter.Adapter{
		W1: c.Matrix(t, "adapter/w1"), W2: c.Matrix(t, "adapter/w2"), Text: c.Matrix(t, "text_features"),
		Scale: c.Params.Scale, Ratio: c.Params.Ratio,
	}
	if err := a.Validate(); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestGradient(t *testing.T) {
	for _, c := range golden.Cases(t, "clip-adapter") {
		features, _, targets := c.Pictures(t, c.Params.Rows)
		a := begin(t, c)
		golden.SomeThreads(t, func() []float32 {
			logits := array.NewMatrix(features.Rows, a.Classes())
			a.Logits(features, logits)
			golden.Near(t, c.Name, logits, c.Want(t, "logits")[0], golden.LogitsTolerance)
			g := a.Gradient(features, targets)
			golden.Near(t, c.Name, g.Logits, logits, 0)
			golden.NearNumber(t, c.Name, g.Loss, c.Numbers(t, "loss")[0], golden.LossTolerance)
			golden.Near(t, c.Name+" w1", g.W1, c.Want(t, "grad_w1")[0], golden.GradientTolerance)
			golden.Near(t, c.Name+" w2", g.W2, c.Want(t, "grad_w2")[0], golden.GradientTolerance)
			return append(g.W1.Data, g.W2.Data...)
		})
	}
}

// TestGradientOfSets compares the gradient of hard labels and candidate sets with
// differences of the loss, along the gradient itself.
func TestGradientOfSets(t *testing.T) {
	c := golden.Cases(t, "clip-adapter")[0]
	features, _, targets := c.Pictures(t, c.Params.Rows)
	golden.MakeSets(&targets)
	a := begin(t, c)
	g := a.Gradient(features, targets)
	along := func(step float64) float64 {
		moved := a
		moved.W1, moved.W2 = a.W1.Clone(), a.W2.Clone()
		for i, v := range g.W1.Data {
			moved.W1.Data[i] += float32(step * float64(v))
		}
		for i, v := range g.W2.Data {
			moved.W2.Data[i] += float32(step * float64(v))
		}
		return moved.Gradient(features, targets).Loss
	}
	var square float64
	for _, v := range append(g.W1.Clone().Data, g.W2.Data...) {
		square += float64(v) * float64(v)
	}
	step := 1e-3 / math.Sqrt(square)
	if slope := (along(step) - along(-step)) / (2 * step); math.Abs(slope-square) > 0.01*square {
		t.Errorf("along the gradient the loss rises by %g, want %g", slope, square)
	}
	targets.Sets = nil
	if soft := a.Gradient(features, targets); soft.Loss == g.Loss {
		t.Error("sets have the loss of soft labels")
	}
}

func inOrder(_, n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return order
}

// TestTrain holds every step of whole trainings to the reference.
func TestTrain(t *testing.T) {
	for _, c := range golden.Cases(t, "clip-adapter-train") {
		features, _, targets := c.Pictures(t, c.Params.Rows)
		optimiser := numeric.SGD{Momentum: 0.9, Decay: 5e-4}
		schedule := numeric.Schedule{Epochs: c.Params.Epochs, WarmupEpochs: 1, Start: c.Params.LR, Warmup: 1e-5}
		trainer := adapter.NewTrainer(begin(t, c), optimiser, schedule)
		w1, w2, losses, rates := c.Want(t, "w1"), c.Want(t, "w2"), c.Numbers(t, "loss"), c.Numbers(t, "rate")
		training := numeric.Training{Epochs: c.Params.Epochs, BatchSize: c.Params.Batch, DropLast: true, Order: inOrder}
		curve, err := training.Run(t.Context(), features, targets, nil, func(b numeric.Batch) numeric.Outcome {
			o := trainer.Step(b)
			golden.NearNumber(t, c.Name+" loss", o.Loss, losses[b.Step], golden.LossTolerance)
			golden.NearNumber(t, c.Name+" rate", o.Rate, rates[b.Step], golden.RateTolerance)
			golden.Near(t, c.Name+" w1", trainer.Adapter().W1, w1[b.Step], golden.GradientTolerance)
			golden.Near(t, c.Name+" w2", trainer.Adapter().W2, w2[b.Step], golden.GradientTolerance)
			return o
		})
		if err != nil {
			t.Fatal(err)
		}
		if steps := training.Steps(features.Rows); steps != len(losses) || len(curve) != c.Params.Epochs {
			t.Errorf("%s: %d steps in %d epochs, want %d", c.Name, steps, len(curve), len(losses))
		}
		whole, _, err := begin(t, c).Train(t.Context(), features, targets, optimiser, schedule, training)
		if err != nil {
			t.Fatal(err)
		}
		golden.Near(t, c.Name, whole.W1, trainer.Adapter().W1, 0)
	}
}

func TestTrainDiverges(t *testing.T) {
	c := golden.Cases(t, "clip-adapter-train")[0]
	features, _, targets := c.Pictures(t, c.Params.Rows)
	_, _, err := begin(t, c).Train(t.Context(), features, targets, numeric.SGD{}, numeric.Schedule{Epochs: 9, Start: 1e38},
		numeric.Training{Epochs: 9, BatchSize: 32, Order: inOrder})
	var diverged *numeric.DivergedError
	if !errors.As(err, &diverged) || diverged.Rate != 1e38 {
		t.Errorf("a rate of 1e38 ends with %v, want a DivergedError", err)
	}
}

// TestNothingLeft mixes features to nothing: ratio 1 and an adapter that gives zeros.
func TestNothingLeft(t *testing.T) {
	c := golden.Cases(t, "clip-adapter")[0]
	a := begin(t, c)
	a.Ratio, a.W2 = 1, array.NewMatrix(32, 8)
	features, _, targets := c.Pictures(t, c.Params.Rows)
	g := a.Gradient(features, targets)
	if err := errors.Join(g.Logits.CheckFinite(), g.W1.CheckFinite(), g.W2.CheckFinite()); err != nil || math.IsNaN(g.Loss) {
		t.Errorf("loss %g: %v", g.Loss, err)
	}
}

// TestRandom sees that weights are spread as torch.nn.Linear's, and by the seed alone.
func TestRandom(t *testing.T) {
	text := array.NewMatrix(5, 64)
	a, again, other := adapter.Random(3, text, 100, 0.2), adapter.Random(3, text, 100, 0.2), adapter.Random(4, text, 100, 0.2)
	golden.Near(t, "the same seed", a.W2, again.W2, 0)
	if err := a.Validate(); err != nil || a.W1.Rows != 16 {
		t.Errorf("a layer of %d between, %v", a.W1.Rows, err)
	}
	for name, c := range map[string]struct {
		layer, other array.Matrix
		bound        float64
	}{"w1": {a.W1, other.W1, 1.0 / 8}, "w2": {a.W2, other.W2, 1.0 / 4}} {
		same, sum, squares := 0, 0.0, 0.0
		for i, v := range c.layer.Data {
			if v == c.other.Data[i] {
				same++
			}
			if math.Abs(float64(v)) > c.bound {
				t.Errorf("%s has %g, beyond %g", name, v, c.bound)
			}
			sum, squares = sum+float64(v), squares+float64(v)*float64(v)
		}
		n := float64(len(c.layer.Data))
		deviation := math.Sqrt(squares/n) / (c.bound / math.Sqrt(3))
		if same > 0 || math.Abs(sum/n) > 5*c.bound/math.Sqrt(3*n) || deviation < 0.93 || deviation > 1.07 {
			t.Errorf("%s: %d as another seed's, mean %g, deviation %g of that wanted", name, same, sum/n, deviation)
		}
	}
}
