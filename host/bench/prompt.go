package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/prompt"
	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/learn"
)

// PromptSetup is a step of prompt learning, forward and backward.
type PromptSetup struct {
	ModelSetup
	ClassNames    []string
	Batch         int // pictures' features a step
	ContextLength int // L
	Position      string
	ClassSpecific bool
	// Padded measures the model's own prompt_gradient, each prompt padded to the
	// model's context length, as CoOp and UPL compute it.
	Padded bool
	// Check compares the gradient with the model's own prompt_gradient over prompts
	// cut to the longest, once, after the measurement.
	Check bool
}

// Path is how a gradient is computed.
type Path string

// The paths.
const (
	Packed    Path = "packed"    // graphs.PackedPrompts
	Truncated Path = "truncated" // prompt_gradient over prompts cut to the longest
	Padded    Path = "padded"    // prompt_gradient over the model's context length
)

// step is what a step takes in.
type step struct {
	vectors, features, targets array.Matrix
	scale                      float32
}

// gradient computes a step.
type gradient func(context.Context, step) (graphs.Gradient, error)

// Prompt measures steps. A model whose text tower cannot be packed is measured
// by its own prompt_gradient, as learning would use it: see Report.Path.
func Prompt(ctx context.Context, s PromptSetup) (_ *Report, err error) {
	o, err := s.open(ctx, "prompt", "step")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	tokens, err := o.Prompts(s.ClassNames, s.ContextLength, s.Position, s.ClassSpecific)
	if err != nil {
		return nil, &host.UsageError{Err: err}
	}
	compute, path, err := s.path(o, tokens)
	if err != nil {
		return nil, err
	}
	in := s.step(o)
	o.report.Settings = Settings{
		Classes: len(s.ClassNames), Batch: s.Batch, ContextLength: s.ContextLength,
		Position: s.Position, ClassSpecific: s.ClassSpecific, Path: path,
	}
	var last graphs.Gradient
	times, err := s.measure(ctx, "prompt", func() error {
		last, err = compute(ctx, in)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := plausible(last); err != nil {
		return nil, err
	}
	o.report.rate(times, 1, o.GradientOperations(tokens, s.Batch))
	if err := o.finish(ctx, s.ModelSetup); err != nil {
		return nil, err
	}
	if s.Check {
		own, err := o.PromptGradient(ctx, in.vectors, tokens, in.features, in.targets, in.scale)
		if err != nil {
			return nil, err
		}
		d := distance(last.Gradient, own.Gradient)
		o.report.EqualWithin = &d
	}
	return o.report, nil
}

// path chooses how gradients are computed.
func (s PromptSetup) path(o *subject, tokens graphs.Tokens) (gradient, Path, error) {
	own := func(tokens graphs.Tokens) gradient {
		return func(ctx context.Context, in step) (graphs.Gradient, error) {
			return o.PromptGradient(ctx, in.vectors, tokens, in.features, in.targets, in.scale)
		}
	}
	if s.Padded {
		return own(padded(tokens, o.Model.Config().ContextLength)), Padded, nil
	}
	packed, err := o.PackPrompts(tokens, prompt.Limits{})
	if errors.Is(err, graphs.ErrNotPackable) {
		return own(tokens), Truncated, nil
	}
	return func(ctx context.Context, in step) (graphs.Gradient, error) {
		return packed.Gradient(ctx, in.vectors, in.features, in.targets, in.scale)
	}, Packed, err
}

// padded are tokens with zeros up to a length.
func padded(tokens graphs.Tokens, length int) graphs.Tokens {
	rows := make([][]int32, tokens.Rows)
	for i := range rows {
		rows[i] = make([]int32, length)
		copy(rows[i], tokens.Row(i))
	}
	return graphs.PadTokens(rows)
}

// step makes a step up: random features of length 1, a class each.
func (s PromptSetup) step(o *subject) step {
	c := o.Model.Config()
	rows := s.ContextLength
	if s.ClassSpecific {
		rows *= len(s.ClassNames)
	}
	in := step{
		vectors:  learn.RandomContext(randomSeed, rows, c.TextWidth),
		features: array.NewMatrix(s.Batch, c.EmbeddingWidth),
		targets:  array.NewMatrix(s.Batch, len(s.ClassNames)),
		scale:    c.LogitScale,
	}
	random := rand.New(rand.NewPCG(randomSeed, 0))
	for i := range s.Batch {
		row, norm := in.features.Row(i), 0.0
		for j := range row {
			row[j] = float32(random.NormFloat64())
			norm += float64(row[j]) * float64(row[j])
		}
		for j := range row {
			row[j] /= float32(math.Sqrt(norm))
		}
		in.targets.Row(i)[random.IntN(in.targets.Cols)] = 1
	}
	return in
}

// plausible refuses a gradient that is no number, or nothing at all.
func plausible(g graphs.Gradient) error {
	if err := g.Gradient.CheckFinite(); err != nil {
		return fmt.Errorf("the gradient: %w", err)
	}
	for _, v := range g.Gradient.Data {
		if v != 0 {
			return nil
		}
	}
	return errors.New("the gradient is zero: there is something wrong with the model")
}

// distance is the relative L2 distance of got from want.
func distance(got, want array.Matrix) float64 {
	difference, norm := 0.0, 0.0
	for i, w := range want.Data {
		d := float64(got.Data[i]) - float64(w)
		difference += d * d
		norm += float64(w) * float64(w)
	}
	return math.Sqrt(difference / norm)
}
