// Package random has the streams of numbers that a run draws from. A stream's
// name alone determines it: what is drawn does not depend on what was drawn
// before, on threads, or on where a run was stopped.
package random

import (
	"crypto/sha256"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
)

// Stream gives numbers that its name alone determines: ChaCha8 (C2SP
// chacha8rand, the same in every version of Go), keyed with the SHA-256 of
// "upl-host PURPOSE NUMBERS". The draws below are spelt out for the same
// reason: those of math/rand/v2 may change. A stream is for one goroutine.
type Stream struct{ source *rand.ChaCha8 }

// New begins the stream of a name.
func New(purpose string, numbers ...uint64) Stream {
	return Stream{rand.NewChaCha8(sha256.Sum256(fmt.Append(nil, "upl-host ", purpose, " ", numbers)))}
}

// Uniform returns a multiple of 2^-53 in (0, 1].
func (s Stream) Uniform() float64 {
	return float64(s.source.Uint64()>>11+1) / (1 << 53)
}

// Normal returns a draw from N(0, 1), by Box and Muller.
func (s Stream) Normal() float64 {
	radius := math.Sqrt(-2 * math.Log(s.Uniform()))
	return radius * math.Cos(2*math.Pi*s.Uniform())
}

// Below returns a draw from 0 to n - 1, each as likely (Lemire, arXiv 1805.10941).
func (s Stream) Below(n int) int {
	bound := uint64(n)
	threshold := -bound % bound
	for {
		high, low := bits.Mul64(s.source.Uint64(), bound)
		if low >= threshold {
			return int(high)
		}
	}
}
