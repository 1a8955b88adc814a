package numeric_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn/numeric"
)

func TestSGD(t *testing.T) {
	// torch.optim.SGD(lr=0.1, momentum=0.9, weight_decay=0.1) on a gradient of 1:
	// v = 1.1, 0.99 + 1.089; x = 1 - 0.11 - 0.2079.
	x, velocity := []float32{1, -2}, make([]float32, 2)
	optimizer := numeric.SGD{Momentum: 0.9, Decay: 0.1}
	optimizer.Step(x, velocity, []float32{1, 0.2}, 0.1)
	optimizer.Step(x, velocity, []float32{1, 0.2}, 0.1)
	for i, want := range []struct{ x, velocity float64 }{{0.6821, 2.079}, {-2, 0}} {
		if math.Abs(float64(x[i])-want.x) > 1e-6 || math.Abs(float64(velocity[i])-want.velocity) > 1e-6 {
			t.Errorf("value %d is %g at velocity %g, want %g at %g", i, x[i], velocity[i], want.x, want.velocity)
		}
	}
}

// TestBatches holds that each epoch sees what it should, of any number of pictures.
func TestBatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, size := rapid.IntRange(1, 50).Draw(t, "pictures"), rapid.IntRange(1, 20).Draw(t, "batch size")
		drop := rapid.Bool().Draw(t, "drop the last")
		features := array.NewMatrix(n, 1)
		for i := range n {
			features.Row(i)[0] = float32(i)
		}
		seen := make([]int, n)
		training := numeric.Training{Epochs: 3, BatchSize: size, DropLast: drop, Order: func(epoch, n int) []int {
			order := make([]int, n)
			for i := range order {
				order[i] = (i + epoch) % n
			}
			return order
		}}
		steps := 0
		_, err := training.Run(context.Background(), features, numeric.NewTargets(n, 2, false), nil, func(b numeric.Batch) numeric.Outcome {
			if b.Step != steps || b.Steps != training.Steps(n) || b.Features.Rows != b.Targets.Rows {
				t.Fatalf("step %d of %d, want %d of %d", b.Step, b.Steps, steps, training.Steps(n))
			}
			steps++
			for _, v := range b.Features.Data {
				seen[int(v)]++
			}
			return numeric.Outcome{Logits: array.NewMatrix(b.Features.Rows, 2)}
		})
		if err != nil || steps != training.Steps(n) {
			t.Fatalf("%d steps of %d: %v", steps, training.Steps(n), err)
		}
		total := 0
		for _, times := range seen {
			total += times
			if !drop && times != 3 {
				t.Fatalf("a picture came %d times in 3 epochs", times)
			}
		}
		if want := 3 * (n - n%size); drop && n >= size && total != want {
			t.Fatalf("%d pictures in all, want %d", total, want)
		}
	})
}

// TestCrossEntropy: a hard label, a soft one, and candidate sets of two classes, of
// all, and of no weight, worked out by hand; the gradient by differences.
func TestCrossEntropy(t *testing.T) {
	logits := array.Matrix{Rows: 5, Cols: 3, Data: []float32{1, 2, 0.5, 300, -200, 0, 1, 2, 0.5, 300, -200, 0, 1, 2, 0.5}}
	targets := numeric.Targets{
		Matrix: array.Matrix{Rows: 5, Cols: 3, Data: []float32{0, 1, 0, 0, 0.25, 0.5, 1.5, 0, 1.5, 0.5, 0.5, 0.5, 0, 0, 0}},
		Sets:   []bool{false, false, true, true, true},
	}
	slope := array.NewMatrix(5, 3)
	all := math.E + math.Exp(2) + math.Exp(0.5)
	want := (math.Log(all) - 2 + 0.25*500 + 0.5*300 + 3*(math.Log(all)-math.Log(math.E+math.Exp(0.5)))) / 5
	if got := numeric.CrossEntropy(logits, targets, slope); math.Abs(got-want) > 1e-9*want {
		t.Errorf("%.12g, want %.12g", got, want)
	}
	other := array.NewMatrix(5, 3)
	for i := range logits.Data {
		const step = 1.0 / 128
		up, down := logits.Clone(), logits.Clone()
		up.Data[i] += step
		down.Data[i] -= step
		difference := (numeric.CrossEntropy(up, targets, other) - numeric.CrossEntropy(down, targets, other)) / (2 * step)
		if math.Abs(difference-float64(slope.Data[i])) > 1e-4 {
			t.Errorf("slope %d is %g, by differences %g", i, slope.Data[i], difference)
		}
	}
	// In place, and in float64.
	z := []float64{1, 2, 0.5}
	numeric.RowLoss(z, targets.Row(2), true, 5, z)
	for c, v := range z {
		if math.Abs(v-float64(slope.Row(2)[c])) > 1e-6 {
			t.Errorf("slope %d in place is %g, want %g", c, v, slope.Row(2)[c])
		}
	}
}

func TestCoOpEpochs(t *testing.T) {
	for _, c := range []struct{ shots, classes, want int }{
		{1, 100, 50}, {2, 100, 100}, {4, 100, 100}, {8, 100, 200}, {16, 999, 200}, {16, 1000, 50}, {0, 10, 50},
	} {
		if got := numeric.CoOpEpochs(c.shots, c.classes); got != c.want {
			t.Errorf("%d shots of %d classes take %d epochs, want %d", c.shots, c.classes, got, c.want)
		}
	}
}

func TestRunStops(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	training := numeric.Training{Epochs: 2, BatchSize: 1, Order: func(_, n int) []int { return make([]int, n) }}
	_, err := training.Run(ended, array.NewMatrix(3, 1), numeric.NewTargets(3, 1, false), nil, func(b numeric.Batch) numeric.Outcome {
		cancel()
		return numeric.Outcome{Logits: array.NewMatrix(1, 1)}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a training that is stopped ends with %v", err)
	}
}

func TestAgreement(t *testing.T) {
	logits := array.Matrix{Rows: 4, Cols: 2, Data: []float32{1, 2, 3, 1, 0, 1, 1, 0}}
	targets := numeric.Targets{Matrix: array.Matrix{Rows: 4, Cols: 2, Data: []float32{0, 1, 0.2, 0.8, 0, 0, 0.6, 0.4}}}
	if right, counted := numeric.Agreement(logits, targets); right != 2 || counted != 3 {
		t.Errorf("%d of %d agree, want 2 of 3", right, counted)
	}
	// Of a candidate set every class is right, whatever comes first.
	targets.Data, targets.Sets = []float32{0.5, 0.5, 0, 1, 0, 0, 1, 0}, []bool{true, true, true, true}
	if right, counted := numeric.Agreement(logits, targets); right != 2 || counted != 3 {
		t.Errorf("%d of %d sets hold what is predicted, want 2 of 3", right, counted)
	}
}

// TestTargets cuts and gathers rows with their marks.
func TestTargets(t *testing.T) {
	all := numeric.Targets{
		Matrix: array.Matrix{Rows: 3, Cols: 2, Data: []float32{1, 0, 0.5, 0.5, 0, 1}}, Sets: []bool{false, true, false},
	}
	if s := all.Slice(1, 3); !s.IsSet(0) || s.IsSet(1) || s.Row(1)[1] != 1 {
		t.Errorf("rows 1 and 2 are %+v", s)
	}
	some := numeric.NewTargets(2, 2, true)
	some.Gather(all, []int{1, 0})
	some.Gather(all, []int{2, 1}) // over what was there
	if some.IsSet(0) || !some.IsSet(1) || some.Row(0)[1] != 1 || some.Row(1)[0] != 0.5 {
		t.Errorf("rows 2 and 1 are %+v", some)
	}
	if without := numeric.NewTargets(1, 2, false); without.IsSet(0) || without.Slice(0, 1).Sets != nil {
		t.Error("targets without sets have one")
	}
}
