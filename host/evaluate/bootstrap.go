package evaluate

import (
	"math"
	"slices"

	"github.com/upl-host/upl-host/host/random"
)

// Resamples is the number of a bootstrap's, as is customary.
const Resamples = 10_000

// Bootstrap returns the 95 % interval of the difference that resampling the pictures
// gives (Efron 1979, percentiles), the same for the same seed. A resample of paired
// pictures is a draw of how many are right in one classifier alone, so that only
// those are drawn. Without pictures nothing is known: [-1, 1].
func (c Comparison) Bootstrap(seed uint64, resamples int) Interval {
	if c.Pictures == 0 || resamples < 1 {
		return Interval{-1, 1}
	}
	draws := random.New("bootstrap", seed)
	n := float64(c.Pictures)
	differing := c.FirstOnly + c.SecondOnly
	differences := make([]float64, resamples)
	for i := range differences {
		either := binomial(draws, c.Pictures, float64(differing)/n)
		second := binomial(draws, either, float64(c.SecondOnly)/float64(max(1, differing)))
		differences[i] = float64(2*second-either) / n
	}
	slices.Sort(differences)
	tail := float64(resamples) * 0.025
	return Interval{differences[int(tail)], differences[max(0, int(math.Ceil(float64(resamples)-tail))-1)]}
}

// binomial returns how many of n tries succeed, going from one success to the next:
// their distances are geometric (Devroye 1986, X.4.2).
func binomial(draws random.Stream, n int, p float64) (successes int) {
	if p <= 0 {
		return 0
	}
	rate := math.Log1p(-p) // -Inf where every try succeeds
	for tried := 0; ; successes++ {
		distance := math.Floor(math.Log(draws.Uniform()) / rate)
		if distance >= float64(n-tried) {
			return successes
		}
		tried += int(distance) + 1
	}
}
