package elementary

import "math"

// Powers is whole rows of probabilities to the power of an exponent, in a fraction of
// the time of a logarithm and an exponential each. A float32 is 2^-n m, m from 1 to 2,
// and m = c (1 + r) with c one of 1,024 numbers: 2^-n and c to the power are in
// tables, and a few terms of the binomial series are (1 + r) to the power.
type Powers struct {
	doublings int // of what the tables are for, to get to the exponent
	terms     [5]float64
	halves    [128]float64 // of 2^-n
	centres   [1 << centreBits]centre
}

// centre is a number c. Of its inverse there are so few bits that the product with a
// float32 is exact; c is that of the inverse as it is.
type centre struct{ inverse, power float64 }

const (
	centreBits  = 10
	inverseBits = 29
	// widest is the exponent up to which the terms suffice for float64.
	widest = 16

	mantissaBits = 23 // of a float32
	one          = 127 << mantissaBits
)

// NewPowers makes the tables of an exponent above 0.
func NewPowers(exponent float64) *Powers {
	p := &Powers{}
	for ; exponent > widest; exponent /= 2 {
		p.doublings++
	}
	term := 1.0
	for k := range p.terms {
		term *= (exponent - float64(k)) / float64(k+1)
		p.terms[k] = term
	}
	for n := range p.halves {
		whole, part := math.Modf(exponent * float64(n))
		if whole < 1022 { // normal numbers: see squared
			p.halves[n] = math.Ldexp(Exp(-part*math.Ln2), -int(whole))
		}
	}
	for i := range p.centres {
		c := 1 + (float64(i)+0.5)/(1<<centreBits)
		inverse := math.RoundToEven((1<<inverseBits)/c) / (1 << inverseBits)
		p.centres[i] = centre{inverse, Exp(-exponent * Log(inverse))}
	}
	return p
}

// Of fills dst with p to the power, up to a factor that the whole row has, and gives
// their sum, in order. What is below Tiny counts as that; a power below the least normal
// number may be 0. Given the largest of p the powers of a row are not all too small.
func (t *Powers) Of(dst []float64, p []float32, largest float32) (sum float64) {
	top, c := int64(math.Float32bits(largest)>>mantissaBits), t.terms
	values := dst
	for ; len(p) >= step; dst, p = dst[step:], p[step:] {
		d, q := (*[step]float64)(dst), (*[step]float32)(p)
		r, scale := t.split(bitsOf(q[0]), top)
		d[0] = binomial(&c, r) * scale
		sum += d[0]
		r, scale = t.split(bitsOf(q[1]), top)
		d[1] = binomial(&c, r) * scale
		sum += d[1]
		r, scale = t.split(bitsOf(q[2]), top)
		d[2] = binomial(&c, r) * scale
		sum += d[2]
		r, scale = t.split(bitsOf(q[3]), top)
		d[3] = binomial(&c, r) * scale
		sum += d[3]
		r, scale = t.split(bitsOf(q[4]), top)
		d[4] = binomial(&c, r) * scale
		sum += d[4]
		r, scale = t.split(bitsOf(q[5]), top)
		d[5] = binomial(&c, r) * scale
		sum += d[5]
		r, scale = t.split(bitsOf(q[6]), top)
		d[6] = binomial(&c, r) * scale
		sum += d[6]
		r, scale = t.split(bitsOf(q[7]), top)
		d[7] = binomial(&c, r) * scale
		sum += d[7]
	}
	for i, x := range p {
		r, scale := t.split(bitsOf(x), top)
		dst[i] = binomial(&c, r) * scale
		sum += dst[i]
	}
	if t.doublings == 0 {
		return sum
	}
	return t.double(values, largest)
}

// double squares powers as often as the exponent was halved. Of the largest of them
// first, of which even the sum of many thousands would be too large: the largest is 1
// then, and stays it.
func (t *Powers) double(values []float64, largest float32) (sum float64) {
	r, scale := t.split(bitsOf(largest), int64(math.Float32bits(largest)>>mantissaBits))
	by := binomial(&t.terms, r) * scale
	for rest := values; ; {
		if len(rest) < step {
			for i := range rest {
				rest[i] /= by
			}
			break
		}
		d := (*[step]float64)(rest)
		d[0], d[1], d[2], d[3] = d[0]/by, d[1]/by, d[2]/by, d[3]/by
		d[4], d[5], d[6], d[7] = d[4]/by, d[5]/by, d[6]/by, d[7]/by
		rest = rest[step:]
	}
	for range t.doublings {
		sum = square(values)
	}
	return sum
}

// square replaces numbers by their squares, and gives their sum.
func square(values []float64) (sum float64) {
	for ; len(values) >= step; values = values[step:] {
		d := (*[step]float64)(values)
		d[0] = squared(d[0])
		sum += d[0]
		d[1] = squared(d[1])
		sum += d[1]
		d[2] = squared(d[2])
		sum += d[2]
		d[3] = squared(d[3])
		sum += d[3]
		d[4] = squared(d[4])
		sum += d[4]
		d[5] = squared(d[5])
		sum += d[5]
		d[6] = squared(d[6])
		sum += d[6]
		d[7] = squared(d[7])
		sum += d[7]
	}
	for i, x := range values {
		values[i] = squared(x)
		sum += values[i]
	}
	return sum
}

// squared is 0 where x^2 is no normal number: such cost a processor a hundred times as
// much, and have lost their digits.
func squared(x float64) float64 {
	const least = 0x200 << 52 // the bits of 2^-511
	bits := int64(math.Float64bits(x))
	x = math.Float64frombits(uint64(bits &^ ((bits - least) >> 63)))
	return x * x
}

// bitsOf are those of max(x, Tiny), which would be a call in a module: the order of
// numbers that are not negative is that of their bits.
func bitsOf(x float32) int64 {
	const least = 1 << mantissaBits
	over := int64(math.Float32bits(x)&^(1<<31)) - least // 0 may be negative
	return over&^(over>>63) + least
}

// split gives, of x = 2^-n c (1 + r), r and what the other factors are to the power.
func (t *Powers) split(bits, top int64) (r, scale float64) {
	c := &t.centres[bits>>(mantissaBits-centreBits)&(1<<centreBits-1)]
	m := math.Float32frombits(uint32(bits&(1<<mantissaBits-1) | one))
	return float64(float64(m)*c.inverse) - 1, t.halves[(top-bits>>mantissaBits)&127] * c.power
}

// binomial is (1 + r) to the power.
func binomial(c *[5]float64, r float64) float64 {
	z := float64(r * r)
	return 1 + (float64(c[0]*r) + float64(z*((c[1]+float64(c[2]*r))+float64(z*(c[3]+float64(c[4]*r))))))
}
