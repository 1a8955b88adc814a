package arrays

import (
	"errors"
	"fmt"
	"slices"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
)

// ReadSelection reads the .npz file of a selection, of so many rows and classes.
func ReadSelection(path string, rows, classes int) (plugins.Selection, error) {
	arrays, err := array.ReadArchive(path)
	if err != nil {
		return plugins.Selection{}, err
	}
	r := &reading{arrays: arrays, rows: rows, classes: classes}
	s := r.selection()
	if r.err != nil {
		return plugins.Selection{}, fmt.Errorf("%s: %w", path, r.err)
	}
	return s, nil
}

// reading takes a selection apart; err is the first thing that was wrong.
type reading struct {
	arrays        map[string]array.Array
	rows, classes int
	err           error
}

// selection has the arrays of each kind under the kind's prefix, or, where there is
// but one kind, under none.
func (r *reading) selection() (s plugins.Selection) {
	has := func(name string) bool { _, there := r.arrays[name]; return there }
	switch {
	case has("soft"):
		s.Soft = r.soft("")
	case has("offsets"):
		s.Candidates = r.candidates("")
	case has("classes"):
		s.Labels = r.hard("")
	}
	if has("hard_rows") {
		s.Labels = r.hard("hard_")
	}
	if has("soft_rows") {
		s.Soft = r.soft("soft_")
	}
	if has("candidates_rows") {
		s.Candidates = r.candidates("candidates_")
	}
	if has("drops") {
		s.Drops = r.numbers("drops", -1, r.rows)
	}
	return s
}

func (r *reading) fail(format string, arguments ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, arguments...)
	}
}

// numbers are n integers, or any number of them where n is -1, from 0 to below a bound.
func (r *reading) numbers(name string, n, below int) []int {
	values, err := r.arrays[name].Int()
	if err != nil {
		r.fail("%s: %w", name, err)
		return nil
	}
	if n >= 0 && len(values) != n {
		r.fail("%s has %d values, where %d are wanted", name, len(values), n)
		return nil
	}
	for i, v := range values {
		if v < 0 || v >= below {
			r.fail("%s: value %d is %d, want 0 to %d", name, i, v, below-1)
			return nil
		}
	}
	return values
}

// weighted are the rows and weights of a kind.
func (r *reading) weighted(prefix string) (rows []int, weights []float32) {
	rows = r.numbers(prefix+"rows", -1, r.rows)
	weights, err := r.arrays[prefix+"weights"].Float32()
	switch {
	case err != nil:
		r.fail("%sweights: %w", prefix, err)
	case len(weights) != len(rows):
		r.fail("%d %sweights for %d rows", len(weights), prefix, len(rows))
	}
	if r.err != nil {
		return nil, nil
	}
	return rows, weights
}

func (r *reading) hard(prefix string) []plugins.Label {
	rows, weights := r.weighted(prefix)
	classes := r.numbers(prefix+"classes", len(rows), r.classes)
	if r.err != nil {
		return nil
	}
	labels := make([]plugins.Label, len(rows))
	for i, row := range rows {
		labels[i] = plugins.Label{Row: row, Class: classes[i], Weight: weights[i]}
	}
	return labels
}

func (r *reading) soft(prefix string) []plugins.SoftLabel {
	rows, weights := r.weighted(prefix)
	p, err := r.arrays[prefix+"soft"].Matrix()
	if err != nil {
		r.fail("%ssoft: %w", prefix, err)
	} else if p.Rows != len(rows) || p.Cols != r.classes {
		r.fail("%ssoft is %d x %d, where %d x %d are wanted", prefix, p.Rows, p.Cols, len(rows), r.classes)
	}
	if r.err != nil {
		return nil
	}
	labels := make([]plugins.SoftLabel, len(rows))
	for i, row := range rows {
		labels[i] = plugins.SoftLabel{Row: row, Weight: weights[i]}
		for c, v := range p.Row(i) {
			if v != 0 {
				labels[i].P = append(labels[i].P, sdk.Candidate{Class: uint32(c), P: v})
			}
		}
	}
	return labels
}

func (r *reading) candidates(prefix string) []plugins.CandidateSet {
	rows, weights := r.weighted(prefix)
	classes := r.numbers(prefix+"classes", -1, r.classes)
	offsets := r.numbers(prefix+"offsets", len(rows)+1, len(classes)+1)
	if r.err == nil && (!slices.IsSorted(offsets) || offsets[0] != 0 || offsets[len(rows)] != len(classes)) {
		r.err = errors.New(prefix + "offsets do not go from 0 to the number of classes")
	}
	if r.err != nil {
		return nil
	}
	sets := make([]plugins.CandidateSet, len(rows))
	for i, row := range rows {
		sets[i] = plugins.CandidateSet{Row: row, Weight: weights[i], Classes: classes[offsets[i]:offsets[i+1]:offsets[i+1]]}
	}
	return sets
}
