package tip

import (
	"context"
	"fmt"
	"math"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn/numeric"
)

// Grid is what is searched, as Tip-Adapter's code has it: values from 0.1 on, in steps
// of (Max - 0.1) / Steps, Max itself left out.
type Grid struct {
	BetaMax, AlphaMax     float64
	BetaSteps, AlphaSteps int
}

// PublishedSteps are those of all of Tip-Adapter's configurations: the ranges differ by
// data set.
const (
	PublishedBetaSteps  = 200
	PublishedAlphaSteps = 20
)

func (g Grid) beta(i int) float64 { return gridValue(i, g.BetaMax, g.BetaSteps) }

func (g Grid) alpha(j int) float64 { return gridValue(j, g.AlphaMax, g.AlphaSteps) }

func gridValue(i int, most float64, steps int) float64 {
	return float64(i)*(most-0.1)/float64(steps) + 0.1
}

// Found is the result of a search.
type Found struct {
	Beta, Alpha float64
	// Correct [BetaSteps][AlphaSteps] counts the pictures that are classified right;
	// Best is the most, of Pictures.
	Correct        [][]int
	Best, Pictures int
}

// Search tries every pair of the grid on validation pictures; of equals the first, beta
// outer, wins. labels are the pictures' classes.
func (c Cache) Search(ctx context.Context, features array.Matrix, labels []int, g Grid) (Found, error) {
	if features.Rows != len(labels) {
		return Found{}, fmt.Errorf("searching: %d labels for %d pictures", len(labels), features.Rows)
	}
	found := Found{Correct: make([][]int, g.BetaSteps), Pictures: len(labels)}
	for i := range found.Correct {
		found.Correct[i] = make([]int, g.AlphaSteps)
	}
	for first := 0; first < features.Rows; first += rowsAtOnce {
		n := min(rowsAtOnce, features.Rows-first)
		if err := c.count(ctx, features.Slice(first, first+n), labels[first:first+n], g, found.Correct); err != nil {
			return Found{}, err
		}
	}
	for i, row := range found.Correct {
		for j, correct := range row {
			if correct > found.Best {
				found.Best, found.Beta, found.Alpha = correct, g.beta(i), g.alpha(j)
			}
		}
	}
	return found, nil
}

// count adds the pictures that each pair classifies right.
func (c Cache) count(ctx context.Context, features array.Matrix, labels []int, g Grid, correct [][]int) error {
	text, affinities := array.NewMatrix(features.Rows, c.Text.Rows), array.NewMatrix(features.Rows, c.Keys.Rows)
	numeric.TimesTransposed(c.Scale, features, c.Text, text)
	numeric.TimesTransposed(1, features, c.Keys, affinities)
	right := make([][]bool, len(labels)) // of a picture, by pair
	numeric.Parallel(len(labels), func(picture int) {
		if ctx.Err() == nil {
			right[picture] = c.pairs(text.Row(picture), affinities.Row(picture), labels[picture], g)
		}
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, pairs := range right {
		for pair, is := range pairs {
			if is {
				correct[pair/g.AlphaSteps][pair%g.AlphaSteps]++
			}
		}
	}
	return nil
}

// pairs says of a picture which pairs classify it right, by its text logits and its
// affinities to the keys.
func (c Cache) pairs(text, affinities []float32, label int, g Grid) []bool {
	// From one beta to the next exp(-beta (1 - affinity)) changes by the same factor: an
	// exponential a key, not one for each beta. Rounding adds up to 1e-13 at most.
	nearness, factors := make([]float64, len(affinities)), make([]float64, len(affinities))
	for k, affinity := range affinities {
		nearness[k] = math.Exp(-g.beta(0) * (1 - float64(affinity)))
		factors[k] = math.Exp(-(g.beta(1) - g.beta(0)) * (1 - float64(affinity)))
	}
	votes, right := make([]float64, len(text)), make([]bool, 0, g.BetaSteps*g.AlphaSteps)
	for range g.BetaSteps {
		clear(votes)
		for _, v := range c.Values {
			votes[v.Class] += float64(v.Weight) * nearness[v.Key]
		}
		for j := range g.AlphaSteps {
			right = append(right, wins(text, g.alpha(j), votes, label))
		}
		for k, factor := range factors {
			nearness[k] *= factor
		}
	}
	return right
}

// wins reports whether text + alpha votes is largest at label, and at no class before it
// as large.
func wins(text []float32, alpha float64, votes []float64, label int) bool {
	most := float64(text[label]) + alpha*votes[label]
	for class, vote := range votes {
		if sum := float64(text[class]) + alpha*vote; sum > most || sum == most && class < label {
			return false
		}
	}
	return true
}
