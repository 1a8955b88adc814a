package learn

import (
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/random"
)

// contextDeviation is the standard deviation of a random context (CoOp).
const contextDeviation = 0.02

// RandomContext draws rows x width values from N(0, 0.02²); the seed alone
// determines them.
func RandomContext(seed uint64, rows, width int) array.Matrix {
	g := random.New("context", seed)
	m := array.NewMatrix(rows, width)
	for i := range m.Data {
		m.Data[i] = float32(contextDeviation * g.Normal())
	}
	return m
}

// Order gives the order in which an epoch of a seed visits n pictures: a
// permutation of 0 to n - 1, the same whenever it is asked for.
type Order func(seed uint64, epoch, n int) []int

// Shuffled is the order of UPL: random, anew in each epoch (Fisher and Yates).
func Shuffled(seed uint64, epoch, n int) []int {
	order := InOrder(seed, epoch, n)
	g := random.New("order", seed, uint64(epoch))
	for i := n - 1; i > 0; i-- {
		j := g.Below(i + 1)
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

// drawViews gives the view of each of n pictures that an epoch of a seed sees,
// out of `views`.
func drawViews(seed uint64, epoch, n, views int) []int {
	g := random.New("view", seed, uint64(epoch))
	drawn := make([]int, n)
	for i := range drawn {
		drawn[i] = g.Below(views)
	}
	return drawn
}
