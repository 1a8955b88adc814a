package check

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/prompt"
)

// Tolerances of what any model must keep, in float32.
const (
	normTolerance = 1e-4
	// The same picture or text alone and among others: rounding of other blockings.
	rowTolerance = 1e-4
	// Of a directional derivative, relative to the gradient's length: what
	// central differences of a float32 loss resolve.
	gradientTolerance = 0.02
	lossTolerance     = 1e-4
	linearTolerance   = 1e-3
)

// examination is a model under examination and the inputs made for it.
type examination struct {
	model   *graphs.Model
	report  *Report
	options Options
	texts   graphs.Tokens // some texts
	prompts graphs.Tokens // some prompts over `vectors` context vectors
	vectors int
	random  *rand.Rand
}

const (
	pictures    = 3 // made up for the check
	contextRows = 4 // vectors of the made-up prompts, if the model's tokens do not fix them
)

// newExamination makes up inputs: for CLIP's tokenizer from the vocabulary's
// end (start and end token), for a model with a token file from that.
func newExamination(model *graphs.Model, r *Report, options Options) (*examination, error) {
	e := &examination{model: model, report: r, options: options, vectors: contextRows, random: rand.New(rand.NewPCG(1, 2))}
	c := model.Config()
	if c.Tokenizer.Kind == graphs.TokenizerTokens {
		return e, e.fromFile(graphs.AssetPath(model.Dir(), c.Tokenizer.Tokens))
	}
	end := int32(49407)
	if c.TextTower != nil {
		end = int32(c.TextTower.Vocabulary) - 1
	}
	start, vocabulary := end-1, max(end-1, 1)
	var texts, prompts [][]int32
	for i := range 4 {
		text, prompt := []int32{start}, []int32{start}
		for k := range e.vectors {
			prompt = append(prompt, int32(-1-k))
		}
		for range i + 1 {
			id := e.random.Int32N(vocabulary)
			text, prompt = append(text, id), append(prompt, id)
		}
		texts, prompts = append(texts, append(text, end)), append(prompts, append(prompt, end))
	}
	e.texts, e.prompts = graphs.PadTokens(texts), graphs.PadTokens(prompts)
	return e, nil
}

// fromFile takes the first texts and prompts of a tokens.jsonl.
func (e *examination) fromFile(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading the model's tokens: %w", err)
	}
	defer file.Close()
	const enough = 8
	var texts, prompts [][]int32
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan() && (len(texts) < enough || len(prompts) < enough); n++ {
		var line struct {
			IDs []int32 `json:"ids"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return fmt.Errorf("%s, line %d: %w", path, n, err)
		}
		lowest := int32(0)
		for _, id := range line.IDs {
			lowest = min(lowest, id)
		}
		if lowest < 0 && len(prompts) < enough {
			prompts, e.vectors = append(prompts, line.IDs), max(e.vectors, int(-lowest))
		} else if lowest == 0 && len(texts) < enough {
			texts = append(texts, line.IDs)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	if len(texts) == 0 {
		return fmt.Errorf("%s has no text", path)
	}
	e.texts, e.prompts = graphs.PadTokens(texts), graphs.PadTokens(prompts)
	return nil
}

func (e *examination) normal(n int, deviation float64) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(e.random.NormFloat64() * deviation)
	}
	return values
}

// checkImages: shape, length, and that a picture's features do not depend on its neighbours.
func checkImages(ctx context.Context, e *examination) error {
	size := e.model.Config().ImageSize * e.model.Config().ImageSize * 3
	pixels := e.normal(pictures*size, 1)
	features, err := e.model.EncodeImage(ctx, pixels, pictures)
	if err != nil {
		return err
	}
	e.report.measure("encode_image", "length of features, off 1", worstNorm(features), normTolerance)
	alone, err := e.model.EncodeImage(ctx, pixels[(pictures-1)*size:], 1)
	if err != nil {
		return err
	}
	e.report.measure("encode_image", "a picture alone and in a batch, largest difference",
		largestDifference(alone.Data, features.Row(pictures-1)), rowTolerance)
	return nil
}

// checkTexts: shape, length, and that padding changes nothing.
func checkTexts(ctx context.Context, e *examination) error {
	features, err := e.model.EncodeText(ctx, e.texts)
	if err != nil {
		return err
	}
	e.report.measure("encode_text", "length of features, off 1", worstNorm(features), normTolerance)
	padded, err := e.model.EncodeText(ctx, lengthen(e.texts, e.model.Config().ContextLength))
	if err != nil {
		return err
	}
	e.report.measure("encode_text", "padded to the context length, largest difference",
		largestDifference(features.Data, padded.Data), rowTolerance)
	return nil
}

func lengthen(t graphs.Tokens, length int) graphs.Tokens {
	longer := graphs.Tokens{Rows: t.Rows, Length: length, IDs: make([]int32, t.Rows*length)}
	for i := range t.Rows {
		copy(longer.Row(i), t.Row(i))
	}
	return longer
}

func checkPrompts(ctx context.Context, e *examination) error {
	if !e.model.Has(graphs.SignatureEncodePrompt) || e.prompts.Rows == 0 {
		e.report.skip("encode_prompt", "the model has no such signature, or no prompts in its tokens")
		return nil
	}
	features, err := e.model.EncodePrompt(ctx, e.newContext(), e.prompts)
	if err != nil {
		return err
	}
	e.report.measure("encode_prompt", "length of features, off 1", worstNorm(features), normTolerance)
	return nil
}

// newContext draws V as METHOD's section 3 has it, N(0, 0.02²).
func (e *examination) newContext() array.Matrix {
	width := e.model.Config().TextWidth
	return array.Matrix{Rows: e.vectors, Cols: width, Data: e.normal(e.vectors*width, 0.02)}
}

// batch makes up features and one-hot targets for the prompts.
func (e *examination) batch(ctx context.Context) (features, targets array.Matrix, err error) {
	const rows = 6
	targets = array.NewMatrix(rows, e.prompts.Rows)
	for i := range rows {
		targets.Row(i)[i%targets.Cols] = 1
	}
	c := e.model.Config()
	if e.model.Has(graphs.SignatureSimilarity) { // of a kind of its own: only the model can make them
		features, err = e.model.EncodeImage(ctx, e.normal(rows*c.ImageSize*c.ImageSize*3, 1), rows)
		return features, targets, err
	}
	features = array.Matrix{Rows: rows, Cols: c.EmbeddingWidth, Data: e.normal(rows*c.EmbeddingWidth, 1)}
	for i := range rows {
		length := norm(features.Row(i))
		for j, v := range features.Row(i) {
			features.Row(i)[j] = float32(float64(v) / length)
		}
	}
	return features, targets, nil
}

// checkGradient compares prompt_gradient with encode_prompt, with finite
// differences, and with itself under weights.
func checkGradient(ctx context.Context, e *examination) error {
	if !e.model.Has(graphs.SignaturePromptGradient) || e.prompts.Rows == 0 {
		e.report.skip("prompt_gradient", "the model has no such signature, or no prompts in its tokens: prompts cannot be learnt with it")
		return nil
	}
	vectors, scale := e.newContext(), e.model.Config().LogitScale
	features, targets, err := e.batch(ctx)
	if err != nil {
		return err
	}
	loss := func(v array.Matrix, t array.Matrix) (graphs.Gradient, error) {
		return e.model.PromptGradient(ctx, v, e.prompts, features, t, scale)
	}
	g, err := loss(vectors, targets)
	if err != nil {
		return err
	}
	e.report.measure("prompt_gradient", "loss and that of its logits, relative difference",
		math.Abs(g.Loss-crossEntropy(g.Logits, targets))/math.Max(1, math.Abs(g.Loss)), lossTolerance)
	if err := e.checkLogits(ctx, vectors, features, g.Logits, scale); err != nil {
		return err
	}
	if err := e.checkPacked(ctx, vectors, features, targets, g.Gradient); err != nil {
		return err
	}
	if err := e.checkDirections(vectors, targets, g, loss); err != nil {
		return err
	}
	half := targets.Clone()
	for i := range half.Data {
		half.Data[i] /= 2
	}
	weighted, err := loss(vectors, half)
	if err != nil {
		return err
	}
	for i := range weighted.Gradient.Data {
		weighted.Gradient.Data[i] *= 2
	}
	e.report.measure("prompt_gradient", "targets of weight 1/2 give half the gradient, relative L2",
		relativeL2(weighted.Gradient.Data, g.Gradient.Data), linearTolerance)
	return nil
}

func (e *examination) checkLogits(ctx context.Context, vectors, features, logits array.Matrix, scale float32) error {
	if !e.model.Has(graphs.SignatureEncodePrompt) {
		return nil
	}
	classes, err := e.model.EncodePrompt(ctx, vectors, e.prompts)
	if err != nil {
		return err
	}
	var own array.Matrix
	if e.model.Has(graphs.SignatureSimilarity) {
		if own, err = e.model.Similarity(ctx, features, classes); err != nil {
			return err
		}
	} else {
		own = array.NewMatrix(logits.Rows, logits.Cols)
		for i := range own.Rows {
			for c := range own.Cols {
				own.Row(i)[c] = float32(float64(scale) * dot(features.Row(i), classes.Row(c)))
			}
		}
	}
	e.report.measure("prompt_gradient", "logits and those from encode_prompt, relative L2", relativeL2(logits.Data, own.Data), linearTolerance)
	return nil
}

// checkPacked compares the gradient with that of the packed graph over the weights
// that upl.json names, where it names them.
func (e *examination) checkPacked(ctx context.Context, vectors, features, targets, gradient array.Matrix) error {
	packed, err := e.model.PackPrompts(e.prompts, prompt.Limits{})
	if errors.Is(err, graphs.ErrNotPackable) {
		return nil
	}
	if err != nil {
		return err
	}
	g, err := packed.Gradient(ctx, vectors, features, targets, e.model.Config().LogitScale)
	if err != nil {
		return err
	}
	e.report.measure("prompt_gradient", "gradient and that of the packed graph over text_tower's weights, relative L2",
		relativeL2(g.Gradient.Data, gradient.Data), promptTolerance)
	return nil
}

// checkDirections compares the gradient with central differences along itself
// and along a direction at random. The steps are tried from coarse to fine: too
// coarse a one bends, too fine a one drowns in rounding.
func (e *examination) checkDirections(vectors, targets array.Matrix, g graphs.Gradient, loss func(v, t array.Matrix) (graphs.Gradient, error)) error {
	length := norm(g.Gradient.Data)
	for _, direction := range []struct {
		name   string
		values []float32
	}{
		{"its own direction", g.Gradient.Data},
		{"a direction at random", e.normal(len(g.Gradient.Data), 1)},
	} {
		best := math.Inf(1)
		unit := 1 / norm(direction.values)
		for _, fraction := range []float64{3e-2, 1e-2, 3e-3, 1e-3} {
			step := fraction * norm(vectors.Data)
			ahead, behind := vectors.Clone(), vectors.Clone()
			for i, d := range direction.values {
				ahead.Data[i] += float32(step * unit * float64(d))
				behind.Data[i] -= float32(step * unit * float64(d))
			}
			up, err := loss(ahead, targets)
			if err != nil {
				return err
			}
			down, err := loss(behind, targets)
			if err != nil {
				return err
			}
			slope := (up.Loss - down.Loss) / (2 * step)
			best = min(best, math.Abs(slope-unit*dot(g.Gradient.Data, direction.values))/length)
		}
		e.report.measure("prompt_gradient", "finite differences along "+direction.name+", relative to the gradient's length", best, gradientTolerance)
	}
	return nil
}

// crossEntropy is mean_b -sum_c targets log softmax(logits), in float64.
func crossEntropy(logits, targets array.Matrix) float64 {
	total := 0.0
	for b := range logits.Rows {
		row := logits.Row(b)
		top := math.Inf(-1)
		for _, v := range row {
			top = max(top, float64(v))
		}
		sum := 0.0
		for _, v := range row {
			sum += math.Exp(float64(v) - top)
		}
		for c, v := range row {
			total -= float64(targets.Row(b)[c]) * (float64(v) - top - math.Log(sum))
		}
	}
	return total / float64(logits.Rows)
}
