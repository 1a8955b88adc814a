package export

import (
	"errors"
	"fmt"
	"math"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/clip"
)

// Source is a CLIP that becomes a model's folder.
type Source struct {
	Name         string // of the model, in upl.json
	Architecture clip.Architecture
	Weights      clip.Weights
	// LogitScale is the checkpoint's: the logarithm of 1/tau.
	LogitScale    float32
	ResizeMode    string     // clip or squash; empty: clip
	Interpolation string     // empty: bicubic
	Mean, Std     [3]float32 // all zero: OpenAI's
	// Vocabulary and Merges are files of CLIP's tokenizer; empty: the built-in
	// one, which has CLIP's whole vocabulary.
	Vocabulary, Merges string
}

// clipVocabulary is the number of tokens of CLIP's own vocabulary.
const clipVocabulary = 49408

// ErrNoTokenizer marks a checkpoint with a vocabulary of its own and no tokenizer files.
var ErrNoTokenizer = errors.New("no tokenizer files")

// OpenAI's mean and deviation of pixels, and the names of its tokenizer's files.
func openAIMean() [3]float32 { return [3]float32{0.48145466, 0.4578275, 0.40821073} }
func openAIStd() [3]float32  { return [3]float32{0.26862954, 0.26130258, 0.27577711} }

const (
	vocabularyFile = "vocab.json"
	mergesFile     = "merges.txt"
)

// config is the upl.json of the source.
func (s Source) config() (graphs.Config, error) {
	a := s.Architecture
	if err := a.Validate(); err != nil {
		return graphs.Config{}, err
	}
	if (s.Vocabulary == "") != (s.Merges == "") {
		return graphs.Config{}, fmt.Errorf("%w: vocab.json and merges.txt belong together, one is missing", ErrNoTokenizer)
	}
	if s.Vocabulary == "" && a.Text.Vocabulary != clipVocabulary {
		return graphs.Config{}, fmt.Errorf("%w: the text tower has %d tokens, CLIP's own vocabulary %d: put the model's vocab.json and merges.txt beside the checkpoint",
			ErrNoTokenizer, a.Text.Vocabulary, clipVocabulary)
	}
	c := graphs.Config{
		Name: s.Name, ImageSize: a.ImageSize, ResizeMode: s.ResizeMode, Interpolation: s.Interpolation, Mean: s.Mean, Std: s.Std,
		Tokenizer: graphs.Tokenizer{Kind: graphs.TokenizerCLIP}, ContextLength: a.Text.ContextLength,
		LogitScale:     float32(math.Exp(float64(s.LogitScale))),
		EmbeddingWidth: a.EmbeddingWidth, TextWidth: a.Text.Width, Causal: true,
		TextTower: textTower(a),
	}
	if s.Vocabulary != "" {
		c.Tokenizer.Vocabulary, c.Tokenizer.Merges = vocabularyFile, mergesFile
	}
	if c.ResizeMode == "" {
		c.ResizeMode = graphs.ResizeCLIP
	}
	if c.Interpolation == "" {
		c.Interpolation = "bicubic"
	}
	if c.Mean == ([3]float32{}) && c.Std == ([3]float32{}) {
		c.Mean, c.Std = openAIMean(), openAIStd()
	}
	return c, c.Validate()
}

func textTower(a clip.Architecture) *graphs.TextTower {
	t := &graphs.TextTower{
		Layers: a.Text.Layers, Heads: a.Text.Heads, MLPWidth: a.Text.MLPWidth, Vocabulary: a.Text.Vocabulary,
		QuickGELU: a.QuickGELU, LayerNormEpsilon: a.LayerNormEpsilon, Variables: make(map[string]string),
	}
	for _, tensor := range a.TextTensors() {
		t.Variables[tensor.Name] = tensor.Name
	}
	return t
}
