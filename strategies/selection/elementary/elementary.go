// Package elementary has logarithm, exponential and power that give the same bits
// in a module and in a program: math's own Log and Exp are assembly on some
// processors, which rounds otherwise.
package elementary

import "math"

// Tiny is what a logarithm takes for less: the least normal float32.
const Tiny = 0x1p-126

// Log is the natural logarithm of a normal number above 0.
func Log(x float64) float64 {
	fraction, exponent := math.Frexp(x)
	if fraction < math.Sqrt2/2 { // so that numbers near 1 have exponent 0
		fraction, exponent = 2*fraction, exponent-1
	}
	return float64(float64(exponent)*math.Ln2) + math.Log1p(fraction-1)
}

// Exp is e to the power of x.
func Exp(x float64) float64 { return math.Exp2(x * math.Log2E) }

// Power is x to the power of an exponent, without a logarithm where the exponent is
// a small fraction: 25, 0.5, 2.25.
type Power struct {
	exponent float64
	root, n  int // the exponent is n / 2^root; n = 0: it is no small fraction
}

// NewPower is the power of an exponent above 0.
func NewPower(exponent float64) Power {
	const most, deepest = 1024, 4
	for root := range deepest + 1 {
		if n := math.Ldexp(exponent, root); n >= 1 && n <= most && n == math.Trunc(n) {
			return Power{exponent, root, int(n)}
		}
	}
	return Power{exponent: exponent}
}

// Of is x, of 0 to 1 and normal, to the power; what is too small is 0.
func (p Power) Of(x float64) float64 {
	if p.n == 0 {
		return Exp(p.exponent * Log(x))
	}
	for range p.root {
		x = math.Sqrt(x)
	}
	y := 1.0
	for n := p.n; ; x *= x {
		if n&1 == 1 {
			y *= x
		}
		if n >>= 1; n == 0 {
			return y
		}
	}
}
