package check

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/prompt"
)

// referenceScale is the 1/tau of the reference's losses.
const referenceScale = 100

// checkPromptValues compares prompt features, losses and gradients: the name at
// the end, in the middle, in front, a context per class, soft weighted targets.
func (r *reference) checkPromptValues(ctx context.Context) error {
	if !r.has("prompt_tokens", "context") {
		return nil
	}
	if !r.model.Has(graphs.SignatureEncodePrompt) {
		r.report.skip("prompt_features", "the model has no encode_prompt")
		return nil
	}
	vectors, err := r.matrix("context")
	if err != nil {
		return err
	}
	tokens, err := r.tokens("prompt_tokens")
	if err != nil {
		return err
	}
	names, err := splitPrompts(tokens, vectors.Rows)
	if err != nil {
		return fmt.Errorf("prompt_tokens: %w", err)
	}
	if r.has("prompt_features") {
		features, err := r.model.EncodePrompt(ctx, vectors, names.arrange(end, vectors.Rows, 0))
		if err != nil {
			return err
		}
		if err := r.compare("prompt_features", features.Data, true, promptTolerance); err != nil {
			return err
		}
	}
	if !r.model.Has(graphs.SignaturePromptGradient) || !r.has("pool", "pool_labels") {
		return nil
	}
	return r.checkGradients(ctx, vectors, names)
}

func (r *reference) checkGradients(ctx context.Context, vectors array.Matrix, names prompts) error {
	features, targets, err := r.batchOfPool(len(names.names))
	if err != nil {
		return err
	}
	length := vectors.Rows
	for _, c := range []struct {
		suffix string
		place  place
	}{{"", end}, {"_middle", middle}, {"_front", front}} {
		if err := r.checkLoss(ctx, c.suffix, vectors, names.arrange(c.place, length, 0), features, targets); err != nil {
			return err
		}
	}
	if r.has("class_contexts") {
		stacked, err := r.floats("class_contexts")
		if err != nil {
			return err
		}
		all := array.Matrix{Rows: len(stacked) / vectors.Cols, Cols: vectors.Cols, Data: stacked}
		if err := r.checkLoss(ctx, "_class_specific", all, names.arrange(end, length, length), features, targets); err != nil {
			return err
		}
	}
	if !r.has("soft_targets", "weights") {
		return nil
	}
	soft, err := r.weightedTargets()
	if err != nil {
		return err
	}
	return r.checkLoss(ctx, "_soft", vectors, names.arrange(end, length, 0), features, soft)
}

func (r *reference) checkLoss(ctx context.Context, suffix string, vectors array.Matrix, tokens graphs.Tokens, features, targets array.Matrix) error {
	if !r.has("loss"+suffix, "gradient"+suffix) {
		return nil
	}
	g, err := r.model.PromptGradient(ctx, vectors, tokens, features, targets, referenceScale)
	if err != nil {
		return err
	}
	want, err := r.floats("loss" + suffix)
	if err != nil {
		return err
	}
	if len(want) != 1 {
		return fmt.Errorf("loss%s is no scalar", suffix)
	}
	r.report.measure("loss"+suffix, "relative difference from the reference",
		math.Abs(g.Loss-float64(want[0]))/math.Abs(float64(want[0])), promptTolerance)
	if err := r.compare("gradient"+suffix, g.Gradient.Data, true, promptTolerance); err != nil {
		return err
	}
	return r.checkPacked(ctx, "gradient"+suffix, vectors, tokens, features, targets)
}

// checkPacked compares the gradient that learning takes where it can: over the
// model's weights, in a graph of ours.
func (r *reference) checkPacked(ctx context.Context, key string, vectors array.Matrix, tokens graphs.Tokens, features, targets array.Matrix) error {
	packed, err := r.model.PackPrompts(tokens, prompt.Limits{})
	if errors.Is(err, graphs.ErrNotPackable) {
		return nil
	}
	if err != nil {
		return err
	}
	g, err := packed.Gradient(ctx, vectors, features, targets, referenceScale)
	if err != nil {
		return err
	}
	want, err := r.floats(key)
	if err != nil {
		return err
	}
	r.report.measure(key, "relative L2 from the reference, packed", relativeL2(g.Gradient.Data, want), promptTolerance)
	return nil
}

// batchOfPool is the reference's batch: the first rows of pool, one-hot labels.
func (r *reference) batchOfPool(classes int) (features, targets array.Matrix, err error) {
	pool, err := r.matrix("pool")
	if err != nil {
		return features, targets, err
	}
	labels, err := r.values["pool_labels"].Int()
	if err != nil {
		return features, targets, fmt.Errorf("pool_labels: %w", err)
	}
	rows := min(batchRows, pool.Rows, len(labels))
	features, targets = pool.Slice(0, rows), array.NewMatrix(rows, classes)
	for i := range rows {
		if labels[i] < 0 || labels[i] >= classes {
			return features, targets, fmt.Errorf("pool_labels: row %d has class %d of %d", i, labels[i], classes)
		}
		targets.Row(i)[labels[i]] = 1
	}
	return features, targets, nil
}

// weightedTargets are w_i t_ic.
func (r *reference) weightedTargets() (array.Matrix, error) {
	soft, err := r.matrix("soft_targets")
	if err != nil {
		return array.Matrix{}, err
	}
	weights, err := r.floats("weights")
	if err != nil {
		return array.Matrix{}, err
	}
	if len(weights) != soft.Rows {
		return array.Matrix{}, fmt.Errorf("%d weights for %d soft targets", len(weights), soft.Rows)
	}
	weighted := soft.Clone()
	for i, w := range weights {
		for c := range weighted.Row(i) {
			weighted.Row(i)[c] *= w
		}
	}
	return weighted, nil
}

// place is where a prompt has the class name among the context vectors.
type place int

const (
	end place = iota
	middle
	front
)

// prompts are the fixed tokens of prompts: start, and what a class has of its own.
type prompts struct {
	start int32
	names []name
}

// name is a class's own tokens: its name, and what follows it, full stop and end.
// A name that ends in a mark makes one token of it and the full stop, as in
// "ram (male)."; that stays with the name, as CoOp and package tokenizer have it.
type name struct{ tokens, stop []int32 }

// splitPrompts takes "start, X ... X, name, full stop, end, padding" apart.
func splitPrompts(t graphs.Tokens, length int) (prompts, error) {
	var p prompts
	ends, stops := make([]int, t.Rows), make(map[int32]int)
	for i := range ends {
		row := t.Row(i)
		ends[i] = endOf(row)
		if ends[i] < length+2 {
			return prompts{}, fmt.Errorf("row %d has %d tokens, too few for %d context vectors", i, ends[i]+1, length)
		}
		stops[row[ends[i]-1]]++
	}
	for i, end := range ends {
		row, stop := t.Row(i), end
		if stops[row[end-1]]*2 > t.Rows {
			stop-- // most prompts end in it: the full stop
		}
		p.start = row[0]
		p.names = append(p.names, name{tokens: row[1+length : stop], stop: row[stop : end+1]})
	}
	return p, nil
}

// arrange lays the prompts out; class c's vectors are numbered from c*stride.
func (p prompts) arrange(where place, length, stride int) graphs.Tokens {
	rows := make([][]int32, len(p.names))
	for c, name := range p.names {
		vectors := make([]int32, length)
		for k := range vectors {
			vectors[k] = int32(-(c*stride + k + 1))
		}
		before := length
		switch where {
		case middle:
			before = length / 2
		case front:
			before = 0
		}
		rows[c] = slices.Concat([]int32{p.start}, vectors[:before], name.tokens, vectors[before:], name.stop)
	}
	return graphs.PadTokens(rows)
}
