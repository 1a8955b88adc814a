package learn

import (
	"errors"
	"fmt"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn/numeric"
)

// ErrNothingToLearn says that there is not one picture to learn from.
var ErrNothingToLearn = errors.New("no pseudo-labelled picture to learn from: widen label.selection, or look at probabilities/ for why every picture was left out")

// Data are the pictures that a context learns from.
type Data struct {
	// Features [N, D] are the pictures', L2-normalised.
	Features array.Matrix
	// Views are features of augmented views of the same pictures: an epoch then
	// sees one of these of each picture, drawn by the seed, and not Features.
	Views []array.Matrix
	// Targets [N, C]: the loss is the mean over a batch of numeric.RowLoss.
	Targets numeric.Targets
}

func (d Data) validate(classCount int) error {
	if d.Features.Rows == 0 {
		return ErrNothingToLearn
	}
	if d.Targets.Rows != d.Features.Rows || d.Targets.Cols != classCount {
		return fmt.Errorf("targets of %d pictures and %d classes, where there are %d pictures and %d classes",
			d.Targets.Rows, d.Targets.Cols, d.Features.Rows, classCount)
	}
	if d.Targets.Sets != nil && len(d.Targets.Sets) != d.Features.Rows {
		return fmt.Errorf("%d pictures are said to have candidate sets or not, of %d", len(d.Targets.Sets), d.Features.Rows)
	}
	if err := d.Features.CheckFinite(); err != nil {
		return fmt.Errorf("features of the pictures to learn from: %w", err)
	}
	for i, view := range d.Views {
		if view.Rows != d.Features.Rows || view.Cols != d.Features.Cols {
			return fmt.Errorf("view %d is of %d pictures and %d features, where there are %d and %d", i, view.Rows, view.Cols, d.Features.Rows, d.Features.Cols)
		}
		if err := view.CheckFinite(); err != nil {
			return fmt.Errorf("features of view %d of the pictures to learn from: %w", i, err)
		}
	}
	if err := d.Targets.CheckFinite(); err != nil {
		return fmt.Errorf("targets: %w", err)
	}
	for i, v := range d.Targets.Data {
		if v < 0 {
			return fmt.Errorf("targets: row %d, column %d is %g, want at least 0", i/classCount, i%classCount, v)
		}
	}
	return nil
}

// Select has some of the pictures.
func (d Data) Select(rows []int) Data {
	some := func(m array.Matrix) array.Matrix {
		selected := array.NewMatrix(len(rows), m.Cols)
		gather(selected, m.Row, rows)
		return selected
	}
	selected := Data{Features: some(d.Features), Targets: numeric.NewTargets(len(rows), d.Targets.Cols, d.Targets.Sets != nil)}
	selected.Targets.Gather(d.Targets, rows)
	for _, view := range d.Views {
		selected.Views = append(selected.Views, some(view))
	}
	return selected
}

// SeenIn gives what an epoch of a seed sees of each picture: a function of its number.
func (d Data) SeenIn(seed uint64, epoch int) func(picture int) []float32 {
	if len(d.Views) == 0 {
		return d.Features.Row
	}
	drawn := drawViews(seed, epoch, d.Features.Rows, len(d.Views))
	return func(picture int) []float32 { return d.Views[drawn[picture]].Row(picture) }
}

// gather copies the rows named by picks.
func gather(into array.Matrix, row func(i int) []float32, picks []int) {
	for i, pick := range picks {
		copy(into.Row(i), row(pick))
	}
}
