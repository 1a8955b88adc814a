package vector

import "math"

// FirstTwo are the largest of some numbers that are not negative, of equals the
// first, where it is, and the next; -1 where there is one alone.
func FirstTwo[T float32 | float64](values []T) (at int, first, second T) {
	first, second = -1, -1
	n := 0
	for ; len(values)-n >= Step; n += Step {
		v := (*[Step]T)(values[n:])
		at, first, second = better2(at, first, second, v, n, 0)
		at, first, second = better2(at, first, second, v, n, 2)
		at, first, second = better2(at, first, second, v, n, 4)
		at, first, second = better2(at, first, second, v, n, 6)
		at, first, second = better2(at, first, second, v, n, 8)
		at, first, second = better2(at, first, second, v, n, 10)
		at, first, second = better2(at, first, second, v, n, 12)
		at, first, second = better2(at, first, second, v, n, 14)
		at, first, second = better2(at, first, second, v, n, 16)
		at, first, second = better2(at, first, second, v, n, 18)
		at, first, second = better2(at, first, second, v, n, 20)
		at, first, second = better2(at, first, second, v, n, 22)
		at, first, second = better2(at, first, second, v, n, 24)
		at, first, second = better2(at, first, second, v, n, 26)
		at, first, second = better2(at, first, second, v, n, 28)
		at, first, second = better2(at, first, second, v, n, 30)
	}
	for ; n < len(values); n++ {
		at, first, second = better(at, first, second, n, values[n])
	}
	return at, first, second
}

func better2[T float32 | float64](at int, first, second T, v *[Step]T, n, i int) (int, T, T) {
	at, first, second = better(at, first, second, n+i, v[i])
	return better(at, first, second, n+i+1, v[i+1])
}

// better takes one more number into account.
func better[T float32 | float64](at int, first, second T, i int, x T) (int, T, T) {
	if x > second {
		if x > first {
			return i, x, first
		}
		second = x
	}
	return at, first, second
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
	x := order(p)
	return uint32(((x-least)|(x-order(bar)))>>63) + 1
}

// order is in the order of numbers of which one may be negative.
func order(x float32) int64 { return int64(int32(math.Float32bits(x))) }
