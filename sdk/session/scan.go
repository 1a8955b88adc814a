package session

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/elementary"
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

// maxExcess is how far from 1 the sum of a row may be that came from elsewhere, or
// was combined of such rows: half-precision dumps of softmax outputs stay below it.
const maxExcess = 1e-2

// maxEmittedExcess is how far from 1 a soft label may sum: it is the policy's own.
const maxEmittedExcess = 1e-3

// checkRow says why a row cannot be probabilities; "" where it can.
func checkRow(row []float32, tolerance float64) string {
	total, signs := sumRow(row)
	sum := float64(total)
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
			h -= float64(p) * math.Log(max(float64(p), elementary.Tiny))
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
