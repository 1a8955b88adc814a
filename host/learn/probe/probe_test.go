package probe_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn/internal/golden"
	"github.com/upl-host/upl-host/host/learn/numeric"
	"github.com/upl-host/upl-host/host/learn/probe"
)

// pictures are the golden set's shots, and others to search on.
func pictures(t *testing.T) (features array.Matrix, targets numeric.Targets, validation array.Matrix, labels []int) {
	t.Helper()
	c := golden.Cases(t, "tip-search")[0]
	features, _, targets = c.Pictures(t, c.Params.ShotRows)
	validation, labels, _ = c.Pictures(t, c.Params.Rows)
	return features, targets, validation, labels
}

// TestFit looks for a gradient of zero, taken by differences of the loss as it is defined.
func TestFit(t *testing.T) {
	features, targets, _, _ := pictures(t)
	targets.Row(0)[3] *= 2.5 // a weight
	golden.MakeSets(&targets)
	for _, l2 := range []float64{1e-6, 1, 3, 1e6} {
		var p probe.Probe
		golden.SomeThreads(t, func() []float32 {
			var err error
			if p, err = probe.Fit(t.Context(), features, targets, l2); err != nil {
				t.Fatal(err)
			}
			return append(p.Weights.Data, p.Bias...)
		})
		at := loss(p, features, targets, l2)
		for i := range 40 { // some directions
			for _, sign := range []float64{1, -1} {
				q := probe.Probe{Weights: p.Weights.Clone(), Bias: append([]float32(nil), p.Bias...)}
				for k := range q.Weights.Data {
					q.Weights.Data[k] += float32(sign * 1e-2 * math.Sin(float64((i+1)*(k+1))))
				}
				for k := range q.Bias {
					q.Bias[k] += float32(sign * 1e-2 * math.Cos(float64((i+1)*(k+1))))
				}
				if other := loss(q, features, targets, l2); other < at-1e-6*(10+math.Abs(at)) {
					t.Errorf("L2 %g: a loss of %.9g, and of %.9g nearby", l2, at, other)
				}
			}
		}
	}
}

func loss(p probe.Probe, features array.Matrix, targets numeric.Targets, l2 float64) (sum float64) {
	logits, slope := array.NewMatrix(features.Rows, p.Classes()), array.NewMatrix(features.Rows, p.Classes())
	p.Logits(features, logits)
	sum = float64(features.Rows) * numeric.CrossEntropy(logits, targets, slope)
	for _, w := range p.Weights.Data {
		sum += l2 / 2 * float64(w) * float64(w) / (probe.Length * probe.Length)
	}
	return sum
}

// TestKnown is a fit that can be solved by hand: two pictures, a class each, at 1 and -1.
func TestKnown(t *testing.T) {
	features := array.Matrix{Rows: 2, Cols: 1, Data: []float32{1, -1}}
	targets := numeric.Targets{Matrix: array.Matrix{Rows: 2, Cols: 2, Data: []float32{1, 0, 0, 1}}}
	const l2 = 50
	p, err := probe.Fit(t.Context(), features, targets, l2)
	if err != nil {
		t.Fatal(err)
	}
	// w = (v, -v) by symmetry: 2 log(1 + exp(-2 Length v)) + l2 v² has its minimum where
	// 2 Length / (1 + exp(2 Length v)) = l2 v / 2 ... found by bisection.
	low, high := 0.0, 10.0
	for range 100 {
		v := (low + high) / 2
		if 4*probe.Length/(1+math.Exp(2*probe.Length*v)) > 2*l2*v {
			low = v
		} else {
			high = v
		}
	}
	if got := float64(p.Weights.Data[0]); math.Abs(got-probe.Length*low) > 1e-5 || p.Weights.Data[1] != -p.Weights.Data[0] {
		t.Errorf("weights are %v, want +-%g", p.Weights.Data, probe.Length*low)
	}
}

func TestSearch(t *testing.T) {
	features, targets, validation, labels := pictures(t)
	found, err := probe.Search(t.Context(), features, targets, validation, labels)
	if err != nil {
		t.Fatal(err)
	}
	if found.Tried < 13 || found.Tried > 15 || found.Pictures != len(labels) {
		t.Errorf("%d strengths on %d pictures", found.Tried, found.Pictures)
	}
	for _, l2 := range []float64{1e-6, 1e-4, 1e-2, 1, 1e2, 1e4, 1e6} {
		p, err := probe.Fit(t.Context(), features, targets, l2)
		if err != nil {
			t.Fatal(err)
		}
		right, logits := 0, array.NewMatrix(validation.Rows, p.Classes())
		p.Logits(validation, logits)
		for i, label := range labels {
			if numeric.Largest(logits.Row(i)) == label {
				right++
			}
		}
		if right > found.Correct {
			t.Errorf("L2 %g has %d right, the one found, %g, %d", l2, right, found.L2, found.Correct)
		}
	}
}

func TestFaults(t *testing.T) {
	features, targets, _, _ := pictures(t)
	if _, err := probe.Fit(t.Context(), features, numeric.NewTargets(targets.Rows, targets.Cols, false), 1); err == nil {
		t.Error("pictures without a weight are fitted")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := probe.Fit(ended, features, targets, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("a fit that is stopped ends with %v", err)
	}
}
