package session

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/upl-host/upl-host/sdk"
)

// bytesOf is the memory of records, which is their little-endian encoding on the
// platforms that there are builds for.
func bytesOf[T any](records []T) []byte {
	if len(records) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&records[0])), len(records)*int(unsafe.Sizeof(records[0])))
}

// top is what one look at a row gives.
type top struct {
	class  uint32
	p      float32
	second float32 // the largest of the other classes' probabilities; 0 with one class
}

func (t top) margin() float32 { return t.p - t.second }

// scan finds the first class of a row; of equals the lowest.
func scan(row []float32) top {
	t := top{p: row[0]}
	if len(row) == 1 {
		return t
	}
	first, second, class := row[0], float32(-1), 0
	for c, p := range row[1:] {
		if p > second { // seldom, after the first few
			if p > first {
				first, second, class = p, first, c+1
			} else {
				second = p
			}
		}
	}
	return top{uint32(class), first, second}
}

// maxExcess is how far from 1 the sum of a row may be that came from elsewhere, or
// was combined of such rows: half-precision dumps of softmax outputs stay below it.
const maxExcess = 1e-2

// maxEmittedExcess is how far from 1 a soft label may sum: it is the policy's own.
const maxEmittedExcess = 1e-3

// checkRow says why a row cannot be probabilities; "" where it can.
func checkRow(row []float32, tolerance float64) string {
	// Four sums, for speed: whichever the rounding, a fault shows in the total.
	var a, b, c, d float32
	var signs uint32
	i := 0
	for ; i+4 <= len(row); i += 4 {
		w, x, y, z := row[i], row[i+1], row[i+2], row[i+3]
		a, b, c, d = a+w, b+x, c+y, d+z
		signs |= math.Float32bits(w) | math.Float32bits(x) | math.Float32bits(y) | math.Float32bits(z)
	}
	for ; i < len(row); i++ {
		a += row[i]
		signs |= math.Float32bits(row[i])
	}
	sum := float64(a) + float64(b) + float64(c) + float64(d)
	if math.Abs(sum-1) <= tolerance && signs>>31 == 0 {
		return ""
	}
	for c, p := range row {
		if math.IsNaN(float64(p)) || p < 0 || math.IsInf(float64(p), 0) {
			return fmt.Sprintf("class %d has probability %v", c, p)
		}
	}
	if math.Abs(sum-1) <= tolerance {
		return "" // a negative zero
	}
	return fmt.Sprintf("sums to %.6g, not 1", sum)
}

// entropy of a row, in nats; the sum goes by ascending class.
func entropy(row []float32) float32 {
	var h float64
	for _, p := range row {
		if p > 0 {
			h -= float64(p) * math.Log(max(float64(p), tiny))
		}
	}
	return float32(h)
}

// topM fills dst with the most probable classes.
func topM(row []float32, dst []sdk.Candidate) {
	n := 0
	for c, p := range row {
		if n == len(dst) {
			if p <= dst[n-1].P {
				continue
			}
			n--
		}
		at := n
		for ; at > 0 && dst[at-1].P < p; at-- {
			dst[at] = dst[at-1]
		}
		dst[at] = sdk.Candidate{Class: uint32(c), P: p}
		n++
	}
}
