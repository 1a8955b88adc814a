// Package backbone is an opened model with what stands around it: its tokenizer
// and its preprocessing. It knows class names and templates where package
// graphs knows tokens and pixels.
package backbone

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/graphs/tokenizer"
	"github.com/upl-host/upl-host/host/config"
)

// Description is all of a model that can be known without TensorFlow.
type Description struct {
	Name      string
	Dir       string
	Config    graphs.Config
	Hash      string
	Tokenizer tokenizer.Tokenizer
	Transform *preprocess.Transform
	// Learnable says that the model has prompt_gradient.
	Learnable bool
	// HasSimilarity says that the model compares pictures and texts itself: class features
	// are then those of single texts, of a width of their own, and no inner products.
	HasSimilarity bool
}

// Describe reads a model's folder; an empty name means the folder's.
func Describe(dir, name string) (*Description, error) {
	c, err := graphs.ReadConfig(dir)
	if err != nil {
		return nil, err
	}
	signatures, err := graphs.Signatures(dir)
	if err != nil {
		return nil, err
	}
	if err := graphs.CheckContract(c, signatures); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	hash, err := graphs.Hash(dir)
	if err != nil {
		return nil, err
	}
	words, err := tokenizer.New(tokenizer.Config{
		Dir: graphs.AssetPath(dir, ""), Kind: c.Tokenizer.Kind,
		Vocabulary: c.Tokenizer.Vocabulary, Merges: c.Tokenizer.Merges, Tokens: c.Tokenizer.Tokens,
		ContextLength: c.ContextLength,
	})
	if err != nil {
		return nil, fmt.Errorf("the tokenizer of %s: %w", dir, err)
	}
	transform, err := transformOf(dir, c)
	if err != nil {
		return nil, err
	}
	if name == "" {
		name = filepath.Base(dir)
	}
	_, learnable := signatures[graphs.SignaturePromptGradient]
	_, similarity := signatures[graphs.SignatureSimilarity]
	return &Description{
		Name: name, Dir: dir, Config: c, Hash: hash, Tokenizer: words, Transform: transform, Learnable: learnable, HasSimilarity: similarity,
	}, nil
}

func transformOf(dir string, c graphs.Config) (*preprocess.Transform, error) {
	t, err := preprocess.New(preprocess.Config{
		Size: c.ImageSize, ResizeMode: c.ResizeMode, Interpolation: c.Interpolation, Mean: c.Mean, Std: c.Std,
	})
	if err != nil {
		return nil, fmt.Errorf("the preprocessing of %s: %w", dir, err)
	}
	return t, nil
}

// Resized is the same model with another way to make pictures square, clip or
// squash; empty stands for its own.
func (d *Description) Resized(mode string) (*Description, error) {
	if mode == "" || mode == d.Config.ResizeMode {
		return d, nil
	}
	other := *d
	other.Config.ResizeMode = mode
	var err error
	other.Transform, err = transformOf(d.Dir, other.Config)
	return &other, err
}

// Templates returns the token ids of every class in every template: one Tokens
// a template, one row a class.
func (d *Description) Templates(templates, classNames []string) ([]graphs.Tokens, error) {
	tokens := make([]graphs.Tokens, len(templates))
	for t, template := range templates {
		rows := make([][]int32, len(classNames))
		for c, name := range classNames {
			ids, err := d.Tokenizer.Encode(config.Fill(template, name))
			if err != nil {
				return nil, fmt.Errorf("class name %q in template %q for model %s: %w", name, template, d.Name, err)
			}
			rows[c] = ids
		}
		tokens[t] = graphs.PadTokens(rows)
	}
	return tokens, nil
}

// ClassPrompts returns the token ids of prompts that each class has for itself: the
// n-th Tokens holds the n-th prompt of every class that has so many, in the order of
// the classes.
func (d *Description) ClassPrompts(prompts [][]string, classNames []string) ([]graphs.Tokens, error) {
	var columns [][][]int32
	for c, texts := range prompts {
		for n, text := range texts {
			ids, err := d.Tokenizer.Encode(text)
			if err != nil {
				return nil, fmt.Errorf("prompt %q of class %q for model %s: %w", text, classNames[c], d.Name, err)
			}
			if n == len(columns) {
				columns = append(columns, nil)
			}
			columns[n] = append(columns[n], ids)
		}
	}
	tokens := make([]graphs.Tokens, len(columns))
	for n, rows := range columns {
		tokens[n] = graphs.PadTokens(rows)
	}
	return tokens, nil
}

// Prompts returns the token ids of every class behind a context of length
// vectors; with classSpecific each class has vectors of its own, stacked.
func (d *Description) Prompts(classNames []string, length int, position string, classSpecific bool) (graphs.Tokens, error) {
	rows := make([][]int32, len(classNames))
	for c, name := range classNames {
		ids, err := d.Tokenizer.Prompt(name, length, tokenizer.Position(position))
		if err != nil {
			return graphs.Tokens{}, fmt.Errorf("class name %q behind a context of %d for model %s: %w", name, length, d.Name, err)
		}
		if classSpecific {
			ids = tokenizer.ForClass(ids, c, length)
		}
		rows[c] = ids
	}
	return graphs.PadTokens(rows), nil
}

// Backbone is a described model, opened on a device.
type Backbone struct {
	*Description
	*graphs.Model
}

// Open opens the model. Close frees it.
func (d *Description) Open(options graphs.Options) (*Backbone, error) {
	options.Hash = d.Hash
	model, err := graphs.Open(d.Dir, options)
	if err != nil {
		return nil, err
	}
	return &Backbone{Description: d, Model: model}, nil
}

// Key names all that decides a picture's features: model, preprocessing, and kind
// of device, cpu or gpu, with a precision that is not float32 behind it.
func (d *Description) Key(device string) string {
	return strings.Join([]string{d.Hash, d.Transform.Key(), device}, "\n")
}
