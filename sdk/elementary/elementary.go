// Package elementary has logarithm, exponential and power that give the same bits
// in a module and in a program: math's own are assembly on some processors, which
// rounds otherwise. They are also some times as fast in a module, where a call costs
// as much as a few products: what they consist of is inlined.
package elementary

import "math"

// Tiny is what a logarithm takes for less: the least normal float32.
const Tiny = 0x1p-126

// ln2 in two parts, of which the first has zeros for last bits: times an exponent it
// is exact.
const (
	ln2High = 6.93147180369123816490e-01
	ln2Low  = 1.90821492927058770002e-10
)

// Log is the natural logarithm of a normal number above 0.
func Log(x float64) float64 {
	f, exponent, s := split(x)
	return join(f, exponent, s, series(s*s))
}

// Logs fills dst with the logarithms of probabilities, of which what is below Tiny
// counts as that. As strategies/vector it goes some elements a step.
func Logs(dst []float64, p []float32) {
	for ; len(p) >= step; dst, p = dst[step:], p[step:] {
		d, q := (*[step]float64)(dst), (*[step]float32)(p)
		f, exponent, s := split(atLeastTiny(q[0]))
		d[0] = join(f, exponent, s, series(s*s))
		f, exponent, s = split(atLeastTiny(q[1]))
		d[1] = join(f, exponent, s, series(s*s))
		f, exponent, s = split(atLeastTiny(q[2]))
		d[2] = join(f, exponent, s, series(s*s))
		f, exponent, s = split(atLeastTiny(q[3]))
		d[3] = join(f, exponent, s, series(s*s))
		f, exponent, s = split(atLeastTiny(q[4]))
		d[4] = join(f, exponent, s, series(s*s))
		f, exponent, s = split(atLeastTiny(q[5]))
		d[5] = join(f, exponent, s, series(s*s))
		f, exponent, s = split(atLeastTiny(q[6]))
		d[6] = join(f, exponent, s, series(s*s))
		f, exponent, s = split(atLeastTiny(q[7]))
		d[7] = join(f, exponent, s, series(s*s))
	}
	for i, p := range p {
		dst[i] = Log(atLeastTiny(p))
	}
}

const step = 8

// atLeastTiny is max(p, Tiny), which is a call in a module.
func atLeastTiny(p float32) float64 {
	if p < Tiny {
		return Tiny
	}
	return float64(p)
}

// split gives x = (1 + f) 2^exponent, with 1 + f from sqrt(1/2) to sqrt(2), and
// s = f/(2 + f).
func split(x float64) (f, exponent, s float64) {
	const half = 0x3fe6a09e667f3bcd // the bits of sqrt(1/2)
	bits := int64(math.Float64bits(x)) - half
	f = math.Float64frombits(uint64(bits&(1<<52-1)+half)) - 1
	return f, float64(bits >> 52), f / (2 + f)
}

// series is FreeBSD's (e_log.c), of log(1 + f) in z = s^2, s = f/(2 + f). Conversions
// keep products from being fused into sums.
func series(z float64) float64 {
	w := float64(z * z)
	even := w * (3.999999999940941908e-01 + float64(w*(2.222219843214978396e-01+float64(w*1.531383769920937332e-01))))
	odd := z * (6.666666666666735130e-01 + float64(w*(2.857142874366239149e-01+float64(w*(1.818357216161805012e-01+float64(w*1.479819860511658591e-01))))))
	return float64(odd) + float64(even)
}

// join is log((1 + f) 2^exponent), given s and the series.
func join(f, exponent, s, series float64) float64 {
	square := float64(0.5 * f * f)
	rest := float64(s*(square+series)) + float64(exponent*ln2Low)
	return float64(exponent*ln2High) - (square - rest - f)
}

// Exp is e to the power of x.
func Exp(x float64) float64 {
	if !(x > -700 && x < 700) {
		return expFar(x)
	}
	r, exponent := reduce(x)
	return scale(expNear(r), exponent)
}

// Exps replaces numbers, none above 0, by their exponentials, and gives the sum of
// these.
func Exps(values []float64) (sum float64) {
	for ; len(values) >= step; values = values[step:] {
		v := (*[step]float64)(values)
		r, exponent := reduce(above(v[0]))
		v[0] = small(v[0], scale(expNear(r), exponent))
		sum += v[0]
		r, exponent = reduce(above(v[1]))
		v[1] = small(v[1], scale(expNear(r), exponent))
		sum += v[1]
		r, exponent = reduce(above(v[2]))
		v[2] = small(v[2], scale(expNear(r), exponent))
		sum += v[2]
		r, exponent = reduce(above(v[3]))
		v[3] = small(v[3], scale(expNear(r), exponent))
		sum += v[3]
		r, exponent = reduce(above(v[4]))
		v[4] = small(v[4], scale(expNear(r), exponent))
		sum += v[4]
		r, exponent = reduce(above(v[5]))
		v[5] = small(v[5], scale(expNear(r), exponent))
		sum += v[5]
		r, exponent = reduce(above(v[6]))
		v[6] = small(v[6], scale(expNear(r), exponent))
		sum += v[6]
		r, exponent = reduce(above(v[7]))
		v[7] = small(v[7], scale(expNear(r), exponent))
		sum += v[7]
	}
	for i, x := range values {
		values[i] = Exp(x)
		sum += values[i]
	}
	return sum
}

// above is a number that reduce takes.
func above(x float64) float64 {
	if x < -700 {
		return -700
	}
	return x
}

// small is e^x, given what it is where x is not too small.
func small(x, exp float64) float64 {
	if x >= -700 {
		return exp
	}
	if x < -746 {
		return 0
	}
	return expFar(x)
}

// reduce gives x = r + exponent log 2, with r from -log(2)/2 to log(2)/2.
func reduce(x float64) (r, exponent float64) {
	const round = 0x1.8p52 // added, nothing is left behind the point
	exponent = float64(float64(x*math.Log2E)+round) - round
	return (x - float64(exponent*ln2High)) - float64(exponent*ln2Low), exponent
}

// expNear is e^r by the rational function of FreeBSD's e_exp.c.
func expNear(r float64) float64 {
	z := r * r
	c := r - float64(z*(1.66666666666666657415e-01+float64(z*(-2.77777777770155933842e-03+
		float64(z*(6.61375632143793436117e-05+float64(z*(-1.65339022054652515390e-06+float64(z*4.13813679705723846039e-08)))))))))
	return 1 + (float64(r*c)/(2-c) + r)
}

// scale is y 2^exponent, both normal numbers.
func scale(y, exponent float64) float64 {
	return math.Float64frombits(math.Float64bits(y) + uint64(int64(exponent))<<52)
}

// expFar is for what is nearly nothing, or nearly too large.
func expFar(x float64) float64 {
	switch {
	case x < -746:
		return 0
	case x > 710:
		return math.Inf(1)
	case math.IsNaN(x):
		return x
	}
	root := Exp(x / 2)
	return root * root
}

// Power is x, a normal number above 0, to the power of an exponent.
func Power(x, exponent float64) float64 { return Exp(exponent * Log(x)) }
