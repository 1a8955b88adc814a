package numeric

import (
	"math"

	"github.com/upl-host/upl-host/graphs/array"
)

// CrossEntropy returns the mean over a batch of -sum_c target_c log p_c, p the
// softmax of logits [B, C], in nats. It fills slope [B, C] with the gradient by the
// logits. Sums are float64.
func CrossEntropy(logits, targets, slope array.Matrix) float64 {
	losses := make([]float64, logits.Rows)
	n := float64(logits.Rows)
	Parallel(logits.Rows, func(i int) {
		z, t, g := logits.Row(i), targets.Row(i), slope.Row(i)
		highest := float64(z[Largest(z)])
		total, weight, loss := 0.0, 0.0, 0.0
		for c, v := range z {
			total += math.Exp(float64(v) - highest)
			weight += float64(t[c])
		}
		log := highest + math.Log(total)
		for c, v := range z {
			loss -= float64(t[c]) * (float64(v) - log)
			g[c] = float32((weight*math.Exp(float64(v)-log) - float64(t[c])) / n)
		}
		losses[i] = loss
	})
	sum := 0.0
	for _, loss := range losses {
		sum += loss
	}
	return sum / n
}

// Agreement counts the rows whose likeliest class by logits is that by targets,
// among the rows that have a target.
func Agreement(logits, targets array.Matrix) (right, counted int) {
	for i := range targets.Rows {
		target := targets.Row(i)
		class := Largest(target)
		if target[class] == 0 {
			continue
		}
		counted++
		if Largest(logits.Row(i)) == class {
			right++
		}
	}
	return right, counted
}
