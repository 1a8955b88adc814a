package learn

import (
	"errors"
	"fmt"
	"slices"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn/numeric"
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

// Targets gives the targets of labels.
func Targets(labels []Label, classCount int) (numeric.Targets, error) {
	sets := slices.ContainsFunc(labels, func(l Label) bool { return l.Set != nil })
	targets := numeric.NewTargets(len(labels), classCount, sets)
	for i, label := range labels {
		row := targets.Row(i)
		switch {
		case label.Soft != nil:
			if len(label.Soft) != classCount {
				return numeric.Targets{}, fmt.Errorf("the soft label of picture %d has %d classes: there are %d", i, len(label.Soft), classCount)
			}
			for c, p := range label.Soft {
				row[c] = label.Weight * p
			}
			continue
		case label.Set != nil:
			targets.Sets[i] = true
		default:
			label.Set = []int{label.Class}
		}
		for _, class := range label.Set {
			if class < 0 || class >= classCount {
				return numeric.Targets{}, fmt.Errorf("picture %d is of class %d: there are %d classes", i, class, classCount)
			}
			row[class] = label.Weight / float32(len(label.Set))
		}
	}
	return targets, nil
}

func targetsOf(b graphs.Batch) numeric.Targets {
	return numeric.Targets{Matrix: b.Targets, Sets: b.Sets}
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
	slope := array.NewMatrix(logits.Rows, logits.Cols) // which nobody needs
	loss = numeric.CrossEntropy(logits, targetsOf(b), slope)
	shares = b.Targets.Clone()
	for i, set := range b.Sets {
		if set {
			numeric.Share(logits.Row(i), shares.Row(i))
		}
	}
	return loss, shares
}
