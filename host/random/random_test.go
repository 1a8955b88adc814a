package random_test

import (
	"math"
	"testing"

	"github.com/upl-host/upl-host/host/random"
)

// Each outcome is as likely: counts of 30,000 draws stay within 5 deviations.
func TestBelow(t *testing.T) {
	s := random.New("test")
	counts := make([]int, 3)
	for range 30_000 {
		counts[s.Below(3)]++
	}
	for i, n := range counts {
		if math.Abs(float64(n-10_000)) > 5*82 {
			t.Errorf("%d came %d times in 30,000", i, n)
		}
	}
}

func TestUniformAndNormal(t *testing.T) {
	s := random.New("test")
	var mean, normal, square float64
	const n = 30_000
	for range n {
		u := s.Uniform()
		if u <= 0 || u > 1 {
			t.Fatalf("%v is not in (0, 1]", u)
		}
		x := s.Normal()
		mean, normal, square = mean+u/n, normal+x/n, square+x*x/n
	}
	// Within 5 standard errors.
	if math.Abs(mean-0.5) > 5*0.2887/math.Sqrt(n) || math.Abs(normal) > 5/math.Sqrt(n) || math.Abs(square-1) > 5*math.Sqrt2/math.Sqrt(n) {
		t.Errorf("means %v and %v, mean square %v", mean, normal, square)
	}
}

// A name is all that decides a stream; streams of other names differ.
func TestNames(t *testing.T) {
	seen := map[float64]int{}
	for i, name := range []random.Stream{
		random.New("a"), random.New("b"), random.New("a", 1), random.New("a", 1, 2), random.New("a", 12), random.New("a", 2, 1),
	} {
		u := name.Uniform()
		if other, twice := seen[u]; twice {
			t.Errorf("streams %d and %d begin with the same number", other, i)
		}
		seen[u] = i
	}
	if random.New("a", 1).Uniform() != random.New("a", 1).Uniform() {
		t.Error("the same name gives two streams")
	}
}
