package graphs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"

	"github.com/upl-host/upl-host/graphs/array"
)

// Model is an opened model: its graph in a session on a device. It may be used
// by several goroutines at once.
type Model struct {
	config     Config
	dir        string
	hash       string
	signatures map[string]Signature
	session    session
	precision  Precision
}

// session runs a graph; TensorFlow's is the only one that there is.
type session interface {
	// run feeds a signature's inputs and returns the named outputs.
	run(s Signature, feeds map[string]tensor, outputs []string) ([]tensor, error)
	// packed adds the text tower over packed prompts to the graph, if it is not
	// there yet, and returns its inputs and outputs.
	packed(c Config) (Signature, error)
	device() string
	close() error
}

// tensor is what goes into and comes out of a session: one of floats, ints and bytes is set.
type tensor struct {
	shape  []int
	floats []float32
	ints   []int32
	bytes  [][]byte
}

// Open reads a model's folder, checks its signatures against its upl.json and
// the contract, and loads it onto a device. Errors that callers may tell apart:
// ErrConfig, ErrContract, savedmodel.ErrFormat, *NoDeviceError, *PrecisionError,
// ErrNoTensorFlow.
func Open(dir string, options Options) (*Model, error) {
	dir = filepath.Clean(dir)
	config, err := ReadConfig(dir)
	if err != nil {
		return nil, err
	}
	signatures, err := Signatures(dir)
	if err != nil {
		return nil, err
	}
	if err := CheckContract(config, signatures); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	type hashed struct {
		sum string
		err error
	}
	sum := make(chan hashed, 1)
	go func() { // while the weights load
		s, err := options.Hash, error(nil)
		if s == "" {
			s, err = Hash(dir)
		}
		sum <- hashed{s, err}
	}()
	session, err := openSession(dir, options)
	hash := <-sum
	if err != nil {
		return nil, fmt.Errorf("opening the model %s: %w", dir, err)
	}
	if hash.err != nil {
		return nil, errors.Join(hash.err, session.close())
	}
	return &Model{config: config, dir: dir, hash: hash.sum, signatures: signatures, session: session, precision: cmp.Or(options.Precision, Float32)}, nil
}

// Config returns the model's upl.json.
func (m *Model) Config() Config { return m.config }

// Dir returns the model's folder.
func (m *Model) Dir() string { return m.dir }

// Hash returns the SHA-256 of the model's folder as it was when it was opened, or
// as Options.Hash has it; see the function Hash.
func (m *Model) Hash() string { return m.hash }

// Device returns the device that the model runs on: CPU, or GPU:0 and so on.
func (m *Model) Device() string { return m.session.device() }

// Precision returns the precision that the model computes in.
func (m *Model) Precision() Precision { return m.precision }

// Has reports whether the model has a signature.
func (m *Model) Has(signature string) bool {
	_, ok := m.signatures[signature]
	return ok
}

// Signatures returns the model's signatures; the map is not to be changed.
func (m *Model) Signatures() map[string]Signature { return m.signatures }

// Close frees the model's memory. No method may be called afterwards.
func (m *Model) Close() error {
	if err := m.session.close(); err != nil {
		return fmt.Errorf("closing the model %s: %w", m.dir, err)
	}
	return nil
}

// EncodeImage encodes n pictures: pixels is n x H x W x 3, normalised, H = W =
// Config().ImageSize. It returns [n, D] features of length 1.
func (m *Model) EncodeImage(ctx context.Context, pixels []float32, n int) (array.Matrix, error) {
	size := m.config.ImageSize
	if want := n * size * size * 3; n < 1 || len(pixels) != want {
		return array.Matrix{}, fmt.Errorf("encoding pictures: %d values for %d pictures of %d x %d x 3, want %d", len(pixels), n, size, size, want)
	}
	return m.features(ctx, SignatureEncodeImage, n, m.config.EmbeddingWidth, map[string]tensor{
		"pixels": {shape: []int{n, size, size, 3}, floats: pixels},
	})
}

// EncodeImageBytes encodes picture files as they are, where the model has
// encode_image_bytes. It returns [len(files), D] features of length 1.
func (m *Model) EncodeImageBytes(ctx context.Context, files [][]byte) (array.Matrix, error) {
	return m.features(ctx, SignatureEncodeImageBytes, len(files), m.config.EmbeddingWidth, map[string]tensor{
		"bytes": {shape: []int{len(files)}, bytes: files},
	})
}

// EncodeText encodes texts to [tokens.Rows, D] features of length 1; with
// `similarity` they may be of another width than pictures'.
func (m *Model) EncodeText(ctx context.Context, tokens Tokens) (array.Matrix, error) {
	ids, err := m.ids(SignatureEncodeText, tokens, 0)
	if err != nil {
		return array.Matrix{}, err
	}
	return m.features(ctx, SignatureEncodeText, tokens.Rows, m.textWidth(), map[string]tensor{"tokens": ids})
}

// EncodePrompt encodes prompts: a token of -k stands for row k-1 of vectors
// [L, W]. Contexts of C classes are stacked to [C*L, W], class c's tokens being
// -(c*L+k). It returns [tokens.Rows, D] features of length 1.
func (m *Model) EncodePrompt(ctx context.Context, vectors array.Matrix, tokens Tokens) (array.Matrix, error) {
	feeds, err := m.prompt(SignatureEncodePrompt, vectors, tokens)
	if err != nil {
		return array.Matrix{}, err
	}
	return m.features(ctx, SignatureEncodePrompt, tokens.Rows, m.textWidth(), feeds)
}

// PromptGradient returns the loss of eq. 4, mean_b -sum_c targets log
// softmax(scale <features, g(tokens)>), its gradient with respect to vectors
// [L, W], and the logits [B, C]. features are [B, D], targets [B, C]: soft or
// one-hot, rows times their weights. A model without prompt_gradient: ErrNoGradient.
func (m *Model) PromptGradient(ctx context.Context, vectors array.Matrix, tokens Tokens, features, targets array.Matrix, scale float32) (Gradient, error) {
	if !m.Has(SignaturePromptGradient) {
		return Gradient{}, fmt.Errorf("%s: %w", m.dir, ErrNoGradient)
	}
	if features.Rows != targets.Rows || targets.Cols != tokens.Rows || features.Rows < 1 {
		return Gradient{}, fmt.Errorf("prompt_gradient: features [%d, %d] and targets [%d, %d] for %d classes do not fit together",
			features.Rows, features.Cols, targets.Rows, targets.Cols, tokens.Rows)
	}
	feeds, err := m.prompt(SignaturePromptGradient, vectors, tokens)
	if err != nil {
		return Gradient{}, err
	}
	feeds["features"] = tensor{shape: []int{features.Rows, features.Cols}, floats: features.Data}
	feeds["targets"] = tensor{shape: []int{targets.Rows, targets.Cols}, floats: targets.Data}
	feeds["scale"] = tensor{shape: []int{}, floats: []float32{scale}}
	out, err := m.run(ctx, SignaturePromptGradient, feeds, "loss", "gradient", "logits")
	if err != nil {
		return Gradient{}, err
	}
	if len(out[0].floats) != 1 {
		return Gradient{}, fmt.Errorf("prompt_gradient: %w: loss has shape %v, want a scalar", ErrContract, out[0].shape)
	}
	gradient := Gradient{Loss: float64(out[0].floats[0])}
	if gradient.Logits, err = m.matrix(SignaturePromptGradient, "logits", out[2], targets.Rows, targets.Cols); err != nil {
		return Gradient{}, err
	}
	if gradient.Gradient, err = m.matrix(SignaturePromptGradient, "gradient", out[1], vectors.Rows, vectors.Cols); err != nil {
		return Gradient{}, err
	}
	if math.IsNaN(gradient.Loss) || math.IsInf(gradient.Loss, 0) {
		return Gradient{}, fmt.Errorf("prompt_gradient: the loss is %v", gradient.Loss)
	}
	return gradient, nil
}

// Similarity returns the logits [B, C], scale included, of features [B, ·] and
// class features [C, ·], where the model has that signature.
func (m *Model) Similarity(ctx context.Context, features, classes array.Matrix) (array.Matrix, error) {
	out, err := m.run(ctx, SignatureSimilarity, map[string]tensor{
		"features":       {shape: []int{features.Rows, features.Cols}, floats: features.Data},
		"class_features": {shape: []int{classes.Rows, classes.Cols}, floats: classes.Data},
	}, "logits")
	if err != nil {
		return array.Matrix{}, err
	}
	return m.matrix(SignatureSimilarity, "logits", out[0], features.Rows, classes.Rows)
}

// prompt checks and packs what encode_prompt and prompt_gradient share.
func (m *Model) prompt(signature string, vectors array.Matrix, tokens Tokens) (map[string]tensor, error) {
	if vectors.Rows < 1 || vectors.Cols != m.config.TextWidth || len(vectors.Data) != vectors.Rows*vectors.Cols {
		return nil, fmt.Errorf("%s: context vectors are [%d, %d], the model's are %d wide", signature, vectors.Rows, vectors.Cols, m.config.TextWidth)
	}
	ids, err := m.ids(signature, tokens, vectors.Rows)
	if err != nil {
		return nil, err
	}
	return map[string]tensor{
		"context": {shape: []int{vectors.Rows, vectors.Cols}, floats: vectors.Data},
		"tokens":  ids,
	}, nil
}

// ids checks tokens and pads them where the signature fixes their length.
func (m *Model) ids(signature string, tokens Tokens, vectors int) (tensor, error) {
	if tokens.Rows < 1 || tokens.Length < 1 || len(tokens.IDs) != tokens.Rows*tokens.Length {
		return tensor{}, fmt.Errorf("%s: %d token ids for %d texts of %d tokens", signature, len(tokens.IDs), tokens.Rows, tokens.Length)
	}
	if tokens.Length > m.config.ContextLength {
		return tensor{}, fmt.Errorf("%s: texts of %d tokens, the model takes %d", signature, tokens.Length, m.config.ContextLength)
	}
	vocabulary := math.MaxInt32
	if m.config.TextTower != nil {
		vocabulary = m.config.TextTower.Vocabulary
	}
	for i, id := range tokens.IDs {
		if int(id) >= vocabulary || int(id) < -vectors {
			return tensor{}, fmt.Errorf("%s: text %d has token id %d; the model has %d tokens and there are %d context vectors",
				signature, i/tokens.Length, id, vocabulary, vectors)
		}
	}
	if fixed := m.signatures[signature].Inputs["tokens"].Shape; len(fixed) == 2 && fixed[1] != free && fixed[1] != tokens.Length {
		if tokens.Length > fixed[1] {
			return tensor{}, fmt.Errorf("%s: texts of %d tokens, the signature takes %d", signature, tokens.Length, fixed[1])
		}
		tokens = tokens.pad(fixed[1])
	}
	return tensor{shape: []int{tokens.Rows, tokens.Length}, ints: tokens.IDs}, nil
}

func (t Tokens) pad(length int) Tokens {
	padded := Tokens{Rows: t.Rows, Length: length, IDs: make([]int32, t.Rows*length)}
	for i := range t.Rows {
		copy(padded.Row(i), t.Row(i))
	}
	return padded
}

// textWidth is that of a text's features: free where the model compares them by
// `similarity`.
func (m *Model) textWidth() int {
	if m.Has(SignatureSimilarity) {
		return free
	}
	return m.config.EmbeddingWidth
}

// features runs a signature whose only output is one row of features per input row.
func (m *Model) features(ctx context.Context, signature string, rows, width int, feeds map[string]tensor) (array.Matrix, error) {
	out, err := m.run(ctx, signature, feeds, "features")
	if err != nil {
		return array.Matrix{}, err
	}
	return m.matrix(signature, "features", out[0], rows, width)
}

func (m *Model) run(ctx context.Context, signature string, feeds map[string]tensor, outputs ...string) ([]tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, ok := m.signatures[signature]
	if !ok {
		return nil, fmt.Errorf("%s: %w: there is no signature %s", m.dir, ErrContract, signature)
	}
	out, err := m.session.run(s, feeds, outputs)
	if err != nil {
		return nil, fmt.Errorf("running %s of %s: %w", signature, m.dir, err)
	}
	return out, nil
}

// matrix checks that an output has the promised shape and only finite numbers.
func (m *Model) matrix(signature, name string, t tensor, rows, cols int) (array.Matrix, error) {
	if !compatible(t.shape, []int{rows, cols}) {
		return array.Matrix{}, fmt.Errorf("%s of %s: %w: output %s has shape %v, want %s",
			signature, m.dir, ErrContract, name, t.shape, shapeText([]int{rows, cols}))
	}
	out := array.Matrix{Rows: t.shape[0], Cols: t.shape[1], Data: t.floats}
	if err := out.CheckFinite(); err != nil {
		return array.Matrix{}, fmt.Errorf("%s of %s: output %s: %w", signature, m.dir, name, err)
	}
	return out, nil
}
