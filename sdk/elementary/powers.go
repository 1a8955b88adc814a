package elementary

import (
	"math"
	"unsafe"
)

// Powers is whole rows of probabilities to the power of an exponent, in a fraction of
// the time of a logarithm and an exponential each. A float32 is 2^-n c (1 + r), with c
// what its first bits are: 2^-n and c to the power are in tables, and a few terms of the
// binomial series are (1 + r) to the power.
type Powers struct {
	exponent float64 // of all below
	further  int     // times its 16th power is taken, to get to the one asked for
	terms    terms
	halves   [1 << exponentBits]float64 // 2^-n to the power
	heads    [1 << headBits]head
}

// terms are the series' coefficients after the first, the exponent: so few that they
// stay in registers.
type terms struct{ a, b, c, d float64 }

type head struct{ unit, power float64 } // of c; unit: what a float32's last bit is of it

const (
	headBits = 14
	// widest is the exponent up to which the terms suffice for float64.
	widest = 100

	exponentBits = 7 // of a float32 from Tiny to 1
	mantissaBits = 23
	restBits     = mantissaBits - headBits
)

// NewPowers makes the tables of an exponent above 0.
func NewPowers(exponent float64) *Powers {
	p := &Powers{}
	for ; exponent > widest; exponent /= 16 {
		p.further++
	}
	p.exponent = exponent
	p.terms.a = exponent * (exponent - 1) / 2
	p.terms.b = p.terms.a * (exponent - 2) / 3
	p.terms.c = p.terms.b * (exponent - 3) / 4
	p.terms.d = p.terms.c * (exponent - 4) / 5
	for n := range p.halves {
		whole, part := math.Modf(exponent * float64(n))
		p.halves[n] = math.Ldexp(Exp(-part*math.Ln2), -int(whole))
	}
	for i := range p.heads {
		c := 1 + float64(i)/(1<<headBits)
		p.heads[i] = head{0x1p-23 / c, Power(c, exponent)}
	}
	return p
}

// Of fills dst with p to the power, up to a factor that the whole row has. What is
// below Tiny counts as that. Given the largest of p the powers of a row are not all too
// small for float64.
func (t *Powers) Of(dst []float64, p []float32, largest float32) {
	exponent, of, top, values := t.exponent, t.terms, aboveTiny(math.Float32bits(largest))>>mantissaBits, dst
	for ; len(p) >= stride; dst, p = dst[stride:], p[stride:] {
		// By their bits: a module would write each number to memory to get at these.
		d, q := (*[stride]float64)(dst), (*[stride]uint32)(unsafe.Pointer((*[stride]float32)(p)))
		r, scale := t.split(aboveTiny(q[0]), top)
		d[0] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[1]), top)
		d[1] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[2]), top)
		d[2] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[3]), top)
		d[3] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[4]), top)
		d[4] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[5]), top)
		d[5] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[6]), top)
		d[6] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[7]), top)
		d[7] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[8]), top)
		d[8] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[9]), top)
		d[9] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[10]), top)
		d[10] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[11]), top)
		d[11] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[12]), top)
		d[12] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[13]), top)
		d[13] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[14]), top)
		d[14] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[15]), top)
		d[15] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[16]), top)
		d[16] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[17]), top)
		d[17] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[18]), top)
		d[18] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[19]), top)
		d[19] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[20]), top)
		d[20] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[21]), top)
		d[21] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[22]), top)
		d[22] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[23]), top)
		d[23] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[24]), top)
		d[24] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[25]), top)
		d[25] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[26]), top)
		d[26] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[27]), top)
		d[27] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[28]), top)
		d[28] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[29]), top)
		d[29] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[30]), top)
		d[30] = binomial(exponent, of, r) * scale
		r, scale = t.split(aboveTiny(q[31]), top)
		d[31] = binomial(exponent, of, r) * scale
	}
	for i, x := range p {
		r, scale := t.split(aboveTiny(math.Float32bits(x)), top)
		dst[i] = binomial(exponent, of, r) * scale
	}
	if t.further > 0 {
		r, scale := t.split(aboveTiny(math.Float32bits(largest)), top)
		t.raise(values, binomial(exponent, of, r)*scale)
	}
}

// stride is as long as a step of strategies/vector, for the same reason.
const stride = 32

// aboveTiny is by how much the bits of max(x, Tiny) are above Tiny's: the order of
// numbers that are not negative is that of their bits, and max would be a call in a
// module.
func aboveTiny(bits uint32) int64 {
	above := int64(int32(bits)) - 1<<mantissaBits // -0 is far below
	return above &^ (above >> 63)
}

// split gives, of x = 2^-n c (1 + r), r and what the other factors are to the power.
func (t *Powers) split(above, top int64) (r, scale float64) {
	c := &t.heads[above>>restBits&(1<<headBits-1)]
	r = float64(above&(1<<restBits-1)) * c.unit
	return r, c.power * t.halves[(top-above>>mantissaBits)&(1<<exponentBits-1)]
}

// raise takes the 16th power as often as the exponent was divided by 16, and keeps the
// largest of the values near 1: else it, or the sum of thousands, would be too large.
func (t *Powers) raise(values []float64, largest float64) {
	for range t.further {
		_, exponent := math.Frexp(largest)
		by := math.Ldexp(1, -exponent)
		raise16(values, by)
		largest = power16(largest * by)
	}
}

// raise16 replaces values, times a power of two, by their 16th powers.
func raise16(values []float64, by float64) {
	for ; len(values) >= stride; values = values[stride:] {
		v := (*[stride]float64)(values)
		raisePair(v, 0, by)
		raisePair(v, 2, by)
		raisePair(v, 4, by)
		raisePair(v, 6, by)
		raisePair(v, 8, by)
		raisePair(v, 10, by)
		raisePair(v, 12, by)
		raisePair(v, 14, by)
		raisePair(v, 16, by)
		raisePair(v, 18, by)
		raisePair(v, 20, by)
		raisePair(v, 22, by)
		raisePair(v, 24, by)
		raisePair(v, 26, by)
		raisePair(v, 28, by)
		raisePair(v, 30, by)
	}
	for i, x := range values {
		values[i] = power16(x * by)
	}
}

func raisePair(v *[stride]float64, i int, by float64) {
	v[i], v[i+1] = power16(v[i]*by), power16(v[i+1]*by)
}

func power16(x float64) float64 {
	x *= x
	x *= x
	x *= x
	return x * x
}

// binomial is (1 + r) to the power.
func binomial(exponent float64, t terms, r float64) float64 {
	return 1 + float64(r*(exponent+float64(r*(t.a+float64(r*(t.b+float64(r*(t.c+float64(r*t.d)))))))))
}
