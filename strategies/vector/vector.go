// Package vector has the loops over whole rows of probabilities that a policy cannot
// leave to the host. They go 32 elements a step: a module is checked at every loop
// iteration and at every call, so that it can be stopped, and that costs more than
// ten products. Functions of some elements, which are inlined, keep a step short.
// Sums are in order, and products are rounded before they are added (no processor may
// fuse them), so that results are the same on all carriers.
package vector

import (
	"math"
	"unsafe"
)

// Step is how many elements a step takes.
const Step = 32

// AddScaled adds weight times p to sums, of the same length.
func AddScaled[T float32 | float64](sums []float64, weight float64, p []T) {
	for ; len(p) >= Step; sums, p = sums[Step:], p[Step:] {
		s, q := (*[Step]float64)(sums), (*[Step]T)(p)
		add(s, weight, q, 0)
		add(s, weight, q, 4)
		add(s, weight, q, 8)
		add(s, weight, q, 12)
		add(s, weight, q, 16)
		add(s, weight, q, 20)
		add(s, weight, q, 24)
		add(s, weight, q, 28)
	}
	for i, x := range p {
		sums[i] += float64(weight * float64(x))
	}
}

func add[T float32 | float64](s *[Step]float64, weight float64, q *[Step]T, i int) {
	s[i] += float64(weight * float64(q[i]))
	s[i+1] += float64(weight * float64(q[i+1]))
	s[i+2] += float64(weight * float64(q[i+2]))
	s[i+3] += float64(weight * float64(q[i+3]))
}

// MultiplyAtLeast multiplies products by p, what is less of it counting as least: of numbers
// that are not negative.
func MultiplyAtLeast(products []float64, p []float32, least float32) {
	bits := int64(math.Float32bits(least))
	for ; len(p) >= Step; products, p = products[Step:], p[Step:] {
		x, q := (*[Step]float64)(products), bitsOf(p)
		x[0] *= atLeast(q[0], bits)
		x[1] *= atLeast(q[1], bits)
		x[2] *= atLeast(q[2], bits)
		x[3] *= atLeast(q[3], bits)
		x[4] *= atLeast(q[4], bits)
		x[5] *= atLeast(q[5], bits)
		x[6] *= atLeast(q[6], bits)
		x[7] *= atLeast(q[7], bits)
		x[8] *= atLeast(q[8], bits)
		x[9] *= atLeast(q[9], bits)
		x[10] *= atLeast(q[10], bits)
		x[11] *= atLeast(q[11], bits)
		x[12] *= atLeast(q[12], bits)
		x[13] *= atLeast(q[13], bits)
		x[14] *= atLeast(q[14], bits)
		x[15] *= atLeast(q[15], bits)
		x[16] *= atLeast(q[16], bits)
		x[17] *= atLeast(q[17], bits)
		x[18] *= atLeast(q[18], bits)
		x[19] *= atLeast(q[19], bits)
		x[20] *= atLeast(q[20], bits)
		x[21] *= atLeast(q[21], bits)
		x[22] *= atLeast(q[22], bits)
		x[23] *= atLeast(q[23], bits)
		x[24] *= atLeast(q[24], bits)
		x[25] *= atLeast(q[25], bits)
		x[26] *= atLeast(q[26], bits)
		x[27] *= atLeast(q[27], bits)
		x[28] *= atLeast(q[28], bits)
		x[29] *= atLeast(q[29], bits)
		x[30] *= atLeast(q[30], bits)
		x[31] *= atLeast(q[31], bits)
	}
	for i, x := range p {
		products[i] *= atLeast(math.Float32bits(x), bits)
	}
}

// bitsOf is a step of numbers by their bits: a module would write each number to memory
// to get at these.
func bitsOf(p []float32) *[Step]uint32 {
	return (*[Step]uint32)(unsafe.Pointer((*[Step]float32)(p)))
}

// atLeast is max, which is a call in a module: the order of numbers that are not
// negative is that of their bits.
func atLeast(p uint32, least int64) float64 {
	bits := int64(int32(p)) // -0 is far below
	below := bits - least
	return float64(math.Float32frombits(uint32(bits - below&(below>>63))))
}

// Products fills dst with p times factors.
func Products(dst []float64, p []float32, factors []float64) {
	for ; len(p) >= Step; dst, p, factors = dst[Step:], p[Step:], factors[Step:] {
		d, q, f := (*[Step]float64)(dst), (*[Step]float32)(p), (*[Step]float64)(factors)
		product(d, q, f, 0)
		product(d, q, f, 4)
		product(d, q, f, 8)
		product(d, q, f, 12)
		product(d, q, f, 16)
		product(d, q, f, 20)
		product(d, q, f, 24)
		product(d, q, f, 28)
	}
	for i, x := range p {
		dst[i] = float64(x) * factors[i]
	}
}

func product(d *[Step]float64, q *[Step]float32, f *[Step]float64, i int) {
	d[i] = float64(q[i]) * f[i]
	d[i+1] = float64(q[i+1]) * f[i+1]
	d[i+2] = float64(q[i+2]) * f[i+2]
	d[i+3] = float64(q[i+3]) * f[i+3]
}

// ProductsAtLeast is Products, what is less of p counting as least, and their sum.
func ProductsAtLeast(dst []float64, p []float32, least float32, factors []float64) (sum float64) {
	bits := int64(math.Float32bits(least))
	for ; len(p) >= Step; dst, p, factors = dst[Step:], p[Step:], factors[Step:] {
		d, q, f := (*[Step]float64)(dst), bitsOf(p), (*[Step]float64)(factors)
		sum = productAtLeast(d, q, f, bits, 0, sum)
		sum = productAtLeast(d, q, f, bits, 1, sum)
		sum = productAtLeast(d, q, f, bits, 2, sum)
		sum = productAtLeast(d, q, f, bits, 3, sum)
		sum = productAtLeast(d, q, f, bits, 4, sum)
		sum = productAtLeast(d, q, f, bits, 5, sum)
		sum = productAtLeast(d, q, f, bits, 6, sum)
		sum = productAtLeast(d, q, f, bits, 7, sum)
		sum = productAtLeast(d, q, f, bits, 8, sum)
		sum = productAtLeast(d, q, f, bits, 9, sum)
		sum = productAtLeast(d, q, f, bits, 10, sum)
		sum = productAtLeast(d, q, f, bits, 11, sum)
		sum = productAtLeast(d, q, f, bits, 12, sum)
		sum = productAtLeast(d, q, f, bits, 13, sum)
		sum = productAtLeast(d, q, f, bits, 14, sum)
		sum = productAtLeast(d, q, f, bits, 15, sum)
		sum = productAtLeast(d, q, f, bits, 16, sum)
		sum = productAtLeast(d, q, f, bits, 17, sum)
		sum = productAtLeast(d, q, f, bits, 18, sum)
		sum = productAtLeast(d, q, f, bits, 19, sum)
		sum = productAtLeast(d, q, f, bits, 20, sum)
		sum = productAtLeast(d, q, f, bits, 21, sum)
		sum = productAtLeast(d, q, f, bits, 22, sum)
		sum = productAtLeast(d, q, f, bits, 23, sum)
		sum = productAtLeast(d, q, f, bits, 24, sum)
		sum = productAtLeast(d, q, f, bits, 25, sum)
		sum = productAtLeast(d, q, f, bits, 26, sum)
		sum = productAtLeast(d, q, f, bits, 27, sum)
		sum = productAtLeast(d, q, f, bits, 28, sum)
		sum = productAtLeast(d, q, f, bits, 29, sum)
		sum = productAtLeast(d, q, f, bits, 30, sum)
		sum = productAtLeast(d, q, f, bits, 31, sum)
	}
	for i, x := range p {
		dst[i] = atLeast(math.Float32bits(x), bits) * factors[i]
		sum += dst[i]
	}
	return sum
}

func productAtLeast(d *[Step]float64, q *[Step]uint32, f *[Step]float64, least int64, i int, sum float64) float64 {
	d[i] = atLeast(q[i], least) * f[i]
	return sum + d[i]
}

// Multiply multiplies numbers by factors, and gives their sum.
func Multiply(values, factors []float64) (sum float64) {
	for ; len(values) >= Step; values, factors = values[Step:], factors[Step:] {
		v, f := (*[Step]float64)(values), (*[Step]float64)(factors)
		sum = multiplied(v, f, 0, sum)
		sum = multiplied(v, f, 2, sum)
		sum = multiplied(v, f, 4, sum)
		sum = multiplied(v, f, 6, sum)
		sum = multiplied(v, f, 8, sum)
		sum = multiplied(v, f, 10, sum)
		sum = multiplied(v, f, 12, sum)
		sum = multiplied(v, f, 14, sum)
		sum = multiplied(v, f, 16, sum)
		sum = multiplied(v, f, 18, sum)
		sum = multiplied(v, f, 20, sum)
		sum = multiplied(v, f, 22, sum)
		sum = multiplied(v, f, 24, sum)
		sum = multiplied(v, f, 26, sum)
		sum = multiplied(v, f, 28, sum)
		sum = multiplied(v, f, 30, sum)
	}
	for i, x := range factors {
		values[i] *= x
		sum += values[i]
	}
	return sum
}

func multiplied(v, f *[Step]float64, i int, sum float64) float64 {
	v[i] *= f[i]
	v[i+1] *= f[i+1]
	return sum + v[i] + v[i+1]
}

// Sum adds up, in order.
func Sum(values []float64) float64 {
	var sum float64
	for ; len(values) >= Step; values = values[Step:] {
		v := (*[Step]float64)(values)
		sum = total(v, 0, sum)
		sum = total(v, 4, sum)
		sum = total(v, 8, sum)
		sum = total(v, 12, sum)
		sum = total(v, 16, sum)
		sum = total(v, 20, sum)
		sum = total(v, 24, sum)
		sum = total(v, 28, sum)
	}
	for _, v := range values {
		sum += v
	}
	return sum
}

func total(v *[Step]float64, i int, sum float64) float64 {
	return sum + v[i] + v[i+1] + v[i+2] + v[i+3]
}

// Dot is the sum of products, in order.
func Dot(a, b []float64) (sum float64) {
	for ; len(a) >= Step; a, b = a[Step:], b[Step:] {
		x, y := (*[Step]float64)(a), (*[Step]float64)(b)
		sum = dot(x, y, 0, sum)
		sum = dot(x, y, 4, sum)
		sum = dot(x, y, 8, sum)
		sum = dot(x, y, 12, sum)
		sum = dot(x, y, 16, sum)
		sum = dot(x, y, 20, sum)
		sum = dot(x, y, 24, sum)
		sum = dot(x, y, 28, sum)
	}
	for i, x := range a {
		sum += float64(x * b[i])
	}
	return sum
}

func dot(x, y *[Step]float64, i int, sum float64) float64 {
	return sum + float64(x[i]*y[i]) + float64(x[i+1]*y[i+1]) + float64(x[i+2]*y[i+2]) + float64(x[i+3]*y[i+3])
}

// Divide fills dst with values by a number.
func Divide(dst []float32, values []float64, by float64) {
	for ; len(dst) >= Step; dst, values = dst[Step:], values[Step:] {
		d, v := (*[Step]float32)(dst), (*[Step]float64)(values)
		divide(d, v, by, 0)
		divide(d, v, by, 4)
		divide(d, v, by, 8)
		divide(d, v, by, 12)
		divide(d, v, by, 16)
		divide(d, v, by, 20)
		divide(d, v, by, 24)
		divide(d, v, by, 28)
	}
	for i := range dst {
		dst[i] = float32(values[i] / by)
	}
}

func divide(d *[Step]float32, v *[Step]float64, by float64, i int) {
	d[i] = float32(v[i] / by)
	d[i+1] = float32(v[i+1] / by)
	d[i+2] = float32(v[i+2] / by)
	d[i+3] = float32(v[i+3] / by)
}

// DivideLess divides values by a number, and takes another off.
func DivideLess(values []float64, by, less float64) {
	for ; len(values) >= Step; values = values[Step:] {
		v := (*[Step]float64)(values)
		divideLess(v, by, less, 0)
		divideLess(v, by, less, 4)
		divideLess(v, by, less, 8)
		divideLess(v, by, less, 12)
		divideLess(v, by, less, 16)
		divideLess(v, by, less, 20)
		divideLess(v, by, less, 24)
		divideLess(v, by, less, 28)
	}
	for i := range values {
		values[i] = values[i]/by - less
	}
}

func divideLess(v *[Step]float64, by, less float64, i int) {
	v[i] = v[i]/by - less
	v[i+1] = v[i+1]/by - less
	v[i+2] = v[i+2]/by - less
	v[i+3] = v[i+3]/by - less
}
