package evaluate_test

import (
	"math"
	"testing"

	"github.com/upl-host/upl-host/host/evaluate"
)

// The bootstrap of many pictures is Wald's interval, which is what it estimates:
// the difference has variance (p10 + p01 - (p01 - p10)²) / n.
func TestBootstrapIsWald(t *testing.T) {
	for _, c := range []evaluate.Comparison{
		{Pictures: 10_000, FirstOnly: 700, SecondOnly: 900},
		{Pictures: 5_000, FirstOnly: 1200, SecondOnly: 1100},
		{Pictures: 2_000, FirstOnly: 10, SecondOnly: 400},
	} {
		n := float64(c.Pictures)
		p10, p01 := float64(c.FirstOnly)/n, float64(c.SecondOnly)/n
		half := 1.959964 * math.Sqrt((p10+p01-(p01-p10)*(p01-p10))/n)
		got := c.Bootstrap(1, evaluate.Resamples)
		for _, end := range [][2]float64{{got.From, c.Difference() - half}, {got.To, c.Difference() + half}} {
			if math.Abs(end[0]-end[1]) > 0.05*half {
				t.Errorf("%+v: %v, want %v ± %v", c, got, c.Difference(), half)
			}
		}
	}
}

func TestBootstrapEdges(t *testing.T) {
	same := evaluate.Comparison{Pictures: 50}
	if got := same.Bootstrap(1, 1000); got != (evaluate.Interval{}) {
		t.Errorf("where nothing differs: %v", got)
	}
	all := evaluate.Comparison{Pictures: 50, SecondOnly: 50}
	if got := all.Bootstrap(1, 1000); got != (evaluate.Interval{From: 1, To: 1}) {
		t.Errorf("where all pictures are won: %v", got)
	}
	if got := (evaluate.Comparison{}).Bootstrap(1, 1000); got != (evaluate.Interval{From: -1, To: 1}) {
		t.Errorf("without pictures: %v", got)
	}
	some := evaluate.Comparison{Pictures: 300, FirstOnly: 20, SecondOnly: 35}
	first, again := some.Bootstrap(1, 200), some.Bootstrap(1, 200)
	if first != again {
		t.Errorf("the same seed gives %v and %v", first, again)
	}
	others := map[evaluate.Interval]bool{}
	for seed := range uint64(10) {
		others[some.Bootstrap(seed, 200)] = true
	}
	if len(others) < 3 {
		t.Errorf("ten seeds give the same few draws: %v", others)
	}
}
