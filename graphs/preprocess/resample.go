package preprocess

import "math"

// A port of Pillow's resampling (src/libImaging/Resample.c), to the bit: taps in
// double precision, for 8-bit samples rounded to 22 bits behind the point; two
// passes, the first's result rounded to the samples' type.

// kernel is an interpolation's weight at a distance from the centre, and how far it reaches.
type kernel struct {
	weight  func(distance float64) float64
	support float64
}

func bilinearWeight(x float64) float64 {
	if x = math.Abs(x); x < 1 {
		return 1 - x
	}
	return 0
}

// bicubicWeight is Keys' cubic with a = -0.5. The conversions keep products from
// being fused with sums, which would round otherwise than Pillow's code.
func bicubicWeight(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	switch {
	case x < 1:
		return float64(float64((float64((a+2)*x)-(a+3))*x)*x) + 1
	case x < 2:
		return (float64((float64((x-5)*x)+8)*x) - 4) * a
	}
	return 0
}

// taps are the weights of a run of output samples along one axis.
type taps struct {
	width   int // weights of one sample
	first   []int
	count   []int
	weights []float64
	fixed   []int32 // the same times 2^fixedBits
	sums    []int32 // memory of a vertical pass
}

const fixedBits = 32 - 8 - 2

// compute fills the taps of the outputs from offset on, of `out` that `in`
// samples are resized to.
func (t *taps) compute(k kernel, in, out, offset, n int) {
	scale := float64(float32(in)) / float64(out)
	stretch := max(scale, 1)
	support := k.support * stretch
	t.width = int(math.Ceil(support))*2 + 1
	t.first, t.count = resized(t.first, n), resized(t.count, n)
	t.weights, t.fixed = resized(t.weights, n*t.width), resized(t.fixed, n*t.width)

	inverse := 1 / stretch
	for i := range n {
		centre := float64((float64(offset+i) + 0.5) * scale)
		from := max(int(centre-support+0.5), 0)
		to := min(int(centre+support+0.5), in)
		t.first[i], t.count[i] = from, to-from

		weights := t.weights[i*t.width:][:to-from]
		sum := 0.0
		for x := range weights {
			weights[x] = k.weight((float64(x+from) - centre + 0.5) * inverse)
			sum += weights[x]
		}
		fixed := t.fixed[i*t.width:]
		for x := range weights {
			if sum != 0 {
				weights[x] /= sum
			}
			fixed[x] = int32(float64(weights[x]*(1<<fixedBits)) + math.Copysign(0.5, weights[x]))
		}
	}
}

// span is the range of input samples that the taps touch.
func (t *taps) span() (from, to int) {
	last := len(t.first) - 1
	return t.first[0], t.first[last] + t.count[last]
}

// resized returns a slice of n elements of unspecified values, s's memory if it suffices.
func resized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// horizontal writes one row of interleaved samples; src begins with input column
// `origin`.
func (t *taps) horizontal(dst, src []uint8, bands, origin int) {
	if bands == 3 {
		t.horizontal3(dst, src, origin)
		return
	}
	for i, first := range t.first {
		weights := t.fixed[i*t.width:][:t.count[i]]
		for band := range bands {
			sum := int32(1 << (fixedBits - 1))
			at := (first-origin)*bands + band
			for _, w := range weights {
				sum += int32(src[at]) * w
				at += bands
			}
			dst[i*bands+band] = clip8(sum >> fixedBits)
		}
	}
}

// horizontal3 is horizontal for RGB, what nearly every picture is.
func (t *taps) horizontal3(dst, src []uint8, origin int) {
	for i, first := range t.first {
		weights := t.fixed[i*t.width:][:t.count[i]]
		run := src[3*(first-origin):][:3*len(weights)]
		r, g, b := int32(1<<(fixedBits-1)), int32(1<<(fixedBits-1)), int32(1<<(fixedBits-1))
		for j, w := range weights {
			pixel := run[3*j : 3*j+3 : 3*j+3]
			r += int32(pixel[0]) * w
			g += int32(pixel[1]) * w
			b += int32(pixel[2]) * w
		}
		out := dst[3*i : 3*i+3 : 3*i+3]
		out[0], out[1], out[2] = clip8(r>>fixedBits), clip8(g>>fixedBits), clip8(b>>fixedBits)
	}
}

// vertical writes rows of `row` samples out of src, where rows are stride samples
// apart and the first is input row `origin`.
func (t *taps) vertical(dst, src []uint8, row, stride, origin int) {
	t.sums = resized(t.sums, row)
	sums := t.sums
	for i, first := range t.first {
		for x := range sums {
			sums[x] = 1 << (fixedBits - 1)
		}
		weights := t.fixed[i*t.width:][:t.count[i]]
		rows := src[(first-origin)*stride:]
		// Two rows at once halve the traffic through sums.
		for ; len(weights) >= 2; weights = weights[2:] {
			w0, w1 := weights[0], weights[1]
			above, below := rows[:len(sums)], rows[stride:][:len(sums)]
			for x := range sums {
				sums[x] += int32(above[x])*w0 + int32(below[x])*w1
			}
			rows = rows[min(2*stride, len(rows)):]
		}
		if len(weights) == 1 {
			w, last := weights[0], rows[:len(sums)]
			for x := range sums {
				sums[x] += int32(last[x]) * w
			}
		}
		out := dst[i*row:][:len(sums)]
		for x, sum := range sums {
			out[x] = clip8(sum >> fixedBits)
		}
	}
}

// horizontal16 and vertical16 are Pillow's for 16-bit samples: doubles, rounded
// and clipped after each pass.
func (t *taps) horizontal16(dst, src []uint16, _, origin int) {
	for i, first := range t.first {
		sum := 0.0
		for x, w := range t.weights[i*t.width:][:t.count[i]] {
			sum += float64(float64(src[first-origin+x]) * w)
		}
		dst[i] = round16(sum)
	}
}

func (t *taps) vertical16(dst, src []uint16, row, stride, origin int) {
	for i, first := range t.first {
		weights := t.weights[i*t.width:][:t.count[i]]
		for x := range row {
			sum := 0.0
			for y, w := range weights {
				sum += float64(float64(src[(first-origin+y)*stride+x]) * w)
			}
			dst[i*row+x] = round16(sum)
		}
	}
}

func round16(v float64) uint16 { return uint16(min(max(v+0.5, 0), 65535)) }

// nearest lists the input samples that Pillow's nearest neighbour takes for the
// outputs from offset on. Pillow adds the scale up, one output after the other.
func nearest(dst []int, in, out, offset int) {
	scale := float64(float32(in)) / float64(out)
	// Beyond a million outputs, which no sensible picture has, adding up costs more
	// than its rounding is worth.
	skip := max(0, offset-1<<20)
	at := float64(scale*0.5) + float64(float64(skip)*scale)
	for i := skip; i < offset; i++ {
		at += scale
	}
	for i := range dst {
		dst[i] = min(int(at), in-1)
		at += scale
	}
}
