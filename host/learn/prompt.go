package learn

import (
	"errors"
	"fmt"

	"github.com/upl-host/upl-host/graphs/tokenizer"
)

// Prompt describes contexts of one kind: all but their values that is needed
// to use them.
type Prompt struct {
	Model      string  // name
	ModelHash  string  // of the model's folder
	LogitScale float32 // the model's 1/tau
	// ClassNames are what prompts say of the classes. Two may be the same: ImageNet
	// has two classes that are called missile.
	ClassNames []string
	Length     int                // L, vectors of a context
	Width      int                // W, of a vector
	Position   tokenizer.Position // of the class name
	// ClassSpecific says that each class has a context of its own.
	ClassSpecific bool
	// InitialWords are those whose embeddings the training began with; empty: random.
	InitialWords string
}

// Rows is the number of vectors that are learned: L, or C x L with a context
// per class, where class c's are rows c L to (c + 1) L - 1.
func (p Prompt) Rows() int {
	if p.ClassSpecific {
		return len(p.ClassNames) * p.Length
	}
	return p.Length
}

// shape is that of a context file's tensor: [L, W] or [C, L, W].
func (p Prompt) shape() []int {
	if p.ClassSpecific {
		return []int{len(p.ClassNames), p.Length, p.Width}
	}
	return []int{p.Length, p.Width}
}

// Validate reports everything that cannot be.
func (p Prompt) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(len(p.ClassNames) > 0, "no class names")
	for i, name := range p.ClassNames {
		check(name != "", "class %d has no name", i)
	}
	check(p.Length >= 1 && p.Length <= 1<<16, "context_length is %d, want at least 1", p.Length)
	check(p.Width >= 1 && p.Width <= 1<<20, "the context's width is %d, want at least 1", p.Width)
	check(finite(float64(p.LogitScale)) && p.LogitScale > 0, "logit_scale is %g, want above 0", p.LogitScale)
	errs = append(errs, p.Position.Validate())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("prompt: %w", err)
	}
	return nil
}
