// Package ranking is the order of rows within a class that the selection rules
// share, and the lists of the first rows of each class in that order: for rules
// whose confidences no view ranks. Larger confidence first, then larger margin,
// then lower row.
package ranking

import (
	"cmp"
	"slices"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/strategies/vector"
)

// Row is a row as a class ranks it.
type Row struct {
	Row       int
	P, Margin float32 // Margin is P minus the largest of the other classes'
}

// Compare is negative where a comes first.
func (a Row) Compare(b Row) int {
	return cmp.Or(cmp.Compare(b.P, a.P), cmp.Compare(b.Margin, a.Margin), cmp.Compare(a.Row, b.Row))
}

// Lists are the first rows of each class among those that were offered.
type Lists struct {
	k       int
	classes [][]Row // each a heap, its last in order first, once it is full
}

// New makes lists of k rows at most; 0: of all that are offered.
func New(classes, k int) *Lists { return &Lists{k, make([][]Row, classes)} }

// Last is what a further row has to come before; !full: there is room for any.
func (l *Lists) Last(class int) (last Row, full bool) {
	list := l.classes[class]
	if l.k == 0 || len(list) < l.k {
		return Row{}, false
	}
	return list[0], true
}

// Offer takes a row into the list of a class, which is full of k rows at most: then
// it loses its last, or the row itself.
func (l *Lists) Offer(class int, row Row) (lost Row, full bool) {
	last, full := l.Last(class)
	list := l.classes[class]
	switch {
	case !full:
		list = append(list, row)
		if l.classes[class] = list; len(list) == l.k {
			for i := len(list)/2 - 1; i >= 0; i-- {
				sift(list, i)
			}
		}
	case row.Compare(last) < 0:
		list[0] = row
		sift(list, 0)
		return last, true
	}
	return row, full
}

// sift moves element i down to its place.
func sift(heap []Row, i int) {
	for {
		last := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(heap); child++ {
			if heap[child].Compare(heap[last]) > 0 {
				last = child
			}
		}
		if last == i {
			return
		}
		heap[i], heap[last] = heap[last], heap[i]
		i = last
	}
}

// Rows are those of a class, in no order.
func (l *Lists) Rows(class int) []Row { return l.classes[class] }

// Sorted are those of a class, in order. Nothing can be offered after it.
func (l *Lists) Sorted(class int) []Row {
	slices.SortFunc(l.classes[class], Row.Compare)
	return l.classes[class]
}

// Emit gives the rows of all lists the labels of their classes.
func (l *Lists) Emit(r *sdk.Round, weight Weight) error {
	for class, rows := range l.classes {
		for _, row := range rows {
			if err := r.Emit(weight.Label(row.Row, class, row.P)); err != nil {
				return err
			}
		}
	}
	return nil
}

// First is the most probable class of a row, of equals the lowest, with its
// probability and margin.
func First(row []float32) (class int, p, margin float32) {
	class, p, second := vector.FirstTwo(row)
	if len(row) == 1 {
		return class, p, p
	}
	return class, p, p - second
}
