package learn

import (
	"crypto/sha256"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"

	"github.com/upl-host/upl-host/graphs/array"
)

// generator gives a stream of numbers that its name alone determines: ChaCha8
// (C2SP chacha8rand, the same in every version of Go), keyed with the SHA-256 of
// "upl-host PURPOSE NUMBERS". The draws below are spelt out for the same
// reason: those of math/rand/v2 may change.
type generator struct{ source *rand.ChaCha8 }

func newGenerator(purpose string, numbers ...uint64) generator {
	return generator{rand.NewChaCha8(sha256.Sum256(fmt.Append(nil, "upl-host ", purpose, " ", numbers)))}
}

// uniform returns a multiple of 2^-53 in (0, 1].
func (g generator) uniform() float64 {
	return float64(g.source.Uint64()>>11+1) / (1 << 53)
}

// normal returns a draw from N(0, 1), by Box and Muller.
func (g generator) normal() float64 {
	radius := math.Sqrt(-2 * math.Log(g.uniform()))
	return radius * math.Cos(2*math.Pi*g.uniform())
}

// below returns a draw from 0 to n - 1, each as likely (Lemire, arXiv 1805.10941).
func (g generator) below(n uint64) int {
	threshold := -n % n
	for {
		high, low := bits.Mul64(g.source.Uint64(), n)
		if low >= threshold {
			return int(high)
		}
	}
}

// contextDeviation is the standard deviation of a random context (CoOp).
const contextDeviation = 0.02

// RandomContext draws rows x width values from N(0, 0.02²); the seed alone
// determines them.
func RandomContext(seed uint64, rows, width int) array.Matrix {
	g := newGenerator("context", seed)
	m := array.NewMatrix(rows, width)
	for i := range m.Data {
		m.Data[i] = float32(contextDeviation * g.normal())
	}
	return m
}

// Order gives the order in which an epoch of a seed visits n pictures: a
// permutation of 0 to n - 1, the same whenever it is asked for.
type Order func(seed uint64, epoch, n int) []int

// Shuffled is the order of UPL: random, anew in each epoch (Fisher and Yates).
func Shuffled(seed uint64, epoch, n int) []int {
	order := InOrder(seed, epoch, n)
	g := newGenerator("order", seed, uint64(epoch))
	for i := n - 1; i > 0; i-- {
		j := g.below(uint64(i) + 1)
		order[i], order[j] = order[j], order[i]
	}
	return order
}

// InOrder visits the pictures as they come, in every epoch.
func InOrder(_ uint64, _, n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return order
}
