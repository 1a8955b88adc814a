package calibration

import (
	"math"
	"testing"
)

// TestSearch finds the roots of falling functions, steep and flat, in a few steps.
func TestSearch(t *testing.T) {
	for name, c := range map[string]struct {
		f    func(x float64) float64
		want float64
		most int
	}{
		"at the start":  {func(x float64) float64 { return -x }, 0, 4},
		"a line":        {func(x float64) float64 { return 1.25 - x }, 1.25, 6},
		"a line, cold":  {func(x float64) float64 { return -1.25 - x }, -1.25, 6},
		"a sigmoid":     {func(x float64) float64 { return 1/(1+math.Exp(3*(x-0.7))) - 0.3 }, 0.7 + math.Log(0.7/0.3)/3, 14},
		"nearly a step": {func(x float64) float64 { return -math.Tanh(500 * (x - 0.123)) }, 0.123, 35},
		"a far root":    {func(x float64) float64 { return math.Exp(-x) - math.Exp(-4.5) }, 4.5, 20},
		"never below 0": {func(float64) float64 { return 1 }, math.Log(hottest), 5},
		"never above 0": {func(float64) float64 { return -1 }, math.Log(coldest), 5},
	} {
		s := newSearch()
		for steps := 1; !s.done; steps++ {
			if s.step(c.f(math.Log(float64(s.temperature())))); steps > c.most {
				t.Fatalf("%s: at %v after %d steps", name, s.x, steps)
			}
		}
		if math.Abs(s.x-c.want) > 5e-7 {
			t.Errorf("%s: %v, not %v", name, s.x, c.want)
		}
	}
}
