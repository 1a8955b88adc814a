// Package vector has the loops over whole rows of probabilities that a policy cannot
// leave to the host. They go eight elements a step: a module is checked at every loop
// iteration, so that it can be stopped, and that costs far more than a product. Sums
// are in order, and products are rounded before they are added (no processor may fuse
// them), so that results are the same on all carriers.
package vector

import "math"

const step = 8

// AddScaled adds weight times p to sums, of the same length.
func AddScaled(sums []float64, weight float64, p []float32) {
	for ; len(p) >= step; sums, p = sums[step:], p[step:] {
		s, q := (*[step]float64)(sums), (*[step]float32)(p)
		s[0] += float64(weight * float64(q[0]))
		s[1] += float64(weight * float64(q[1]))
		s[2] += float64(weight * float64(q[2]))
		s[3] += float64(weight * float64(q[3]))
		s[4] += float64(weight * float64(q[4]))
		s[5] += float64(weight * float64(q[5]))
		s[6] += float64(weight * float64(q[6]))
		s[7] += float64(weight * float64(q[7]))
	}
	for i, x := range p {
		sums[i] += float64(weight * float64(x))
	}
}

// MultiplyAtLeast multiplies products by p, what is less of it counting as least: of numbers
// that are not negative.
func MultiplyAtLeast(products []float64, p []float32, least float32) {
	bits := int64(math.Float32bits(least))
	for ; len(p) >= step; products, p = products[step:], p[step:] {
		x, q := (*[step]float64)(products), (*[step]float32)(p)
		x[0] *= atLeast(q[0], bits)
		x[1] *= atLeast(q[1], bits)
		x[2] *= atLeast(q[2], bits)
		x[3] *= atLeast(q[3], bits)
		x[4] *= atLeast(q[4], bits)
		x[5] *= atLeast(q[5], bits)
		x[6] *= atLeast(q[6], bits)
		x[7] *= atLeast(q[7], bits)
	}
	for i, x := range p {
		products[i] *= atLeast(x, bits)
	}
}

// atLeast is max without a branch, which costs a module as much as an iteration: the
// order of numbers that are not negative is that of their bits.
func atLeast(p float32, least int64) float64 {
	bits := int64(math.Float32bits(p))
	below := bits - least
	return float64(math.Float32frombits(uint32(bits - below&(below>>63))))
}

// Products fills dst with p times factors.
func Products(dst []float64, p []float32, factors []float64) {
	for ; len(p) >= step; dst, p, factors = dst[step:], p[step:], factors[step:] {
		d, q, f := (*[step]float64)(dst), (*[step]float32)(p), (*[step]float64)(factors)
		d[0] = float64(q[0]) * f[0]
		d[1] = float64(q[1]) * f[1]
		d[2] = float64(q[2]) * f[2]
		d[3] = float64(q[3]) * f[3]
		d[4] = float64(q[4]) * f[4]
		d[5] = float64(q[5]) * f[5]
		d[6] = float64(q[6]) * f[6]
		d[7] = float64(q[7]) * f[7]
	}
	for i, x := range p {
		dst[i] = float64(x) * factors[i]
	}
}

// Sum adds up, in order.
func Sum(values []float64) float64 {
	var sum float64
	for ; len(values) >= step; values = values[step:] {
		v := (*[step]float64)(values)
		sum = sum + v[0] + v[1] + v[2] + v[3] + v[4] + v[5] + v[6] + v[7]
	}
	for _, v := range values {
		sum += v
	}
	return sum
}

// Divide fills dst with values by a number.
func Divide(dst []float32, values []float64, by float64) {
	for ; len(dst) >= step; dst, values = dst[step:], values[step:] {
		d, v := (*[step]float32)(dst), (*[step]float64)(values)
		d[0] = float32(v[0] / by)
		d[1] = float32(v[1] / by)
		d[2] = float32(v[2] / by)
		d[3] = float32(v[3] / by)
		d[4] = float32(v[4] / by)
		d[5] = float32(v[5] / by)
		d[6] = float32(v[6] / by)
		d[7] = float32(v[7] / by)
	}
	for i := range dst {
		dst[i] = float32(values[i] / by)
	}
}
