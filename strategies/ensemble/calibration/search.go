package calibration

import "math"

// search finds where a function that falls with the temperature's logarithm x is
// 0, within the bounds: from x = 0 on by growing steps until it has changed sign,
// then by false position (Dowell and Jarratt's "Illinois" rule), for each step is
// a pass over the data, and bisection would take sixty.
type search struct {
	x          float64
	low, high  float64 // where it is above 0, and where not
	above      float64 // there; NaN as long as nothing is known
	below      float64
	growing    float64
	kept, done bool // kept: the end that stayed in the last step is high
	steps      int
}

// Temperatures are float32; what lies closer is the same.
const (
	coldest  = 0.01
	hottest  = 100
	nearness = 2e-7
	maxSteps = 60
)

func newSearch() search {
	return search{low: math.Log(coldest), high: math.Log(hottest), above: math.NaN(), below: math.NaN(), growing: 0.5}
}

func (s *search) temperature() float32 { return float32(math.Exp(s.x)) }

// step takes the function's value at x, and moves x on.
func (s *search) step(value float64) {
	x := math.Log(float64(s.temperature())) // where it was in truth
	s.steps++
	if value > 0 {
		if s.kept && s.steps > 1 {
			s.below /= 2
		}
		s.low, s.above, s.kept = x, value, true
	} else {
		if !s.kept && s.steps > 1 {
			s.above /= 2
		}
		s.high, s.below, s.kept = x, value, false
	}
	if s.high-s.low < nearness || s.steps == maxSteps {
		s.done = true
		return
	}
	switch {
	case math.IsNaN(s.below):
		s.x = min(x+s.growing, s.high)
		s.growing *= 2
	case math.IsNaN(s.above):
		s.x = max(x-s.growing, s.low)
		s.growing *= 2
	default:
		s.x = s.low + (s.high-s.low)*s.above/(s.above-s.below)
		// At an end nothing would be learnt.
		s.x = min(max(s.x, s.low+nearness/2), s.high-nearness/2)
	}
}
