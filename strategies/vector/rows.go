package vector

import "math"

// Of several rows at once: what they share is read from memory once.

// DotTwo has the sums of products of two rows, and a number whose sign bit is set where
// one of their elements is less than least: of numbers that are not negative.
func DotTwo(a, b []float32, factors []float64, least float32) (sumA, sumB float64, signs int64) {
	bits := int64(math.Float32bits(least))
	for ; len(a) >= Step; a, b, factors = a[Step:], b[Step:], factors[Step:] {
		x, y, f := (*[Step]float32)(a), (*[Step]float32)(b), (*[Step]float64)(factors)
		u, v := bitsOf(a), bitsOf(b)
		sumA, sumB = dotTwo(x, y, f, 0, sumA, sumB)
		signs |= below(u[0], bits) | below(v[0], bits)
		sumA, sumB = dotTwo(x, y, f, 1, sumA, sumB)
		signs |= below(u[1], bits) | below(v[1], bits)
		sumA, sumB = dotTwo(x, y, f, 2, sumA, sumB)
		signs |= below(u[2], bits) | below(v[2], bits)
		sumA, sumB = dotTwo(x, y, f, 3, sumA, sumB)
		signs |= below(u[3], bits) | below(v[3], bits)
		sumA, sumB = dotTwo(x, y, f, 4, sumA, sumB)
		signs |= below(u[4], bits) | below(v[4], bits)
		sumA, sumB = dotTwo(x, y, f, 5, sumA, sumB)
		signs |= below(u[5], bits) | below(v[5], bits)
		sumA, sumB = dotTwo(x, y, f, 6, sumA, sumB)
		signs |= below(u[6], bits) | below(v[6], bits)
		sumA, sumB = dotTwo(x, y, f, 7, sumA, sumB)
		signs |= below(u[7], bits) | below(v[7], bits)
		sumA, sumB = dotTwo(x, y, f, 8, sumA, sumB)
		signs |= below(u[8], bits) | below(v[8], bits)
		sumA, sumB = dotTwo(x, y, f, 9, sumA, sumB)
		signs |= below(u[9], bits) | below(v[9], bits)
		sumA, sumB = dotTwo(x, y, f, 10, sumA, sumB)
		signs |= below(u[10], bits) | below(v[10], bits)
		sumA, sumB = dotTwo(x, y, f, 11, sumA, sumB)
		signs |= below(u[11], bits) | below(v[11], bits)
		sumA, sumB = dotTwo(x, y, f, 12, sumA, sumB)
		signs |= below(u[12], bits) | below(v[12], bits)
		sumA, sumB = dotTwo(x, y, f, 13, sumA, sumB)
		signs |= below(u[13], bits) | below(v[13], bits)
		sumA, sumB = dotTwo(x, y, f, 14, sumA, sumB)
		signs |= below(u[14], bits) | below(v[14], bits)
		sumA, sumB = dotTwo(x, y, f, 15, sumA, sumB)
		signs |= below(u[15], bits) | below(v[15], bits)
		sumA, sumB = dotTwo(x, y, f, 16, sumA, sumB)
		signs |= below(u[16], bits) | below(v[16], bits)
		sumA, sumB = dotTwo(x, y, f, 17, sumA, sumB)
		signs |= below(u[17], bits) | below(v[17], bits)
		sumA, sumB = dotTwo(x, y, f, 18, sumA, sumB)
		signs |= below(u[18], bits) | below(v[18], bits)
		sumA, sumB = dotTwo(x, y, f, 19, sumA, sumB)
		signs |= below(u[19], bits) | below(v[19], bits)
		sumA, sumB = dotTwo(x, y, f, 20, sumA, sumB)
		signs |= below(u[20], bits) | below(v[20], bits)
		sumA, sumB = dotTwo(x, y, f, 21, sumA, sumB)
		signs |= below(u[21], bits) | below(v[21], bits)
		sumA, sumB = dotTwo(x, y, f, 22, sumA, sumB)
		signs |= below(u[22], bits) | below(v[22], bits)
		sumA, sumB = dotTwo(x, y, f, 23, sumA, sumB)
		signs |= below(u[23], bits) | below(v[23], bits)
		sumA, sumB = dotTwo(x, y, f, 24, sumA, sumB)
		signs |= below(u[24], bits) | below(v[24], bits)
		sumA, sumB = dotTwo(x, y, f, 25, sumA, sumB)
		signs |= below(u[25], bits) | below(v[25], bits)
		sumA, sumB = dotTwo(x, y, f, 26, sumA, sumB)
		signs |= below(u[26], bits) | below(v[26], bits)
		sumA, sumB = dotTwo(x, y, f, 27, sumA, sumB)
		signs |= below(u[27], bits) | below(v[27], bits)
		sumA, sumB = dotTwo(x, y, f, 28, sumA, sumB)
		signs |= below(u[28], bits) | below(v[28], bits)
		sumA, sumB = dotTwo(x, y, f, 29, sumA, sumB)
		signs |= below(u[29], bits) | below(v[29], bits)
		sumA, sumB = dotTwo(x, y, f, 30, sumA, sumB)
		signs |= below(u[30], bits) | below(v[30], bits)
		sumA, sumB = dotTwo(x, y, f, 31, sumA, sumB)
		signs |= below(u[31], bits) | below(v[31], bits)
	}
	for i, f := range factors {
		sumA += float64(float64(a[i]) * f)
		sumB += float64(float64(b[i]) * f)
		signs |= below(math.Float32bits(a[i]), bits) | below(math.Float32bits(b[i]), bits)
	}
	return sumA, sumB, signs
}

func dotTwo(x, y *[Step]float32, f *[Step]float64, i int, sumX, sumY float64) (float64, float64) {
	return sumX + float64(float64(x[i])*f[i]), sumY + float64(float64(y[i])*f[i])
}

func below(x uint32, least int64) int64 {
	return int64(int32(x)) - least // -0 is far below
}

// AddFour adds four rows, each times its weight, to sums, one after the other.
func AddFour[T float32 | float64](sums []float64, weights [4]float64, a, b, c, d []T) {
	by, by1, by2, by3 := weights[0], weights[1], weights[2], weights[3]
	for ; len(sums) >= Step; sums, a, b, c, d = sums[Step:], a[Step:], b[Step:], c[Step:], d[Step:] {
		s, w, x, y, z := (*[Step]float64)(sums), (*[Step]T)(a), (*[Step]T)(b), (*[Step]T)(c), (*[Step]T)(d)
		s[0] = four(s[0], by, by1, by2, by3, w[0], x[0], y[0], z[0])
		s[1] = four(s[1], by, by1, by2, by3, w[1], x[1], y[1], z[1])
		s[2] = four(s[2], by, by1, by2, by3, w[2], x[2], y[2], z[2])
		s[3] = four(s[3], by, by1, by2, by3, w[3], x[3], y[3], z[3])
		s[4] = four(s[4], by, by1, by2, by3, w[4], x[4], y[4], z[4])
		s[5] = four(s[5], by, by1, by2, by3, w[5], x[5], y[5], z[5])
		s[6] = four(s[6], by, by1, by2, by3, w[6], x[6], y[6], z[6])
		s[7] = four(s[7], by, by1, by2, by3, w[7], x[7], y[7], z[7])
		s[8] = four(s[8], by, by1, by2, by3, w[8], x[8], y[8], z[8])
		s[9] = four(s[9], by, by1, by2, by3, w[9], x[9], y[9], z[9])
		s[10] = four(s[10], by, by1, by2, by3, w[10], x[10], y[10], z[10])
		s[11] = four(s[11], by, by1, by2, by3, w[11], x[11], y[11], z[11])
		s[12] = four(s[12], by, by1, by2, by3, w[12], x[12], y[12], z[12])
		s[13] = four(s[13], by, by1, by2, by3, w[13], x[13], y[13], z[13])
		s[14] = four(s[14], by, by1, by2, by3, w[14], x[14], y[14], z[14])
		s[15] = four(s[15], by, by1, by2, by3, w[15], x[15], y[15], z[15])
		s[16] = four(s[16], by, by1, by2, by3, w[16], x[16], y[16], z[16])
		s[17] = four(s[17], by, by1, by2, by3, w[17], x[17], y[17], z[17])
		s[18] = four(s[18], by, by1, by2, by3, w[18], x[18], y[18], z[18])
		s[19] = four(s[19], by, by1, by2, by3, w[19], x[19], y[19], z[19])
		s[20] = four(s[20], by, by1, by2, by3, w[20], x[20], y[20], z[20])
		s[21] = four(s[21], by, by1, by2, by3, w[21], x[21], y[21], z[21])
		s[22] = four(s[22], by, by1, by2, by3, w[22], x[22], y[22], z[22])
		s[23] = four(s[23], by, by1, by2, by3, w[23], x[23], y[23], z[23])
		s[24] = four(s[24], by, by1, by2, by3, w[24], x[24], y[24], z[24])
		s[25] = four(s[25], by, by1, by2, by3, w[25], x[25], y[25], z[25])
		s[26] = four(s[26], by, by1, by2, by3, w[26], x[26], y[26], z[26])
		s[27] = four(s[27], by, by1, by2, by3, w[27], x[27], y[27], z[27])
		s[28] = four(s[28], by, by1, by2, by3, w[28], x[28], y[28], z[28])
		s[29] = four(s[29], by, by1, by2, by3, w[29], x[29], y[29], z[29])
		s[30] = four(s[30], by, by1, by2, by3, w[30], x[30], y[30], z[30])
		s[31] = four(s[31], by, by1, by2, by3, w[31], x[31], y[31], z[31])
	}
	for i, sum := range sums {
		sums[i] = four(sum, by, by1, by2, by3, a[i], b[i], c[i], d[i])
	}
}

func four[T float32 | float64](sum, by, by1, by2, by3 float64, a, b, c, d T) float64 {
	return sum + float64(by*float64(a)) + float64(by1*float64(b)) + float64(by2*float64(c)) + float64(by3*float64(d))
}
