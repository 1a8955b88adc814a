package evaluate

import (
	"fmt"
	"math"
)

// z95 is the 97.5 % quantile of the normal distribution.
const z95 = 1.959963984540054

// Interval is a 95 % interval.
type Interval struct{ From, To float64 }

// Proportion returns the 95 % interval of a share of n (Wilson 1927): honest
// for small n, and within [0, 1]. Without pictures nothing is known: [0, 1].
func Proportion(correct, n int) Interval {
	if n == 0 {
		return Interval{0, 1}
	}
	p, m := float64(correct)/float64(n), float64(n)
	middle := (p + z95*z95/(2*m)) / (1 + z95*z95/m)
	half := z95 / (1 + z95*z95/m) * math.Sqrt(p*(1-p)/m+z95*z95/(4*m*m))
	return Interval{math.Max(0, middle-half), math.Min(1, middle+half)}
}

// StandardError returns that of a share of n pictures; NaN without pictures.
func StandardError(share float64, n int) float64 {
	return math.Sqrt(share * (1 - share) / float64(n))
}

// Comparison sets two classifiers side by side on the same labelled pictures.
type Comparison struct {
	// Pictures have a label; FirstOnly and SecondOnly of them are right in one
	// classifier alone.
	Pictures, FirstOnly, SecondOnly int
}

// Compare counts over pictures predicted by two classifiers; those with a label
// below zero are left out.
func Compare(first, second, labels []int) (Comparison, error) {
	if len(first) != len(labels) || len(second) != len(labels) {
		return Comparison{}, fmt.Errorf("comparing: %d and %d predictions for %d labels", len(first), len(second), len(labels))
	}
	var c Comparison
	for i, label := range labels {
		if label < 0 {
			continue
		}
		c.Pictures++
		switch a, b := first[i] == label, second[i] == label; {
		case a && !b:
			c.FirstOnly++
		case b && !a:
			c.SecondOnly++
		}
	}
	return c, nil
}

// Difference returns the second's accuracy less the first's; NaN without
// pictures.
func (c Comparison) Difference() float64 {
	return float64(c.SecondOnly-c.FirstOnly) / float64(c.Pictures)
}

// Interval returns the 95 % interval of the difference, for paired pictures
// (Agresti and Min 2005: Wald's after adding one half to each of the four
// counts, which holds its level for few pictures too).
func (c Comparison) Interval() Interval {
	if c.Pictures == 0 {
		return Interval{-1, 1}
	}
	n := float64(c.Pictures) + 2
	a, b := float64(c.FirstOnly)+0.5, float64(c.SecondOnly)+0.5
	difference := (b - a) / n
	half := z95 * math.Sqrt(a+b-(b-a)*(b-a)/n) / n
	return Interval{math.Max(-1, difference-half), math.Min(1, difference+half)}
}

// McNemar returns the exact two-sided p of McNemar's test: how likely a split
// at least as uneven of the pictures on which the two differ is if neither is
// better. 1 where they differ on none.
func (c Comparison) McNemar() float64 {
	n := c.FirstOnly + c.SecondOnly
	if n == 0 {
		return 1
	}
	logN, _ := math.Lgamma(float64(n) + 1)
	var tail float64
	for i := range min(c.FirstOnly, c.SecondOnly) + 1 {
		logI, _ := math.Lgamma(float64(i) + 1)
		logRest, _ := math.Lgamma(float64(n-i) + 1)
		tail += math.Exp(logN - logI - logRest - float64(n)*math.Ln2)
	}
	return math.Min(1, 2*tail)
}

// Disagreement returns the share of pictures for which not all models predict
// the same class; NaN without pictures. Every model has one prediction a
// picture.
func Disagreement(models ...[]int) float64 {
	if len(models) == 0 || len(models[0]) == 0 {
		return math.NaN()
	}
	differ := 0
	for i, y := range models[0] {
		for _, other := range models[1:] {
			if other[i] != y {
				differ++
				break
			}
		}
	}
	return float64(differ) / float64(len(models[0]))
}
