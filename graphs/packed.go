package graphs

import (
	"context"
	"errors"
	"fmt"
	"math"

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

const (
	// packedBytes bounds what a step holds on to between its way forth and back.
	packedBytes = 5 << 28
	// rowFloats is how much of that a row is, in widths of the text tower and
	// layers: 25 measured on RN50's, 397 and 1000 classes.
	rowFloats = 26
)

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
	if limits.ChunkRows == 0 {
		limits.ChunkRows = packedBytes / (4 * rowFloats * m.config.TextWidth * tower.Layers)
	}
	layout, err := prompt.Pack(rows, m.config.TextWidth, limits)
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
	features := array.NewMatrix(p.layout.Prompts, p.model.config.EmbeddingWidth)
	for _, chunk := range p.layout.Chunks {
		out, err := p.run(ctx, p.feeds(chunk, vectors), "class_features")
		if err != nil {
			return array.Matrix{}, err
		}
		part, err := p.matrix("class_features", out[0], chunk.Prompts, features.Cols)
		if err != nil {
			return array.Matrix{}, err
		}
		copy(features.Slice(chunk.First, chunk.First+chunk.Prompts).Data, part.Data)
	}
	return features, nil
}

// Gradient returns loss, gradient and logits; see Model.PromptGradient. Prompts
// of several chunks are computed a chunk at a time, twice: the loss needs the
// features of all classes, and their rows are not kept.
func (p *PackedPrompts) Gradient(ctx context.Context, vectors, features, targets array.Matrix, scale float32) (Gradient, error) {
	if err := p.check(vectors); err != nil {
		return Gradient{}, err
	}
	if features.Rows != targets.Rows || targets.Cols != p.layout.Prompts || features.Rows < 1 || features.Cols != p.model.config.EmbeddingWidth {
		return Gradient{}, fmt.Errorf("packed prompts: features [%d, %d] and targets [%d, %d] for %d classes do not fit together",
			features.Rows, features.Cols, targets.Rows, targets.Cols, p.layout.Prompts)
	}
	batch := map[string]tensor{"features": fed(features), "targets": fed(targets), "scale": {shape: []int{}, floats: []float32{scale}}}
	if len(p.layout.Chunks) > 1 {
		return p.chunkedGradient(ctx, vectors, batch)
	}
	feeds := p.feeds(p.layout.Chunks[0], vectors)
	for name, t := range batch {
		feeds[name] = t
	}
	out, err := p.run(ctx, feeds, "loss", "logits", "gradient")
	if err != nil {
		return Gradient{}, err
	}
	g, err := p.loss(out[0], out[1], targets)
	if err != nil {
		return Gradient{}, err
	}
	g.Gradient, err = p.matrix("gradient", out[2], vectors.Rows, vectors.Cols)
	return g, err
}

func (p *PackedPrompts) chunkedGradient(ctx context.Context, vectors array.Matrix, batch map[string]tensor) (Gradient, error) {
	classes, err := p.Features(ctx, vectors)
	if err != nil {
		return Gradient{}, err
	}
	batch["class_features"] = fed(classes)
	out, err := p.run(ctx, batch, "loss", "logits", "upstream")
	if err != nil {
		return Gradient{}, err
	}
	targets := batch["targets"].shape
	g, err := p.loss(out[0], out[1], array.Matrix{Rows: targets[0], Cols: targets[1]})
	if err != nil {
		return Gradient{}, err
	}
	upstream, err := p.matrix("upstream", out[2], classes.Rows, classes.Cols)
	if err != nil {
		return Gradient{}, err
	}
	g.Gradient = array.NewMatrix(vectors.Rows, vectors.Cols)
	for _, chunk := range p.layout.Chunks {
		feeds := p.feeds(chunk, vectors)
		feeds["upstream"] = fed(upstream.Slice(chunk.First, chunk.First+chunk.Prompts))
		out, err := p.run(ctx, feeds, "gradient")
		if err != nil {
			return Gradient{}, err
		}
		part, err := p.matrix("gradient", out[0], vectors.Rows, vectors.Cols)
		if err != nil {
			return Gradient{}, err
		}
		for i, v := range part.Data {
			g.Gradient.Data[i] += v
		}
	}
	return g, nil
}

// loss checks loss and logits.
func (p *PackedPrompts) loss(loss, logits tensor, targets array.Matrix) (Gradient, error) {
	value := float64(loss.floats[0])
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return Gradient{}, fmt.Errorf("packed prompts: the loss is %v", value)
	}
	matrix, err := p.matrix("logits", logits, targets.Rows, targets.Cols)
	return Gradient{Loss: value, Logits: matrix}, err
}

func (p *PackedPrompts) check(vectors array.Matrix) error {
	if width := p.model.config.TextWidth; vectors.Rows < max(1, p.layout.Vectors) || vectors.Cols != width || len(vectors.Data) != vectors.Rows*vectors.Cols {
		return fmt.Errorf("packed prompts: context vectors are [%d, %d], want %d or more, %d wide",
			vectors.Rows, vectors.Cols, max(1, p.layout.Vectors), width)
	}
	return nil
}

func (p *PackedPrompts) feeds(c prompt.Chunk, vectors array.Matrix) map[string]tensor {
	return map[string]tensor{
		"context":   fed(vectors),
		"ids":       {shape: []int{len(c.IDs)}, ints: c.IDs},
		"positions": {shape: []int{len(c.Positions)}, ints: c.Positions},
		"owners":    {shape: []int{c.Blocks, c.BlockRows}, ints: c.Owners},
		"ends":      {shape: []int{len(c.Ends)}, ints: c.Ends},
	}
}

func fed(m array.Matrix) tensor { return tensor{shape: []int{m.Rows, m.Cols}, floats: m.Data} }

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

func (p *PackedPrompts) matrix(name string, t tensor, rows, cols int) (array.Matrix, error) {
	return p.model.matrix("packed prompts", name, t, rows, cols)
}
