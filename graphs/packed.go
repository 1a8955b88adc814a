package graphs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/prompt"
)

// ErrNotPackable is returned for prompts that only the model's own signatures
// can compute: its upl.json does not describe its text tower, which may then be
// of any kind, or the prompts have nothing in common.
var ErrNotPackable = errors.New("the prompts cannot be packed")

// PackedPrompts computes what EncodePrompt and PromptGradient do, for prompts
// that stay, in a fraction of their time: over the same weights, equal to
// float32 rounding. It may be used from several goroutines.
type PackedPrompts struct {
	model  *Model
	layout prompt.Layout
	ops    Signature
}

// PackPrompts lays prompts out for repeated use. Tokens are as EncodePrompt
// takes them; limits of 0 are chosen by rule. Errors: ErrNotPackable, and
// ErrContract where upl.json is wrong about the text tower's variables.
func (m *Model) PackPrompts(tokens Tokens, limits prompt.Limits) (*PackedPrompts, error) {
	tower := m.config.TextTower
	if tower == nil || len(tower.Variables) == 0 || !m.config.Causal || m.Has(SignatureSimilarity) {
		return nil, fmt.Errorf("%s: %w: upl.json describes no CLIP text tower", m.dir, ErrNotPackable)
	}
	if _, err := m.ids(SignatureEncodePrompt, tokens, math.MaxInt32); err != nil {
		return nil, err
	}
	rows := make([][]int32, tokens.Rows)
	for i := range rows {
		rows[i] = tokens.Row(i)
	}
	layout, err := prompt.Pack(rows, prompt.Tower{Width: m.config.TextWidth, Layers: tower.Layers}, limits)
	if errors.Is(err, prompt.ErrNoPrefix) {
		return nil, fmt.Errorf("%w: %w", ErrNotPackable, err)
	} else if err != nil {
		return nil, err
	}
	ops, err := m.session.packed(m.config)
	if err != nil {
		return nil, fmt.Errorf("%s: building the text tower over packed prompts: %w", m.dir, err)
	}
	return &PackedPrompts{model: m, layout: layout, ops: ops}, nil
}

// Layout returns how the prompts are packed; it is not to be changed.
func (p *PackedPrompts) Layout() prompt.Layout { return p.layout }

// Features returns the prompts' features [C, D], of length 1; see Model.EncodePrompt.
func (p *PackedPrompts) Features(ctx context.Context, vectors array.Matrix) (array.Matrix, error) {
	if err := p.check(vectors); err != nil {
		return array.Matrix{}, err
	}
	classes, err := p.features(ctx, tensor{shape: []int{1, vectors.Rows, vectors.Cols}, floats: vectors.Data})
	if err != nil {
		return array.Matrix{}, err
	}
	return p.matrix("class_features", classes, 0, p.layout.Prompts, p.model.config.EmbeddingWidth)
}

// features are those of each seed's prompts, [S, C, D].
func (p *PackedPrompts) features(ctx context.Context, vectors tensor) (tensor, error) {
	seeds, width := vectors.shape[0], p.model.config.EmbeddingWidth
	classes := tensor{shape: []int{seeds, p.layout.Prompts, width}, floats: make([]float32, seeds*p.layout.Prompts*width)}
	for _, chunk := range p.layout.Chunks {
		out, err := p.run(ctx, p.feeds(chunk, vectors), "class_features")
		if err != nil {
			return tensor{}, err
		}
		for s := range seeds {
			part, err := p.matrix("class_features", out[0], s, chunk.Prompts, width)
			if err != nil {
				return tensor{}, err
			}
			copy(classes.floats[(s*p.layout.Prompts+chunk.First)*width:], part.Data)
		}
	}
	return classes, nil
}

// classesOf are the classes of a chunk out of [S, C, D].
func classesOf(all tensor, chunk prompt.Chunk) tensor {
	seeds, classes, width := all.shape[0], all.shape[1], all.shape[2]
	part := tensor{shape: []int{seeds, chunk.Prompts, width}}
	for s := range seeds {
		from := (s*classes + chunk.First) * width
		part.floats = append(part.floats, all.floats[from:from+chunk.Prompts*width]...)
	}
	return part
}

// Batch is one context in a step: the seeds that train together have one each.
type Batch struct {
	Vectors  array.Matrix // [L, W]
	Features array.Matrix // [B, D]
	Targets  array.Matrix // [B, C]
	// Sets marks the rows whose targets are a candidate set S of weight w, w/|S| in
	// its classes: their loss is -w log sum_S p. nil: none.
	Sets []bool
}

// Gradient returns loss, gradient and logits; see Model.PromptGradient.
func (p *PackedPrompts) Gradient(ctx context.Context, vectors, features, targets array.Matrix, scale float32) (Gradient, error) {
	gradients, err := p.Gradients(ctx, []Batch{{Vectors: vectors, Features: features, Targets: targets}}, scale)
	if err != nil {
		return Gradient{}, err
	}
	return gradients[0], nil
}

// Gradients is Gradient of several contexts side by side, all of the same shapes:
// their rows make larger, faster products. Prompts of several chunks are computed a
// chunk at a time, twice: the loss needs the features of all classes, and their
// rows are not kept.
func (p *PackedPrompts) Gradients(ctx context.Context, batches []Batch, scale float32) ([]Gradient, error) {
	if err := p.checkBatches(batches); err != nil {
		return nil, err
	}
	feeds := map[string]tensor{"scale": {shape: []int{}, floats: []float32{scale}}}
	feeds["features"] = stacked(batches, func(b Batch) array.Matrix { return b.Features })
	feeds["targets"] = stacked(batches, func(b Batch) array.Matrix { return b.Targets })
	feeds["sets"] = marked(batches)
	if len(p.layout.Chunks) > 1 {
		return p.chunkedGradients(ctx, batches, feeds)
	}
	vectors := stacked(batches, func(b Batch) array.Matrix { return b.Vectors })
	maps.Copy(feeds, p.feeds(p.layout.Chunks[0], vectors))
	out, err := p.run(ctx, feeds, "loss", "logits", "gradient")
	if err != nil {
		return nil, err
	}
	return p.gradients(batches, out[0], out[1], out[2])
}

func (p *PackedPrompts) chunkedGradients(ctx context.Context, batches []Batch, feeds map[string]tensor) ([]Gradient, error) {
	vectors := stacked(batches, func(b Batch) array.Matrix { return b.Vectors })
	classes, err := p.features(ctx, vectors)
	if err != nil {
		return nil, err
	}
	feeds["class_features"] = classes
	out, err := p.run(ctx, feeds, "loss", "logits", "upstream")
	if err != nil {
		return nil, err
	}
	sum := tensor{shape: vectors.shape, floats: make([]float32, len(vectors.floats))}
	for _, chunk := range p.layout.Chunks {
		feeds := p.feeds(chunk, vectors)
		feeds["upstream"] = classesOf(out[2], chunk)
		part, err := p.run(ctx, feeds, "gradient")
		if err != nil {
			return nil, err
		}
		for i, v := range part[0].floats {
			sum.floats[i] += v
		}
	}
	return p.gradients(batches, out[0], out[1], sum)
}

// gradients checks what came out and splits it by seed.
func (p *PackedPrompts) gradients(batches []Batch, loss, logits, gradient tensor) ([]Gradient, error) {
	found := make([]Gradient, len(batches))
	for s, b := range batches {
		g := &found[s]
		if g.Loss = float64(loss.floats[s]); math.IsNaN(g.Loss) || math.IsInf(g.Loss, 0) {
			return nil, fmt.Errorf("packed prompts: the loss is %v", g.Loss)
		}
		var err error
		if g.Logits, err = p.matrix("logits", logits, s, b.Targets.Rows, b.Targets.Cols); err != nil {
			return nil, err
		}
		if g.Gradient, err = p.matrix("gradient", gradient, s, b.Vectors.Rows, b.Vectors.Cols); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (p *PackedPrompts) checkBatches(batches []Batch) error {
	if len(batches) == 0 {
		return errors.New("packed prompts: there is no batch")
	}
	first := batches[0]
	for _, b := range batches {
		if err := p.check(b.Vectors); err != nil {
			return err
		}
		if b.Features.Rows != b.Targets.Rows || b.Targets.Cols != p.layout.Prompts || b.Features.Rows < 1 || b.Features.Cols != p.model.config.EmbeddingWidth {
			return fmt.Errorf("packed prompts: features [%d, %d] and targets [%d, %d] for %d classes do not fit together",
				b.Features.Rows, b.Features.Cols, b.Targets.Rows, b.Targets.Cols, p.layout.Prompts)
		}
		if b.Sets != nil && len(b.Sets) != b.Targets.Rows {
			return fmt.Errorf("packed prompts: %d rows are said to be candidate sets or not, of %d", len(b.Sets), b.Targets.Rows)
		}
		if b.Vectors.Rows != first.Vectors.Rows || b.Features.Rows != first.Features.Rows {
			return fmt.Errorf("packed prompts: batches of %d and %d pictures, contexts of %d and %d vectors cannot go side by side",
				first.Features.Rows, b.Features.Rows, first.Vectors.Rows, b.Vectors.Rows)
		}
	}
	return nil
}

func (p *PackedPrompts) check(vectors array.Matrix) error {
	if width := p.model.config.TextWidth; vectors.Rows < max(1, p.layout.Vectors) || vectors.Cols != width || len(vectors.Data) != vectors.Rows*vectors.Cols {
		return fmt.Errorf("packed prompts: context vectors are [%d, %d], want %d or more, %d wide",
			vectors.Rows, vectors.Cols, max(1, p.layout.Vectors), width)
	}
	return nil
}

// feeds are a chunk's rows for each of the contexts [S, L, W].
func (p *PackedPrompts) feeds(c prompt.Chunk, vectors tensor) map[string]tensor {
	c = c.ForSeeds(vectors.shape[0], p.layout.Prefix, vectors.shape[1])
	return map[string]tensor{
		"context":   vectors,
		"ids":       {shape: []int{len(c.IDs)}, ints: c.IDs},
		"positions": {shape: []int{len(c.Positions)}, ints: c.Positions},
		"owners":    {shape: []int{c.Blocks, c.BlockRows}, ints: c.Owners},
		"ends":      {shape: []int{len(c.Ends)}, ints: c.Ends},
	}
}

// stacked are matrices of one shape as a tensor of rank 3.
func stacked(batches []Batch, of func(Batch) array.Matrix) tensor {
	first := of(batches[0])
	t := tensor{shape: []int{len(batches), first.Rows, first.Cols}, floats: first.Data}
	for i, b := range batches[1:] {
		if i == 0 {
			t.floats = slices.Clone(t.floats)
		}
		t.floats = append(t.floats, of(b).Data...)
	}
	return t
}

// marked is 1 where a row is a candidate set, [S, N].
func marked(batches []Batch) tensor {
	rows := batches[0].Targets.Rows
	t := tensor{shape: []int{len(batches), rows}, floats: make([]float32, len(batches)*rows)}
	for s, b := range batches {
		for i, set := range b.Sets {
			if set {
				t.floats[s*rows+i] = 1
			}
		}
	}
	return t
}

func (p *PackedPrompts) run(ctx context.Context, feeds map[string]tensor, outputs ...string) ([]tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out, err := p.model.session.run(p.ops, feeds, outputs)
	if err != nil {
		return nil, fmt.Errorf("running the packed prompts of %s: %w", p.model.dir, err)
	}
	return out, nil
}

// matrix is a seed's out of [S, rows, cols].
func (p *PackedPrompts) matrix(name string, t tensor, seed, rows, cols int) (array.Matrix, error) {
	if len(t.shape) == 3 {
		size := t.shape[1] * t.shape[2]
		t = tensor{shape: t.shape[1:], floats: t.floats[seed*size : (seed+1)*size]}
	}
	return p.model.matrix("packed prompts", name, t, rows, cols)
}
