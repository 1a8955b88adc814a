package label

import (
	"context"
	"fmt"
	"math"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn/head"
)

const (
	// rowsAtOnce bounds what is held of an N x C matrix.
	rowsAtOnce = 1024
	// valuesAtOnce bounds what is held of features: those of all of a picture's tokens
	// are wide.
	valuesAtOnce = 1 << 23
)

// Probabilities fills out [B, C] with the softmax of what a head makes of features
// [B, D] (METHOD.md section 1, eq. 1 and 2). Sums are float64, so that rows sum to 1
// within float32's rounding.
func Probabilities(h head.Head, features, out array.Matrix) error {
	if err := h.Logits(features, out); err != nil {
		return err
	}
	for i := range out.Rows {
		Softmax(out.Row(i))
	}
	return nil
}

// Softmax replaces logits by probabilities.
func Softmax(row []float32) {
	largest := float32(math.Inf(-1))
	for _, v := range row {
		largest = max(largest, v)
	}
	sum := 0.0
	for i, v := range row {
		e := math.Exp(float64(v - largest))
		row[i] = float32(e)
		sum += e
	}
	for i, v := range row {
		row[i] = float32(float64(v) / sum)
	}
}

// Blocks calls do with the probabilities of some rows of features after the
// other, at most 1024 at once; the matrix is reused. first counts rows, not
// features: it is an index into rows.
func Blocks(ctx context.Context, features array.Matrix, rows []int, h head.Head, do func(first int, probabilities array.Matrix) error) error {
	if features.Cols != h.Width() {
		return fmt.Errorf("classifying: pictures have %d features and classes %d", features.Cols, h.Width())
	}
	most := min(rowsAtOnce, max(1, valuesAtOnce/max(1, features.Cols)), len(rows))
	gathered, probabilities := array.NewMatrix(most, features.Cols), array.NewMatrix(most, h.Classes())
	for first := 0; first < len(rows); first += most {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(most, len(rows)-first)
		for i, row := range rows[first : first+n] {
			copy(gathered.Row(i), features.Row(row))
		}
		out := probabilities.Slice(0, n)
		if err := Probabilities(h, gathered.Slice(0, n), out); err != nil {
			return err
		}
		if err := do(first, out); err != nil {
			return err
		}
	}
	return nil
}

// Classify streams the probabilities of some rows of features into a .npy file [len(rows), C].
func Classify(ctx context.Context, path string, features array.Matrix, rows []int, h head.Head) error {
	if err := classify(ctx, path, features, rows, h); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

func classify(ctx context.Context, path string, features array.Matrix, rows []int, h head.Head) error {
	w, err := array.Create(path, len(rows), h.Classes())
	if err != nil {
		return err
	}
	defer w.Abort()
	err = Blocks(ctx, features, rows, h, func(_ int, p array.Matrix) error { return w.Append(p.Data) })
	if err != nil {
		return err
	}
	return w.Close()
}

// MeanOfTemplates returns, class by class, the mean of L2-normalised text
// features over templates, normalised again: templates[t] is [C, D].
func MeanOfTemplates(templates []array.Matrix) array.Matrix {
	if len(templates) == 1 {
		return templates[0]
	}
	ofClasses := make([][][]float32, templates[0].Rows)
	for c := range ofClasses {
		for _, template := range templates {
			ofClasses[c] = append(ofClasses[c], template.Row(c))
		}
	}
	return MeanOfPrompts(ofClasses, templates[0].Cols)
}

// MeanOfPrompts returns the same for classes of different numbers of prompts:
// ofClasses[c] are the features of class c's, one or more, of a width.
func MeanOfPrompts(ofClasses [][][]float32, width int) array.Matrix {
	mean := array.NewMatrix(len(ofClasses), width)
	sums := make([]float64, width)
	for c, prompts := range ofClasses {
		if len(prompts) == 1 {
			copy(mean.Row(c), prompts[0])
			continue
		}
		clear(sums)
		for _, features := range prompts {
			for d, v := range features {
				sums[d] += float64(v)
			}
		}
		norm := 0.0
		for _, s := range sums {
			norm += s * s
		}
		norm = math.Sqrt(norm)
		for d, s := range sums {
			mean.Row(c)[d] = float32(s / norm)
		}
	}
	return mean
}
