package numeric

import (
	"math"

	"github.com/upl-host/upl-host/graphs/array"
)

// CrossEntropy returns the mean over a batch of the losses of its targets (RowLoss)
// at logits [B, C], in nats. It fills slope [B, C] with the gradient by the logits.
// Sums are float64.
func CrossEntropy(logits array.Matrix, targets Targets, slope array.Matrix) float64 {
	losses, n := make([]float64, logits.Rows), float64(logits.Rows)
	Parallel(logits.Rows, func(i int) {
		losses[i] = RowLoss(logits.Row(i), targets.Row(i), targets.IsSet(i), n, slope.Row(i))
	})
	sum := 0.0
	for _, loss := range losses {
		sum += loss
	}
	return sum / n
}

// RowLoss is the loss of a picture at its logits z [C], p their softmax, in nats:
// -sum_c w q_c log p_c, or of a candidate set -w log sum_S p_c (Feng et al. 2020, arXiv
// 2007.08929). It fills slope [C], which may be z, with the gradient by z of its nth part.
//
// A set's gradient is that of cross-entropy with the shares w p_c / sum_S p held fixed
// (the expectation step of EM): see Share.
func RowLoss[T float32 | float64](z []T, target []float32, set bool, n float64, slope []T) (loss float64) {
	weight := 0.0
	for _, t := range target {
		weight += float64(t)
	}
	all, inside := logSum(z, nil), 0.0
	if set = set && weight > 0; set {
		inside = logSum(z, target)
		loss = weight * (all - inside)
	}
	for c, v := range z {
		t := float64(target[c])
		switch {
		case !set:
			loss -= t * (float64(v) - all)
		case t > 0:
			t = weight * math.Exp(float64(v)-inside)
		}
		slope[c] = T((weight*math.Exp(float64(v)-all) - t) / n)
	}
	return loss
}

// Share gives a candidate set's weight to its classes as their probabilities at logits
// z are: what is above 0 in target [C] is replaced by w p_c / sum_S p.
func Share(z, target []float32) {
	weight := 0.0
	for _, t := range target {
		weight += float64(t)
	}
	if weight == 0 {
		return
	}
	inside := logSum(z, target)
	for c, t := range target {
		if t > 0 {
			target[c] = float32(weight * math.Exp(float64(z[c])-inside))
		}
	}
}

// logSum is log sum exp of logits, of those whose target is above 0 where there are
// targets.
func logSum[T float32 | float64](z []T, target []float32) float64 {
	highest, sum := math.Inf(-1), 0.0
	for c, v := range z {
		if target == nil || target[c] > 0 {
			highest = max(highest, float64(v))
		}
	}
	for c, v := range z {
		if target == nil || target[c] > 0 {
			sum += math.Exp(float64(v) - highest)
		}
	}
	return highest + math.Log(sum)
}

// Agreement counts the rows whose likeliest class by logits is that by targets, or one
// of a candidate set, among the rows that have a target.
func Agreement(logits array.Matrix, targets Targets) (right, counted int) {
	for i := range targets.Rows {
		target := targets.Row(i)
		class := Largest(target)
		if target[class] == 0 {
			continue
		}
		counted++
		predicted := Largest(logits.Row(i))
		if predicted == class || targets.IsSet(i) && target[predicted] > 0 {
			right++
		}
	}
	return right, counted
}
