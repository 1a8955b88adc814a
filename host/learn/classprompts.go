package learn

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/prompt"
	"github.com/upl-host/upl-host/graphs/tokenizer"
)

// TextTower is what learning needs of a model; *graphs.Model is one.
type TextTower interface {
	Config() graphs.Config
	Hash() string
	// EncodePrompt returns g(V_c) of each row of tokens, L2-normalised: [C, D].
	EncodePrompt(ctx context.Context, vectors array.Matrix, tokens graphs.Tokens) (array.Matrix, error)
	PromptGradient(ctx context.Context, vectors array.Matrix, tokens graphs.Tokens, features, targets array.Matrix, scale float32) (graphs.Gradient, error)
	// TokenEmbedding returns the embeddings of token ids: [len(ids), W].
	TokenEmbedding(ctx context.Context, ids []int32) (array.Matrix, error)
}

var _ TextTower = (*graphs.Model)(nil)

// Shape says what contexts are to be learned.
type Shape struct {
	// Length is L, the vectors of a context; 0: 16, or as many as InitialWords have tokens.
	Length        int
	Position      tokenizer.Position // of the class name; empty: end
	ClassSpecific bool
	// InitialWords, for example "a photo of a", are what every context begins as
	// (CoOp's ctx_init); empty: random vectors.
	InitialWords string
	// Memory bounds what a step holds on to, in bytes; 0: prompt.DefaultMemory. It
	// decides how many classes are computed at once, and so the last bits.
	Memory int64
}

// DefaultLength is L in the paper.
const DefaultLength = 16

// ErrOtherModel says that a context was learned with another model than it is
// to be used with.
var ErrOtherModel = errors.New("the context was learned with another model")

// packer is a TextTower that can compute prompts packed behind what they share,
// equal to float32 rounding. Where it cannot pack these: graphs.ErrNotPackable.
type packer interface {
	PackPrompts(tokens graphs.Tokens, limits prompt.Limits) (*graphs.PackedPrompts, error)
}

var _ packer = (*graphs.Model)(nil)

// classEncoder computes class features and their gradient; *graphs.PackedPrompts
// and ownSignatures are such.
type classEncoder interface {
	Features(ctx context.Context, vectors array.Matrix) (array.Matrix, error)
	Gradients(ctx context.Context, batches []graphs.Batch, scale float32) ([]graphs.Gradient, error)
}

// ClassPrompts are the class names of a Prompt as token ids around its context,
// with the text tower that they go through. It may be used from several goroutines.
type ClassPrompts struct {
	Prompt  Prompt
	encoder classEncoder
	initial *array.Matrix
}

// NewClassPrompts tokenises class names for contexts that are to be learned.
// Errors: *tokenizer.LengthError where a class name with its context is longer
// than the model takes, tokenizer.ErrUnknownText, tokenizer.ErrNoWords,
// graphs.ErrNoEmbedding.
func NewClassPrompts(ctx context.Context, tower TextTower, tokens tokenizer.Tokenizer, classNames []string, shape Shape) (*ClassPrompts, error) {
	if shape.Position == "" {
		shape.Position = tokenizer.End
	}
	words, err := wordIDs(tokens, &shape)
	if err != nil {
		return nil, err
	}
	config := tower.Config()
	c, err := bind(tower, tokens, shape.Memory, Prompt{
		Model: config.Name, ModelHash: tower.Hash(), LogitScale: config.LogitScale,
		ClassNames: classNames, Length: shape.Length, Width: config.TextWidth,
		Position: shape.Position, ClassSpecific: shape.ClassSpecific, InitialWords: shape.InitialWords,
	})
	if err != nil || words == nil {
		return c, err
	}
	embedding, err := tower.TokenEmbedding(ctx, words)
	if err != nil {
		return nil, fmt.Errorf("initial words %q: %w", shape.InitialWords, err)
	}
	initial := array.NewMatrix(c.Prompt.Rows(), c.Prompt.Width)
	for i := range initial.Rows {
		copy(initial.Row(i), embedding.Row(i%embedding.Rows))
	}
	c.initial = &initial
	return c, nil
}

// Bind makes a context that was read from its file ready for use. A tower other
// than that it was learned with is ErrOtherModel.
func Bind(tower TextTower, tokens tokenizer.Tokenizer, p Prompt) (*ClassPrompts, error) {
	if hash := tower.Hash(); p.ModelHash != hash {
		return nil, fmt.Errorf("%w: %s (%.12s), not %s (%.12s)", ErrOtherModel, p.Model, p.ModelHash, tower.Config().Name, hash)
	}
	return bind(tower, tokens, 0, p)
}

// wordIDs returns the ids of the initial words, nil without such, and fills in
// the context's length.
func wordIDs(tokens tokenizer.Tokenizer, shape *Shape) ([]int32, error) {
	if shape.InitialWords == "" {
		if shape.Length == 0 {
			shape.Length = DefaultLength
		}
		return nil, nil
	}
	ids, err := tokens.Words(shape.InitialWords)
	if err != nil {
		return nil, fmt.Errorf("initial words %q: %w", shape.InitialWords, err)
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("initial words %q: there is no token in them", shape.InitialWords)
	}
	if shape.Length == 0 {
		shape.Length = len(ids)
	}
	if shape.Length != len(ids) {
		return nil, fmt.Errorf("initial words %q are %d tokens, where learn.context_length is %d: set it to %d, or to 0, which takes the words' number",
			shape.InitialWords, len(ids), shape.Length, len(ids))
	}
	return ids, nil
}

func bind(tower TextTower, tokens tokenizer.Tokenizer, memory int64, p Prompt) (*ClassPrompts, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	rows := make([][]int32, len(p.ClassNames))
	for class, name := range p.ClassNames {
		ids, err := tokens.Prompt(name, p.Length, p.Position)
		if err != nil {
			return nil, fmt.Errorf("class %q: %w", name, err)
		}
		if p.ClassSpecific {
			ids = tokenizer.ForClass(ids, class, p.Length)
		}
		rows[class] = ids
	}
	// What follows the end token changes nothing: the longest prompt is the length of all.
	encoder, err := newClassEncoder(tower, graphs.PadTokens(rows), memory)
	if err != nil {
		return nil, err
	}
	return &ClassPrompts{Prompt: p, encoder: encoder}, nil
}

// newClassEncoder packs the prompts, or leaves them to the model's own signatures.
func newClassEncoder(tower TextTower, tokens graphs.Tokens, memory int64) (classEncoder, error) {
	if p, ok := tower.(packer); ok {
		packed, err := p.PackPrompts(tokens, prompt.Limits{Memory: memory})
		if err == nil {
			return packed, nil
		}
		if !errors.Is(err, graphs.ErrNotPackable) {
			return nil, err
		}
	}
	return ownSignatures{tower, tokens}, nil
}

// Initial is the context that training begins with; nil: a random one.
func (c *ClassPrompts) Initial() *array.Matrix { return c.initial }

// Gradients implements Gradienter.
func (c *ClassPrompts) Gradients(ctx context.Context, batches []graphs.Batch) ([]graphs.Gradient, error) {
	return c.encoder.Gradients(ctx, batches, c.Prompt.LogitScale)
}

// Together is how many of n seeds to train side by side, Settings.Together: more
// than one where the prompts are packed and few.
func (c *ClassPrompts) Together(n int) int {
	if packed, ok := c.encoder.(*graphs.PackedPrompts); ok {
		return packed.Layout().Together(n)
	}
	return 1
}

// Packing says how the prompts are packed, as names and values for a log; nothing
// where the model's own signatures compute them.
func (c *ClassPrompts) Packing() []any {
	packed, ok := c.encoder.(*graphs.PackedPrompts)
	if !ok {
		return nil
	}
	l := packed.Layout()
	return []any{"prefix_rows", l.Prefix, "block_rows", l.Chunks[0].BlockRows, "chunks", len(l.Chunks)}
}

// Features returns the class features g(V_c) of a context, L2-normalised: [C, D].
func (c *ClassPrompts) Features(ctx context.Context, vectors array.Matrix) (array.Matrix, error) {
	return c.encoder.Features(ctx, vectors)
}

// ownSignatures are the model's encode_prompt and prompt_gradient.
type ownSignatures struct {
	tower  TextTower
	tokens graphs.Tokens
}

func (c ownSignatures) Gradients(ctx context.Context, batches []graphs.Batch, scale float32) ([]graphs.Gradient, error) {
	gradients := make([]graphs.Gradient, len(batches))
	for i, b := range batches {
		evaluate := func(targets array.Matrix) (graphs.Gradient, error) {
			return c.tower.PromptGradient(ctx, b.Vectors, c.tokens, b.Features, targets, scale)
		}
		var err error
		if slices.Contains(b.Sets, true) {
			gradients[i], err = sharedGradient(b, evaluate)
		} else {
			gradients[i], err = evaluate(b.Targets)
		}
		if err != nil {
			return nil, err
		}
	}
	return gradients, nil
}

// classesAtOnce bounds the memory that Features takes.
const classesAtOnce = 512

func (c ownSignatures) Features(ctx context.Context, vectors array.Matrix) (array.Matrix, error) {
	var features array.Matrix
	for from := 0; from < c.tokens.Rows; from += classesAtOnce {
		rows := min(classesAtOnce, c.tokens.Rows-from)
		length := c.tokens.Length
		part, err := c.tower.EncodePrompt(ctx, vectors, graphs.Tokens{Rows: rows, Length: length, IDs: c.tokens.IDs[from*length : (from+rows)*length]})
		if err != nil {
			return array.Matrix{}, fmt.Errorf("encoding the prompts of classes %d to %d: %w", from+1, from+rows, err)
		}
		features.Rows += part.Rows
		features.Cols = part.Cols
		features.Data = append(features.Data, part.Data...)
	}
	return features, nil
}
