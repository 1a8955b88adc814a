package vector

import "math"

// FirstTwo are the largest of some numbers that are not negative, of equals the
// first, where it is, and the next; -1 where there is one alone. It has no branches,
// which are dear in a module: the order of such numbers is that of their bits.
func FirstTwo[T float32 | float64](values []T) (at int, first, second T) {
	f, s := int64(-1), int64(-1)
	n, begin := 0, 0 // begin of the step with the first
	for ; len(values)-n >= Step; n += Step {
		v := (*[Step]T)(values[n:])
		before := f
		f, s = better(f, s, magnitude(v[0]))
		f, s = better(f, s, magnitude(v[1]))
		f, s = better(f, s, magnitude(v[2]))
		f, s = better(f, s, magnitude(v[3]))
		f, s = better(f, s, magnitude(v[4]))
		f, s = better(f, s, magnitude(v[5]))
		f, s = better(f, s, magnitude(v[6]))
		f, s = better(f, s, magnitude(v[7]))
		f, s = better(f, s, magnitude(v[8]))
		f, s = better(f, s, magnitude(v[9]))
		f, s = better(f, s, magnitude(v[10]))
		f, s = better(f, s, magnitude(v[11]))
		f, s = better(f, s, magnitude(v[12]))
		f, s = better(f, s, magnitude(v[13]))
		f, s = better(f, s, magnitude(v[14]))
		f, s = better(f, s, magnitude(v[15]))
		f, s = better(f, s, magnitude(v[16]))
		f, s = better(f, s, magnitude(v[17]))
		f, s = better(f, s, magnitude(v[18]))
		f, s = better(f, s, magnitude(v[19]))
		f, s = better(f, s, magnitude(v[20]))
		f, s = better(f, s, magnitude(v[21]))
		f, s = better(f, s, magnitude(v[22]))
		f, s = better(f, s, magnitude(v[23]))
		f, s = better(f, s, magnitude(v[24]))
		f, s = better(f, s, magnitude(v[25]))
		f, s = better(f, s, magnitude(v[26]))
		f, s = better(f, s, magnitude(v[27]))
		f, s = better(f, s, magnitude(v[28]))
		f, s = better(f, s, magnitude(v[29]))
		f, s = better(f, s, magnitude(v[30]))
		f, s = better(f, s, magnitude(v[31]))
		if f > before {
			begin = n
		}
	}
	for i, x := range values[n:] {
		before := f
		if f, s = better(f, s, magnitude(x)); f > before {
			begin = n + i
		}
	}
	for at = begin; magnitude(values[at]) != f; at++ {
	}
	if s < 0 {
		return at, values[at], -1
	}
	return at, values[at], T(math.Float64frombits(uint64(s)))
}

// better takes one more number into account.
func better(first, second, x int64) (largest, next int64) {
	less := x - first
	less &= less >> 63 // 0 where x is the larger
	low := first + less
	rise := low - second
	return x - less, low - rise&(rise>>63)
}

func magnitude[T float32 | float64](x T) int64 {
	return int64(math.Float64bits(float64(x)) &^ (1 << 63)) // 0 may be negative
}

// Above has, of up to 32 numbers that are not negative, the bits of those that are
// above a number and reach the bar that each has. Its numbers, and bars, may be -1.
func Above(p []float32, number float32, bars []float32) (set uint32) {
	least := order(number) + 1
	if len(p) == Step {
		q, b := (*[Step]float32)(p), (*[Step]float32)(bars)
		set |= reaches(q[0], b[0], least) << 0
		set |= reaches(q[1], b[1], least) << 1
		set |= reaches(q[2], b[2], least) << 2
		set |= reaches(q[3], b[3], least) << 3
		set |= reaches(q[4], b[4], least) << 4
		set |= reaches(q[5], b[5], least) << 5
		set |= reaches(q[6], b[6], least) << 6
		set |= reaches(q[7], b[7], least) << 7
		set |= reaches(q[8], b[8], least) << 8
		set |= reaches(q[9], b[9], least) << 9
		set |= reaches(q[10], b[10], least) << 10
		set |= reaches(q[11], b[11], least) << 11
		set |= reaches(q[12], b[12], least) << 12
		set |= reaches(q[13], b[13], least) << 13
		set |= reaches(q[14], b[14], least) << 14
		set |= reaches(q[15], b[15], least) << 15
		set |= reaches(q[16], b[16], least) << 16
		set |= reaches(q[17], b[17], least) << 17
		set |= reaches(q[18], b[18], least) << 18
		set |= reaches(q[19], b[19], least) << 19
		set |= reaches(q[20], b[20], least) << 20
		set |= reaches(q[21], b[21], least) << 21
		set |= reaches(q[22], b[22], least) << 22
		set |= reaches(q[23], b[23], least) << 23
		set |= reaches(q[24], b[24], least) << 24
		set |= reaches(q[25], b[25], least) << 25
		set |= reaches(q[26], b[26], least) << 26
		set |= reaches(q[27], b[27], least) << 27
		set |= reaches(q[28], b[28], least) << 28
		set |= reaches(q[29], b[29], least) << 29
		set |= reaches(q[30], b[30], least) << 30
		set |= reaches(q[31], b[31], least) << 31
		return set
	}
	for i, x := range p {
		set |= reaches(x, bars[i], least) << i
	}
	return set
}

// reaches is 1 or 0, without a branch.
func reaches(p, bar float32, least int64) uint32 {
	x := order(p) & math.MaxInt32 // 0 may be negative
	return uint32(((x-least)|(x-order(bar)))>>63) + 1
}

// order is in the order of numbers of which one may be negative.
func order(x float32) int64 { return int64(int32(math.Float32bits(x))) }
