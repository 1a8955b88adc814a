// Package tip is Tip-Adapter (arXiv 2111.03930): a cache of pictures' features and
// labels beside zero-shot classification, and Tip-Adapter-F, which learns the keys.
package tip

import (
	"errors"
	"fmt"
	"math"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn/numeric"
)

// Cache classifies by scale f T' + alpha exp(-beta (1 - f F')) Y: F are the keys, Y
// the values, T the classes' text features.
type Cache struct {
	Keys   array.Matrix // F [K, D], L2-normalised unless they were learnt
	Values []Value      // Y, by key
	Text   array.Matrix // T [C, D], L2-normalised
	// Scale is the model's 1/tau.
	Scale       float64
	Alpha, Beta float64
}

// Value is an element of Y that is not 0: a key's label, with its weight.
type Value struct {
	Key, Class int32
	Weight     float32
}

// Values are the elements of targets [K, C] that are not 0: a candidate set's classes
// share its weight alike.
func Values(targets numeric.Targets) []Value {
	var values []Value
	for k := range targets.Rows {
		for c, weight := range targets.Row(k) {
			if weight != 0 {
				values = append(values, Value{Key: int32(k), Class: int32(c), Weight: weight})
			}
		}
	}
	return values
}

// MeanKeys are the keys of pictures of which there are several views: the mean of
// their features [K, D], raw as they are, normalised. One view gives itself.
func MeanKeys(views []array.Matrix) array.Matrix {
	if len(views) == 1 {
		return views[0]
	}
	keys := array.NewMatrix(views[0].Rows, views[0].Cols)
	sums := make([]float64, keys.Cols)
	for k := range keys.Rows {
		clear(sums)
		for _, view := range views {
			for d, v := range view.Row(k) {
				sums[d] += float64(v)
			}
		}
		square := 0.0
		for _, s := range sums {
			square += s * s
		}
		for d, s := range sums {
			keys.Row(k)[d] = float32(s / math.Sqrt(square))
		}
	}
	return keys
}

// Validate reports everything that cannot be.
func (c Cache) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Keys.Rows > 0 && c.Keys.Cols == c.Text.Cols, "keys of %d x %d beside text features of %d x %d", c.Keys.Rows, c.Keys.Cols, c.Text.Rows, c.Text.Cols)
	check(c.Alpha >= 0 && !math.IsInf(c.Alpha, 0), "alpha is %g, want at least 0", c.Alpha)
	check(c.Beta >= 0 && !math.IsInf(c.Beta, 0), "beta is %g, want at least 0", c.Beta)
	for i, v := range c.Values {
		if v.Key < 0 || int(v.Key) >= c.Keys.Rows || v.Class < 0 || int(v.Class) >= c.Text.Rows || !(v.Weight > 0) || math.IsInf(float64(v.Weight), 0) {
			check(false, "value %d is %g for key %d and class %d, of %d keys and %d classes", i, v.Weight, v.Key, v.Class, c.Keys.Rows, c.Text.Rows)
			break
		}
	}
	return errors.Join(errs...)
}

// Classes is C.
func (c Cache) Classes() int { return c.Text.Rows }

// Width is D.
func (c Cache) Width() int { return c.Text.Cols }

// rowsAtOnce bounds what is held of the affinities, rows x keys.
const rowsAtOnce = 256

// Logits fills out [N, C] with the logits of features [N, D].
func (c Cache) Logits(features, out array.Matrix) error {
	affinities := array.NewMatrix(min(rowsAtOnce, features.Rows), c.Keys.Rows)
	for first := 0; first < features.Rows; first += rowsAtOnce {
		n := min(rowsAtOnce, features.Rows-first)
		c.logits(features.Slice(first, first+n), affinities.Slice(0, n), out.Slice(first, first+n))
	}
	return nil
}

// logits leaves exp(-beta (1 - f F')) in affinities.
func (c Cache) logits(features, affinities, out array.Matrix) {
	numeric.TimesTransposed(c.Scale, features, c.Text, out)
	numeric.TimesTransposed(1, features, c.Keys, affinities)
	numeric.Parallel(features.Rows, func(i int) {
		row, votes := affinities.Row(i), make([]float64, c.Text.Rows)
		for k, affinity := range row {
			row[k] = float32(math.Exp(-c.Beta * (1 - float64(affinity))))
		}
		for _, v := range c.Values {
			votes[v.Class] += float64(v.Weight) * float64(row[v.Key])
		}
		for class, vote := range votes {
			out.Row(i)[class] += float32(c.Alpha * vote)
		}
	})
}
