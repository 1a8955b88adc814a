package numeric

import "github.com/upl-host/upl-host/graphs/array"

// Targets [N, C] are what pictures are learned as, not below 0. A row is weight times
// class distribution, w q; or a candidate set S of weight w, w/|S| in its classes.
type Targets struct {
	array.Matrix
	Sets []bool // marks the rows that are candidate sets; nil: none
}

// NewTargets are zeros, with room for marks where some rows are sets.
func NewTargets(rows, cols int, sets bool) Targets {
	t := Targets{Matrix: array.NewMatrix(rows, cols)}
	if sets {
		t.Sets = make([]bool, rows)
	}
	return t
}

// IsSet reports whether row i is a candidate set.
func (t Targets) IsSet(i int) bool { return t.Sets != nil && t.Sets[i] }

// Slice returns rows [from, to); they share the targets' memory.
func (t Targets) Slice(from, to int) Targets {
	s := Targets{Matrix: t.Matrix.Slice(from, to)}
	if t.Sets != nil {
		s.Sets = t.Sets[from:to]
	}
	return s
}

// Gather copies the named rows of all, which have marks where t has.
func (t Targets) Gather(all Targets, rows []int) {
	for i, row := range rows {
		copy(t.Row(i), all.Row(row))
		if t.Sets != nil {
			t.Sets[i] = all.IsSet(row)
		}
	}
}
