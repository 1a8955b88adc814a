package probe

import (
	"context"
	"fmt"
	"math"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn/numeric"
)

// Found is the result of a search.
type Found struct {
	Probe
	Correct, Pictures int // of the validation pictures
	Tried             int // strengths
}

// The strengths that are searched are 10^(i/8), i from -48 to 48, as CLIP has it.
const (
	stepsPerDecade = 8
	lastStep       = 6 * stepsPerDecade
	coarse         = 2 * stepsPerDecade
)

// Search finds the strength of L2 with which most validation pictures are classified
// right, as CLIP does: seven strengths from 1e-6 to 1e6, then around the best of them
// in steps of half the size, down to eight a decade. Of equals the strongest wins.
// labels are the pictures' classes.
func Search(ctx context.Context, features array.Matrix, targets numeric.Targets, validation array.Matrix, labels []int) (Found, error) {
	if validation.Rows != len(labels) {
		return Found{}, fmt.Errorf("searching: %d labels for %d pictures", len(labels), validation.Rows)
	}
	best, bestStep := Found{Correct: -1}, 0
	tried := map[int]bool{}
	try := func(step int) error {
		if step < -lastStep || step > lastStep || tried[step] {
			return nil
		}
		tried[step] = true
		p, err := Fit(ctx, features, targets, math.Pow(10, float64(step)/stepsPerDecade))
		if err != nil {
			return err
		}
		if correct := p.correct(validation, labels); correct > best.Correct || correct == best.Correct && step > bestStep {
			best.Probe, best.Correct, bestStep = p, correct, step
		}
		return nil
	}
	for step := lastStep; step >= -lastStep; step -= coarse {
		if err := try(step); err != nil {
			return Found{}, err
		}
	}
	for width := coarse / 2; width >= 1; width /= 2 {
		middle := bestStep
		for _, step := range []int{middle + width, middle - width} {
			if err := try(step); err != nil {
				return Found{}, err
			}
		}
	}
	best.Pictures, best.Tried = len(labels), len(tried)
	return best, nil
}

func (p Probe) correct(features array.Matrix, labels []int) (n int) {
	logits := array.NewMatrix(features.Rows, p.Classes())
	p.logits(features, logits)
	for i, label := range labels {
		if numeric.Largest(logits.Row(i)) == label {
			n++
		}
	}
	return n
}
