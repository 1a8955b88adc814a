package vector

import "math"

// Of several rows at once: what they share is read from memory once.

// DotTwo has the sums of products of two rows, and a number whose sign bit is set where
// one of their elements is less than least: of numbers that are not negative.
func DotTwo(a, b []float32, factors []float64, least float32) (sumA, sumB float64, signs int32) {
	bits := int32(math.Float32bits(least))
	for ; len(a) >= Step; a, b, factors = a[Step:], b[Step:], factors[Step:] {
		x, y, f := (*[Step]float32)(a), (*[Step]float32)(b), (*[Step]float64)(factors)
		sumA, sumB = dotTwo(x, y, f, 0, sumA, sumB)
		signs |= below(x[0], bits) | below(y[0], bits)
		sumA, sumB = dotTwo(x, y, f, 1, sumA, sumB)
		signs |= below(x[1], bits) | below(y[1], bits)
		sumA, sumB = dotTwo(x, y, f, 2, sumA, sumB)
		signs |= below(x[2], bits) | below(y[2], bits)
		sumA, sumB = dotTwo(x, y, f, 3, sumA, sumB)
		signs |= below(x[3], bits) | below(y[3], bits)
		sumA, sumB = dotTwo(x, y, f, 4, sumA, sumB)
		signs |= below(x[4], bits) | below(y[4], bits)
		sumA, sumB = dotTwo(x, y, f, 5, sumA, sumB)
		signs |= below(x[5], bits) | below(y[5], bits)
		sumA, sumB = dotTwo(x, y, f, 6, sumA, sumB)
		signs |= below(x[6], bits) | below(y[6], bits)
		sumA, sumB = dotTwo(x, y, f, 7, sumA, sumB)
		signs |= below(x[7], bits) | below(y[7], bits)
		sumA, sumB = dotTwo(x, y, f, 8, sumA, sumB)
		signs |= below(x[8], bits) | below(y[8], bits)
		sumA, sumB = dotTwo(x, y, f, 9, sumA, sumB)
		signs |= below(x[9], bits) | below(y[9], bits)
		sumA, sumB = dotTwo(x, y, f, 10, sumA, sumB)
		signs |= below(x[10], bits) | below(y[10], bits)
		sumA, sumB = dotTwo(x, y, f, 11, sumA, sumB)
		signs |= below(x[11], bits) | below(y[11], bits)
		sumA, sumB = dotTwo(x, y, f, 12, sumA, sumB)
		signs |= below(x[12], bits) | below(y[12], bits)
		sumA, sumB = dotTwo(x, y, f, 13, sumA, sumB)
		signs |= below(x[13], bits) | below(y[13], bits)
		sumA, sumB = dotTwo(x, y, f, 14, sumA, sumB)
		signs |= below(x[14], bits) | below(y[14], bits)
		sumA, sumB = dotTwo(x, y, f, 15, sumA, sumB)
		signs |= below(x[15], bits) | below(y[15], bits)
		sumA, sumB = dotTwo(x, y, f, 16, sumA, sumB)
		signs |= below(x[16], bits) | below(y[16], bits)
		sumA, sumB = dotTwo(x, y, f, 17, sumA, sumB)
		signs |= below(x[17], bits) | below(y[17], bits)
		sumA, sumB = dotTwo(x, y, f, 18, sumA, sumB)
		signs |= below(x[18], bits) | below(y[18], bits)
		sumA, sumB = dotTwo(x, y, f, 19, sumA, sumB)
		signs |= below(x[19], bits) | below(y[19], bits)
		sumA, sumB = dotTwo(x, y, f, 20, sumA, sumB)
		signs |= below(x[20], bits) | below(y[20], bits)
		sumA, sumB = dotTwo(x, y, f, 21, sumA, sumB)
		signs |= below(x[21], bits) | below(y[21], bits)
		sumA, sumB = dotTwo(x, y, f, 22, sumA, sumB)
		signs |= below(x[22], bits) | below(y[22], bits)
		sumA, sumB = dotTwo(x, y, f, 23, sumA, sumB)
		signs |= below(x[23], bits) | below(y[23], bits)
		sumA, sumB = dotTwo(x, y, f, 24, sumA, sumB)
		signs |= below(x[24], bits) | below(y[24], bits)
		sumA, sumB = dotTwo(x, y, f, 25, sumA, sumB)
		signs |= below(x[25], bits) | below(y[25], bits)
		sumA, sumB = dotTwo(x, y, f, 26, sumA, sumB)
		signs |= below(x[26], bits) | below(y[26], bits)
		sumA, sumB = dotTwo(x, y, f, 27, sumA, sumB)
		signs |= below(x[27], bits) | below(y[27], bits)
		sumA, sumB = dotTwo(x, y, f, 28, sumA, sumB)
		signs |= below(x[28], bits) | below(y[28], bits)
		sumA, sumB = dotTwo(x, y, f, 29, sumA, sumB)
		signs |= below(x[29], bits) | below(y[29], bits)
		sumA, sumB = dotTwo(x, y, f, 30, sumA, sumB)
		signs |= below(x[30], bits) | below(y[30], bits)
		sumA, sumB = dotTwo(x, y, f, 31, sumA, sumB)
		signs |= below(x[31], bits) | below(y[31], bits)
	}
	for i, f := range factors {
		sumA += float64(float64(a[i]) * f)
		sumB += float64(float64(b[i]) * f)
		signs |= below(a[i], bits) | below(b[i], bits)
	}
	return sumA, sumB, signs
}

func dotTwo(x, y *[Step]float32, f *[Step]float64, i int, sumX, sumY float64) (float64, float64) {
	return sumX + float64(float64(x[i])*f[i]), sumY + float64(float64(y[i])*f[i])
}

func below(x float32, least int32) int32 {
	return int32(math.Float32bits(x)&^(1<<31)) - least // 0 may be negative
}

// AddFour adds four rows, each times its weight, to sums, one after the other.
func AddFour(sums []float64, weights *[4]float64, a, b, c, d []float32) {
	for ; len(sums) >= Step; sums, a, b, c, d = sums[Step:], a[Step:], b[Step:], c[Step:], d[Step:] {
		s, w, x, y, z := (*[Step]float64)(sums), (*[Step]float32)(a), (*[Step]float32)(b), (*[Step]float32)(c), (*[Step]float32)(d)
		four(s, weights, w, x, y, z, 0)
		four(s, weights, w, x, y, z, 1)
		four(s, weights, w, x, y, z, 2)
		four(s, weights, w, x, y, z, 3)
		four(s, weights, w, x, y, z, 4)
		four(s, weights, w, x, y, z, 5)
		four(s, weights, w, x, y, z, 6)
		four(s, weights, w, x, y, z, 7)
		four(s, weights, w, x, y, z, 8)
		four(s, weights, w, x, y, z, 9)
		four(s, weights, w, x, y, z, 10)
		four(s, weights, w, x, y, z, 11)
		four(s, weights, w, x, y, z, 12)
		four(s, weights, w, x, y, z, 13)
		four(s, weights, w, x, y, z, 14)
		four(s, weights, w, x, y, z, 15)
		four(s, weights, w, x, y, z, 16)
		four(s, weights, w, x, y, z, 17)
		four(s, weights, w, x, y, z, 18)
		four(s, weights, w, x, y, z, 19)
		four(s, weights, w, x, y, z, 20)
		four(s, weights, w, x, y, z, 21)
		four(s, weights, w, x, y, z, 22)
		four(s, weights, w, x, y, z, 23)
		four(s, weights, w, x, y, z, 24)
		four(s, weights, w, x, y, z, 25)
		four(s, weights, w, x, y, z, 26)
		four(s, weights, w, x, y, z, 27)
		four(s, weights, w, x, y, z, 28)
		four(s, weights, w, x, y, z, 29)
		four(s, weights, w, x, y, z, 30)
		four(s, weights, w, x, y, z, 31)
	}
	for i := range sums {
		sums[i] = sums[i] + float64(weights[0]*float64(a[i])) + float64(weights[1]*float64(b[i])) +
			float64(weights[2]*float64(c[i])) + float64(weights[3]*float64(d[i]))
	}
}

func four(s *[Step]float64, by *[4]float64, w, x, y, z *[Step]float32, i int) {
	s[i] = s[i] + float64(by[0]*float64(w[i])) + float64(by[1]*float64(x[i])) + float64(by[2]*float64(y[i])) + float64(by[3]*float64(z[i]))
}
