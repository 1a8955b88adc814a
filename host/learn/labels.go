package learn

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
)

// Label is what a picture is learned as: a class, a distribution, or a set of
// classes of which one is right.
type Label struct {
	// Class is that of a hard label.
	Class  int
	Weight float32 // a factor of the picture's loss
	// Soft [C], where it is there, takes the place of Class.
	Soft []float32
	// Set, where it is there, are the candidate classes in the place of Class.
	Set []int
}

// Targets gives the targets of labels, and which of them are candidate sets, nil
// where there are none: see Data.
func Targets(labels []Label, classCount int) (targets array.Matrix, sets []bool, err error) {
	targets = array.NewMatrix(len(labels), classCount)
	for i, label := range labels {
		row := targets.Row(i)
		switch {
		case label.Soft != nil:
			if len(label.Soft) != classCount {
				return array.Matrix{}, nil, fmt.Errorf("the soft label of picture %d has %d classes: there are %d", i, len(label.Soft), classCount)
			}
			for c, p := range label.Soft {
				row[c] = label.Weight * p
			}
			continue
		case label.Set != nil:
			if sets == nil {
				sets = make([]bool, len(labels))
			}
			sets[i] = true
		default:
			label.Set = []int{label.Class}
		}
		for _, class := range label.Set {
			if class < 0 || class >= classCount {
				return array.Matrix{}, nil, fmt.Errorf("picture %d is of class %d: there are %d classes", i, class, classCount)
			}
			row[class] = label.Weight / float32(len(label.Set))
		}
	}
	return targets, sets, nil
}

// sharedGradient is the loss of a batch with candidate sets, and its gradient, by a
// model that knows none: of -w log sum_S p that is the gradient of cross-entropy
// with targets w p_c / sum_S p, as they are now (the expectation step of EM). So the
// model is asked twice, first for its logits.
func sharedGradient(b graphs.Batch, evaluate func(targets array.Matrix) (graphs.Gradient, error)) (graphs.Gradient, error) {
	now, err := evaluate(b.Targets)
	if err != nil {
		return graphs.Gradient{}, err
	}
	if now.Logits.Rows != b.Targets.Rows || now.Logits.Cols != b.Targets.Cols {
		return graphs.Gradient{}, errors.New("the model's logits are not of the pictures and classes that it was given")
	}
	loss, shares := shareSets(b, now.Logits)
	g, err := evaluate(shares)
	g.Loss = loss
	return g, err
}

// shareSets gives the loss of a batch at its logits, and its targets with those of
// candidate sets shared among their classes as the probabilities are.
func shareSets(b graphs.Batch, logits array.Matrix) (loss float64, shares array.Matrix) {
	shares = b.Targets.Clone()
	for i := range logits.Rows {
		row, target := logits.Row(i), shares.Row(i)
		all := logSum(row, nil)
		if !b.Sets[i] {
			for c, t := range target {
				if t > 0 {
					loss -= float64(t) * (float64(row[c]) - all)
				}
			}
			continue
		}
		weight := 0.0
		for _, t := range target {
			weight += float64(t)
		}
		if weight == 0 {
			continue
		}
		inside := logSum(row, target)
		loss -= weight * (inside - all)
		for c, t := range target {
			if t > 0 {
				target[c] = float32(weight * math.Exp(float64(row[c])-inside))
			}
		}
	}
	return loss / float64(logits.Rows), shares
}

// logSum is log sum exp of logits, of those whose target is above 0 where there are
// targets.
func logSum(logits, targets []float32) float64 {
	highest, sum := float64(slices.Max(logits)), 0.0
	if targets != nil {
		highest = math.Inf(-1)
		for c, z := range logits {
			if targets[c] > 0 {
				highest = max(highest, float64(z))
			}
		}
	}
	for c, z := range logits {
		if targets == nil || targets[c] > 0 {
			sum += math.Exp(float64(z) - highest)
		}
	}
	return highest + math.Log(sum)
}
