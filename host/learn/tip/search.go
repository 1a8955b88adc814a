package tip

import (
	"context"
	"fmt"
	"math"
	"runtime"

	"golang.org/x/sync/errgroup"

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
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, row := range correct { // a beta at a time: no two write to one row
		group.Go(func() error {
			nearness, votes := make([]float64, c.Keys.Rows), make([]float64, c.Text.Rows)
			for picture, label := range labels {
				if err := ctx.Err(); err != nil {
					return err
				}
				c.votes(affinities.Row(picture), g.beta(i), nearness, votes)
				for j := range row {
					if largestSum(text.Row(picture), g.alpha(j), votes) == label {
						row[j]++
					}
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// votes fills votes with exp(-beta (1 - affinity)) Y.
func (c Cache) votes(affinities []float32, beta float64, nearness, votes []float64) {
	for k, affinity := range affinities {
		nearness[k] = math.Exp(-beta * (1 - float64(affinity)))
	}
	clear(votes)
	for _, v := range c.Values {
		votes[v.Class] += float64(v.Weight) * nearness[v.Key]
	}
}

// largestSum is the class with the largest text + alpha votes, the first among equals.
func largestSum(text []float32, alpha float64, votes []float64) int {
	best, most := 0, math.Inf(-1)
	for class, vote := range votes {
		if sum := float64(text[class]) + alpha*vote; sum > most {
			best, most = class, sum
		}
	}
	return best
}
