package elementary

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestAgainstMath compares with math's functions over all that probabilities need.
func TestAgainstMath(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		x := max(random.Float64(), Tiny)
		if random.IntN(2) == 0 {
			x = math.Exp(random.Float64() * math.Log(Tiny))
		}
		if got, want := Log(x), math.Log(x); math.Abs(got-want) > 1e-15*math.Abs(want)+2e-16 {
			t.Fatalf("log %v: %v, not %v", x, got, want)
		}
		if z := random.Float64()*701 - 700; math.Abs(Exp(z)/math.Exp(z)-1) > 5e-16 {
			t.Fatalf("exp %v: %v, not %v", z, Exp(z), math.Exp(z))
		}
		exponent := math.Exp(random.Float64()*14 - 7)
		if got, want := Power(x, exponent), math.Pow(x, exponent); math.Abs(got-want) > 3e-12*want+1e-300 {
			t.Fatalf("%v to the power of %v: %v, not %v", x, exponent, got, want)
		}
	}
	if Log(1) != 0 || Exp(0) != 1 || Power(1, 0.3) != 1 {
		t.Error("log 1, exp 0 or a power of 1 is not exact")
	}
}

// TestLists has lists' functions give what single numbers' give, in and after a step.
func TestLists(t *testing.T) {
	p := []float32{1, 0.75, 0.3, 1e-9, Tiny, 0, 0.5, 1e-30, 0.7, 0, 0.1}
	logs := make([]float64, len(p))
	Logs(logs, p)
	for i, x := range p {
		if want := Log(max(float64(x), Tiny)); logs[i] != want {
			t.Errorf("log %v: %v, not %v", x, logs[i], want)
		}
	}
	values := []float64{0, -1, -87, -699, -720, -746.5, -1e9, math.Inf(-1), -0.5, -730, -1e300}
	exps := slices.Clone(values)
	total := Exps(exps)
	var sum float64
	for i, x := range values {
		if want := Exp(x); exps[i] != want {
			t.Errorf("exp %v: %v, not %v", x, exps[i], want)
		}
		sum += exps[i]
	}
	if total != sum {
		t.Errorf("they sum to %v, not %v", total, sum)
	}
}

// TestExpFar leaves the range of numbers at both ends.
func TestExpFar(t *testing.T) {
	for x, want := range map[float64]float64{
		math.Inf(-1): 0, -1e300: 0, -750: 0, 705: math.Exp(705), -705: math.Exp(-705),
		720: math.Inf(1), 1e300: math.Inf(1), math.Inf(1): math.Inf(1),
	} {
		if got := Exp(x); got != want && !(math.Abs(got/want-1) < 1e-12) {
			t.Errorf("exp %v: %v, not %v", x, got, want)
		}
	}
	if got := Exp(math.NaN()); !math.IsNaN(got) {
		t.Errorf("exp NaN: %v", got)
	}
}
