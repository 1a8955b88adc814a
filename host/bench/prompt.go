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
	// Seeds is how many contexts are computed side by side, each with a batch of its
	// own: a run is as many steps. 0: one.
	Seeds int
	// Memory bounds a step as prompt.Limits has it, in bytes; 0: the default.
	Memory int64
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

// compute computes a step of each of some contexts.
type compute func(context.Context, []graphs.Batch) ([]graphs.Gradient, error)

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
	o.report.Settings = Settings{
		Classes: len(s.ClassNames), Batch: s.Batch, ContextLength: s.ContextLength,
		Position: s.Position, ClassSpecific: s.ClassSpecific, Seeds: max(1, s.Seeds), Memory: s.Memory,
	}
	gradients, err := s.gradients(o, tokens)
	if err != nil {
		return nil, err
	}
	var batches []graphs.Batch
	for seed := range uint64(o.report.Seeds) {
		batches = append(batches, s.random(o.Model.Config(), randomSeed+seed))
	}
	var last []graphs.Gradient
	times, err := s.measure(ctx, "prompt", func() error {
		last, err = gradients(ctx, batches)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, g := range last {
		if err := plausible(g); err != nil {
			return nil, err
		}
	}
	o.report.rate(times, len(batches), int64(len(batches))*o.GradientOperations(tokens, s.Batch))
	if err := o.finish(ctx, s.ModelSetup); err != nil {
		return nil, err
	}
	if s.Check {
		own, err := s.own(o, tokens)(ctx, batches)
		if err != nil {
			return nil, err
		}
		d := 0.0
		for i := range own {
			d = max(d, distance(last[i].Gradient, own[i].Gradient))
		}
		o.report.EqualWithin = &d
	}
	return o.report, nil
}

// gradients chooses how gradients are computed, and reports it.
func (s PromptSetup) gradients(o *subject, tokens graphs.Tokens) (compute, error) {
	c, r := o.Model.Config(), o.report
	if s.Padded {
		r.Path = Padded
		return s.own(o, padded(tokens, c.ContextLength)), nil
	}
	packed, err := o.PackPrompts(tokens, prompt.Limits{Memory: s.Memory})
	if errors.Is(err, graphs.ErrNotPackable) {
		r.Path = Truncated
		return s.own(o, tokens), nil
	} else if err != nil {
		return nil, err
	}
	r.Path = Packed
	if parts := len(packed.Layout().Chunks); parts > 1 {
		r.Parts = parts
	}
	return func(ctx context.Context, batches []graphs.Batch) ([]graphs.Gradient, error) {
		return packed.Gradients(ctx, batches, c.LogitScale)
	}, nil
}

// own are gradients by the model's own prompt_gradient, one after the other.
func (PromptSetup) own(o *subject, tokens graphs.Tokens) compute {
	scale := o.Model.Config().LogitScale
	return func(ctx context.Context, batches []graphs.Batch) (all []graphs.Gradient, err error) {
		all = make([]graphs.Gradient, len(batches))
		for i, b := range batches {
			if all[i], err = o.PromptGradient(ctx, b.Vectors, tokens, b.Features, b.Targets, scale); err != nil {
				return nil, err
			}
		}
		return all, nil
	}
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

// random is what a step takes in: features of length 1, with a class each.
func (s PromptSetup) random(c graphs.Config, seed uint64) graphs.Batch {
	rows := s.ContextLength
	if s.ClassSpecific {
		rows *= len(s.ClassNames)
	}
	b := graphs.Batch{
		Vectors:  learn.RandomContext(seed, rows, c.TextWidth),
		Features: array.NewMatrix(s.Batch, c.EmbeddingWidth),
		Targets:  array.NewMatrix(s.Batch, len(s.ClassNames)),
	}
	random := rand.New(rand.NewPCG(seed, 0))
	for i := range s.Batch {
		row, norm := b.Features.Row(i), 0.0
		for j := range row {
			row[j] = float32(random.NormFloat64())
			norm += float64(row[j]) * float64(row[j])
		}
		for j := range row {
			row[j] /= float32(math.Sqrt(norm))
		}
		b.Targets.Row(i)[random.IntN(b.Targets.Cols)] = 1
	}
	return b
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
