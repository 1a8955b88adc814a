// Package checkpoint reads CLIP's weights in the files that the field passes
// around: open_clip's safetensors, OpenAI's TorchScript archives, state dicts of
// torch.save, and transformers' safetensors, sharded too.
//
// Whatever the file, the result is one: an architecture, preprocessing values,
// and tensors under open_clip's (OpenAI's) names, read from the file one at a
// time and converted to float32, so that the weights are never held in memory
// twice. Before Open returns, all that the towers need is known to be there in
// the right shapes.
//
// Files are not trusted: pickles are read without executing anything, and no
// size is believed before it has been compared with the file's.
package checkpoint

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/upl-host/upl-host/graphs/clip"
)

// Errors that callers tell apart. A file that is not there is fs.ErrNotExist.
var (
	// ErrCorrupt: damaged, truncated, no checkpoint at all, or one that carries code.
	ErrCorrupt = errors.New("corrupt checkpoint")
	// ErrUnsupported: an intact checkpoint of a model, or in a form, that is not read.
	ErrUnsupported = errors.New("unsupported checkpoint")
	// ErrMismatch: weights and configuration do not belong together.
	ErrMismatch = errors.New("weights and configuration disagree")
)

// Checkpoint is an open checkpoint. Its methods may be called from several goroutines.
type Checkpoint struct {
	Name         string // for people: that of the folder or file
	Architecture clip.Architecture
	Preprocess   Preprocess
	Tokenizer    TokenizerFiles
	LogitScale   float32 // the stored value, ln(1/tau); see Scale

	source  source
	tensors map[string]recipe
}

// Preprocess says how a picture becomes the image tower's input.
type Preprocess struct {
	// ResizeMode is clip (resize the shorter side, cut out the middle) or squash
	// (resize both sides).
	ResizeMode    string
	Interpolation string     // bicubic, bilinear or nearest
	Mean, Std     [3]float32 // of red, green and blue in [0, 1]
}

// TokenizerFiles are the paths of CLIP's tokenizer files beside the weights;
// empty if there are none.
type TokenizerFiles struct{ Vocabulary, Merges string }

var _ clip.Weights = (*Checkpoint)(nil)

// Scale returns 1/tau, by which the inner product of features is multiplied:
// exp(LogitScale), 100 at most in OpenAI's models.
func (c *Checkpoint) Scale() float32 { return float32(math.Exp(float64(c.LogitScale))) }

// Close closes the files.
func (c *Checkpoint) Close() error { return c.source.Close() }

// Names returns the names of all tensors that Tensor gives, sorted.
func (c *Checkpoint) Names() []string {
	names := make([]string, 0, len(c.tensors))
	for name := range c.tensors {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Tensor reads a tensor: its shape (empty for a scalar) and its values as
// float32 in row-major order. Nothing is kept: the caller owns both.
func (c *Checkpoint) Tensor(name string) (shape []int, data []float32, err error) {
	r, ok := c.tensors[name]
	if !ok {
		return nil, nil, fmt.Errorf("%s has no tensor %q", c.Name, name)
	}
	shape, data, err = r.read(c.source)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: reading %s: %w", c.Name, name, classify(err))
	}
	return shape, data, nil
}

// readLogitScale reads 1/tau's logarithm, which newer open_clip may store as [1].
func (c *Checkpoint) readLogitScale() error {
	_, values, err := c.Tensor(logitScale)
	if err != nil {
		return err
	}
	c.LogitScale = values[0] // its shape has been checked
	if scale := float64(c.Scale()); math.IsNaN(scale) || math.IsInf(scale, 0) || scale <= 0 {
		return fmt.Errorf("%w: %s is %v, which gives the similarity a scale of %v", ErrCorrupt, logitScale, c.LogitScale, scale)
	}
	return nil
}
