package backbone

import (
	"context"
	"errors"
	"fmt"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/prompt"
	"github.com/upl-host/upl-host/host/label"
)

// Texts encodes texts to features [tokens.Rows, D], of length 1. What they all
// begin with is computed once, where the text tower is known to be CLIP's (see
// package prompt); encode_text does it elsewhere. Both are equal within 1e-5.
func (b *Backbone) Texts(ctx context.Context, tokens graphs.Tokens) (array.Matrix, error) {
	packed, err := b.PackPrompts(tokens, prompt.Limits{})
	if errors.Is(err, graphs.ErrNotPackable) {
		return b.encodeTexts(ctx, tokens)
	}
	if err != nil {
		return array.Matrix{}, err
	}
	noContext := array.NewMatrix(1, b.Model.Config().TextWidth)
	return packed.Features(ctx, noContext)
}

// textsAtOnce bounds the memory of encode_text.
const textsAtOnce = 256

// encodeTexts encodes texts by the model's own encode_text.
func (b *Backbone) encodeTexts(ctx context.Context, tokens graphs.Tokens) (array.Matrix, error) {
	var features array.Matrix
	for first := 0; first < tokens.Rows; first += textsAtOnce {
		n := min(textsAtOnce, tokens.Rows-first)
		part, err := b.EncodeText(ctx, graphs.Tokens{
			Rows: n, Length: tokens.Length, IDs: tokens.IDs[first*tokens.Length : (first+n)*tokens.Length],
		})
		if err != nil {
			return array.Matrix{}, err
		}
		features.Cols = part.Cols
		features.Rows += part.Rows
		features.Data = append(features.Data, part.Data...)
	}
	return features, nil
}

// ClassFeatures returns the zero-shot class features [C, D]: the templates'
// mean, normalised (METHOD.md section 1). features gives those of one template's
// texts, [C, D].
func (d *Description) ClassFeatures(templates, classNames []string, features func(graphs.Tokens) (array.Matrix, error)) (array.Matrix, error) {
	tokens, err := d.Templates(templates, classNames)
	if err != nil {
		return array.Matrix{}, err
	}
	all := make([]array.Matrix, len(tokens))
	for t := range tokens {
		if all[t], err = features(tokens[t]); err != nil {
			return array.Matrix{}, fmt.Errorf("encoding template %q with model %s: %w", templates[t], d.Name, err)
		}
	}
	return label.MeanOfTemplates(all), nil
}

// ClassPromptFeatures returns the zero-shot class features [C, D] of prompts that
// each class has for itself: their mean, normalised. features gives those of some of
// the texts.
func (d *Description) ClassPromptFeatures(prompts [][]string, classNames []string, features func(graphs.Tokens) (array.Matrix, error)) (array.Matrix, error) {
	tokens, err := d.ClassPrompts(prompts, classNames)
	if err != nil {
		return array.Matrix{}, err
	}
	ofClasses := make([][][]float32, len(prompts))
	width := 0
	for n := range tokens {
		column, err := features(tokens[n])
		if err != nil {
			return array.Matrix{}, fmt.Errorf("encoding the prompts of classes with model %s, list %d: %w", d.Name, n+1, err)
		}
		row := 0
		for c, texts := range prompts {
			if n < len(texts) {
				ofClasses[c] = append(ofClasses[c], column.Row(row))
				row++
			}
		}
		width = column.Cols
	}
	return label.MeanOfPrompts(ofClasses, width), nil
}

// EachText returns the features of every text of some lists, in their order, a row a
// text: those that a model with `similarity` compares with pictures. features gives
// those of one list.
func (d *Description) EachText(lists []graphs.Tokens, features func(graphs.Tokens) (array.Matrix, error)) (array.Matrix, error) {
	var all array.Matrix
	for n, tokens := range lists {
		list, err := features(tokens)
		if err != nil {
			return array.Matrix{}, fmt.Errorf("encoding texts with model %s, list %d: %w", d.Name, n+1, err)
		}
		if n > 0 && list.Cols != all.Cols {
			return array.Matrix{}, fmt.Errorf("model %s: %w: texts of %d tokens have %d features, texts of %d have %d: the width may not depend on the padding",
				d.Name, graphs.ErrContract, lists[0].Length, all.Cols, tokens.Length, list.Cols)
		}
		all.Rows, all.Cols, all.Data = all.Rows+list.Rows, list.Cols, append(all.Data, list.Data...)
	}
	return all, nil
}
