package learn

import (
	"errors"
	"fmt"
	"slices"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn/head"
)

// Ensemble folds N prompts into one matrix: the mean of their class features
// [C, D], each L2-normalised, not normalised again, so that inner products with
// it are the mean of the prompts' (the ensemble of METHOD, section 3).
func Ensemble(features []array.Matrix) (array.Matrix, error) {
	if err := sameShape(features); err != nil {
		return array.Matrix{}, err
	}
	rows, cols := features[0].Rows, features[0].Cols
	sums := make([]float64, rows*cols)
	for _, f := range features {
		for k, v := range f.Data {
			sums[k] += float64(v)
		}
	}
	mean := array.NewMatrix(rows, cols)
	for k, sum := range sums {
		mean.Data[k] = float32(sum / float64(len(features)))
	}
	return mean, nil
}

// stack puts the features of N prompts below each other, where they have no mean.
func stack(features []array.Matrix) (array.Matrix, error) {
	if err := sameShape(features); err != nil {
		return array.Matrix{}, err
	}
	all := array.Matrix{Cols: features[0].Cols}
	for _, f := range features {
		all.Rows, all.Data = all.Rows+f.Rows, append(all.Data, f.Data...)
	}
	return all, nil
}

func sameShape(features []array.Matrix) error {
	if len(features) == 0 {
		return errors.New("an ensemble of no prompt")
	}
	rows, cols := features[0].Rows, features[0].Cols
	for i, f := range features {
		if f.Rows != rows || f.Cols != cols {
			return fmt.Errorf("prompt %d has features of %d x %d, the first %d x %d", i+1, f.Rows, f.Cols, rows, cols)
		}
	}
	return nil
}

// Learn takes in the class features of the prompts that were learned, [C, ·] each.
func (c *Classifier) Learn(features []array.Matrix) (err error) {
	c.Prompts = len(features)
	if c.TextClasses != nil {
		c.Learned, err = stack(features)
	} else {
		c.Learned, err = Ensemble(features)
	}
	return err
}

// ByZeroShot is the head of the templates.
func (c Classifier) ByZeroShot() head.Head {
	if c.TextClasses == nil {
		return c.byFeatures(c.ZeroShot)
	}
	return head.Texts{Similarity: c.Similarity, Features: c.ZeroShot, Of: c.TextClasses, Count: len(c.ClassNames)}
}

// ByPrompts is the head of the ensemble of some prompts, by the class features of each.
func (c Classifier) ByPrompts(features []array.Matrix) (head.Head, error) {
	if err := c.Learn(features); err != nil {
		return nil, err
	}
	return c.byLearned(), nil
}

func (c Classifier) byLearned() head.Head {
	if c.TextClasses == nil {
		return c.byFeatures(c.Learned)
	}
	of := make([]int, c.Learned.Rows)
	for i := range of {
		of[i] = i % len(c.ClassNames)
	}
	return head.Texts{Similarity: c.Similarity, Features: c.Learned, Of: of, Count: len(c.ClassNames)}
}

func (c Classifier) byFeatures(features array.Matrix) head.Head {
	return head.ClassFeatures{Matrix: features, Scale: float64(c.LogitScale)}
}

// validateTexts is what holds in the place of the features' shapes where a row is a text.
func (c Classifier) validateTexts() error {
	if len(c.Heads) > 0 {
		return errors.New("heads on the features of a model with `similarity`")
	}
	if c.ZeroShot.Rows != len(c.TextClasses) {
		return fmt.Errorf("zero-shot features of %d texts, and classes of %d", c.ZeroShot.Rows, len(c.TextClasses))
	}
	texts := make([]int, len(c.ClassNames))
	for i, class := range c.TextClasses {
		if class < 0 || class >= len(c.ClassNames) {
			return fmt.Errorf("text %d is of class %d: there are %d classes", i, class, len(c.ClassNames))
		}
		texts[class]++
	}
	if without := slices.Index(texts, 0); without >= 0 {
		return fmt.Errorf("class %q has no text", c.ClassNames[without])
	}
	if c.Learned.Rows != c.Prompts*len(c.ClassNames) || c.Prompts > 0 && c.Learned.Cols != c.ZeroShot.Cols {
		return fmt.Errorf("learned features of %d x %d of %d prompts and %d classes, beside zero-shot ones of %d x %d",
			c.Learned.Rows, c.Learned.Cols, c.Prompts, len(c.ClassNames), c.ZeroShot.Rows, c.ZeroShot.Cols)
	}
	return nil
}
