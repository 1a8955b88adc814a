package learn

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
)

func TestTargets(t *testing.T) {
	targets, err := Targets([]Label{
		{Class: 1, Weight: 0.5},
		{Soft: []float32{0.25, 0, 0.75}, Weight: 2},
		{Set: []int{0, 2}, Weight: 3},
		{Set: []int{1}, Weight: 0},
	}, 3)
	if err != nil {
		t.Fatal(err)
	}
	want := []float32{0, 0.5, 0, 0.5, 0, 1.5, 1.5, 0, 1.5, 0, 0, 0}
	if diff := cmp.Diff(want, targets.Data); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]bool{false, false, true, true}, targets.Sets); diff != "" {
		t.Error(diff)
	}
	if targets, err := Targets([]Label{{Class: 0, Weight: 1}, {Soft: []float32{1}, Weight: 1}}, 1); targets.Sets != nil || err != nil {
		t.Errorf("without sets: %v, %v", targets.Sets, err)
	}
	for says, label := range map[string]Label{
		"picture 0 is of class 2":  {Class: 2},
		"picture 0 is of class -1": {Set: []int{0, -1}},
		"has 1 classes":            {Soft: []float32{1}},
	} {
		if _, err := Targets([]Label{label}, 2); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
}

// Probabilities of 1, 2 and 3 sixths, worked out by hand; and logits whose
// probabilities vanish in float32, in the set or out of it.
func TestShareSets(t *testing.T) {
	ln := func(x float64) float32 { return float32(math.Log(x)) }
	logits := array.Matrix{Rows: 5, Cols: 3, Data: []float32{
		0, ln(2), ln(3),
		0, ln(2), ln(3),
		0, ln(2), ln(3),
		1000, 0, 1,
		1000, 0, 1,
	}}
	b := graphs.Batch{
		Targets: array.Matrix{Rows: 5, Cols: 3, Data: []float32{
			0.25, 0.25, 0, // a set of weight 0.5
			0.5, 0, 0.5, // a soft label
			0, 0, 0, // a set of no weight
			0, 0.5, 0.5,
			1, 0, 0,
		}},
		Sets: []bool{true, false, true, true, true},
	}
	loss, shares := shareSets(b, logits)
	e := math.E
	want := -0.5*math.Log(0.5) - 0.5*math.Log(1.0/6) - 0.5*math.Log(0.5) + (1000 - math.Log(1+e))
	if math.Abs(loss*5-want) > 1e-5 {
		t.Errorf("the loss is %v, want %v", loss*5, want)
	}
	about := []float64{0.5 / 3, 1.0 / 3, 0, 0.5, 0, 0.5, 0, 0, 0, 0, 1 / (1 + e), e / (1 + e), 1, 0, 0}
	for i, w := range about {
		if math.Abs(float64(shares.Data[i])-w) > 1e-6 {
			t.Errorf("share %d is %v, want %v", i, shares.Data[i], w)
		}
	}
	if b.Targets.Data[0] != 0.25 {
		t.Error("the batch itself was changed")
	}
}

// The model is asked for logits first, and then for the gradient of the shares; its
// faults are those of the batch.
func TestSharedGradient(t *testing.T) {
	b := graphs.Batch{Targets: array.Matrix{Rows: 1, Cols: 2, Data: []float32{0.5, 0.5}}, Sets: []bool{true}}
	var asked [][]float32
	model := func(targets array.Matrix) (graphs.Gradient, error) {
		asked = append(asked, targets.Clone().Data)
		return graphs.Gradient{Loss: 99, Logits: array.NewMatrix(1, 2), Gradient: array.NewMatrix(1, len(asked))}, nil
	}
	g, err := sharedGradient(b, model)
	if err != nil || g.Loss != 0 || g.Gradient.Cols != 2 {
		t.Errorf("%+v, %v", g, err)
	}
	if diff := cmp.Diff([][]float32{{0.5, 0.5}, {0.5, 0.5}}, asked, cmpopts.EquateApprox(0, 1e-6)); diff != "" {
		t.Error(diff)
	}
	fault := errors.New("no memory")
	if _, err := sharedGradient(b, func(array.Matrix) (graphs.Gradient, error) { return graphs.Gradient{}, fault }); !errors.Is(err, fault) {
		t.Error(err)
	}
	odd := func(array.Matrix) (graphs.Gradient, error) {
		return graphs.Gradient{Logits: array.NewMatrix(1, 3)}, nil
	}
	if _, err := sharedGradient(b, odd); err == nil || !strings.Contains(err.Error(), "logits") {
		t.Error(err)
	}
}
