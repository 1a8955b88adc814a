// Package predict uses what a run has learnt, and a model as it is: pictures to
// classes, pictures and texts to features.
package predict

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sort"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/backbone"
	"github.com/upl-host/upl-host/host/encode"
	"github.com/upl-host/upl-host/host/label"
	"github.com/upl-host/upl-host/host/learn"
	"github.com/upl-host/upl-host/host/learn/head"
)

// Options of a classifier.
type Options struct {
	// Device is auto, cpu, gpu or gpu:N.
	Device string
	// Model is the model's folder, where it is not the one that the run used.
	Model string
	// MaxPixels bounds a picture; 0: the default of package preprocess.
	MaxPixels int64
}

// Classifier is what a run has learnt, opened for use. Close frees it.
type Classifier struct {
	learn.Classifier
	backbone *backbone.Backbone
	limits   preprocess.Limits
}

// Open opens the classifier of a run folder. A model that is not the one it was
// learnt with is an error that wraps host.ErrIntegrity.
func Open(run string, options Options) (*Classifier, error) {
	r, err := read(run, options.Model)
	if err != nil {
		return nil, err
	}
	b, err := r.model.Open(graphs.Options{Device: options.Device})
	if err != nil {
		return nil, err
	}
	return &Classifier{Classifier: r.Classifier, backbone: b, limits: preprocess.Limits{Pixels: options.MaxPixels}}, nil
}

// Close frees the model.
func (c *Classifier) Close() error { return c.backbone.Close() }

// Class is a class with its probability.
type Class struct {
	Class       string  `json:"class"`
	Probability float32 `json:"probability"`
}

// Prediction is what a classifier says of a picture.
type Prediction struct {
	Path string `json:"path"`
	Class
	// ZeroShot is what the model says without what was learnt.
	ZeroShot Class `json:"zero_shot"`
	// Top are the most probable classes, at most five.
	Top []Class `json:"top"`
}

// Failure is a picture that could not be decoded.
type Failure struct {
	Path string
	Err  error
}

// picturesAtOnce bounds what is held; a batch of the model's is as large as the
// pictures allow.
const picturesAtOnce = 1024

// Predict classifies pictures in their order; emit is called for each that can
// be decoded, the others are returned.
func (c *Classifier) Predict(ctx context.Context, files []string, emit func(Prediction) error) ([]Failure, error) {
	bound := c.Classifier
	bound.Similarity = head.Similarity{
		Width: c.backbone.Description.Config.EmbeddingWidth,
		Compare: func(pictures, texts array.Matrix) (array.Matrix, error) {
			return c.backbone.Similarity(ctx, pictures, texts)
		},
	}
	learnt, zeroShot := bound.Best(), bound.ByZeroShot()
	var failures []Failure
	for first := 0; first < len(files); first += picturesAtOnce {
		part := files[first:min(first+picturesAtOnce, len(files))]
		features, kept, failed, err := pictures(ctx, c.backbone, part, c.limits)
		if err != nil {
			return failures, err
		}
		failures = append(failures, failed...)
		after, err := probabilities(learnt, features)
		if err != nil {
			return failures, err
		}
		before, err := probabilities(zeroShot, features)
		if err != nil {
			return failures, err
		}
		for row, file := range kept {
			top := c.top(after.Row(row), 5)
			p := Prediction{Path: file, Class: top[0], ZeroShot: c.top(before.Row(row), 1)[0], Top: top}
			if err := emit(p); err != nil {
				return failures, err
			}
		}
	}
	return failures, nil
}

func probabilities(h head.Head, features array.Matrix) (array.Matrix, error) {
	p := array.NewMatrix(features.Rows, h.Classes())
	return p, label.Probabilities(h, features, p)
}

// top returns the n most probable classes, of equals the first.
func (c *Classifier) top(row []float32, n int) []Class {
	order := make([]int, len(row))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return row[order[a]] > row[order[b]] })
	top := make([]Class, min(n, len(row)))
	for i := range top {
		top[i] = Class{Class: c.ClassNames[order[i]], Probability: row[order[i]]}
	}
	return top
}

// batchSize is the most pictures that a model gets at once.
const batchSize = 32

// pictures encodes files; kept are those that could be decoded, a row each.
func pictures(ctx context.Context, b *backbone.Backbone, files []string, limits preprocess.Limits) (features array.Matrix, kept []string, failed []Failure, err error) {
	cache := encode.NewCache(b.Description.Config.EmbeddingWidth)
	defer func() { err = errors.Join(err, cache.Close()) }()
	model := encode.Model{Name: b.Name, Tower: b.Model, Transform: b.Transform, Cache: cache}
	result, err := encode.Encode(ctx, encode.Files(files), []encode.Model{model}, encode.Options{BatchSize: min(batchSize, len(files)), Limits: limits})
	if err != nil {
		return array.Matrix{}, nil, nil, err
	}
	bad := map[int]bool{}
	for _, s := range result.Skipped {
		bad[s.Index] = true
		failed = append(failed, Failure{Path: files[s.Index], Err: s.Reason})
	}
	features.Cols = b.Description.Config.EmbeddingWidth
	for i, file := range files {
		if bad[i] {
			continue
		}
		kept = append(kept, file)
		features.Data = append(features.Data, cache.Get(result.Keys[i])...)
		features.Rows++
	}
	return features, kept, failed, nil
}

// Model opens a model's folder for Images and Texts.
func Model(dir, device string) (*backbone.Backbone, error) {
	d, err := backbone.Describe(filepath.Clean(dir), "")
	if err != nil {
		return nil, err
	}
	return d.Open(graphs.Options{Device: device})
}

// Images writes the features of pictures to a .npz: `features` [N, D] and
// `paths` [N], those that could be decoded.
func Images(ctx context.Context, b *backbone.Backbone, files []string, out string) ([]Failure, error) {
	features, kept, failed, err := pictures(ctx, b, files, preprocess.Limits{})
	if err != nil {
		return nil, err
	}
	if len(kept) == 0 {
		return failed, fmt.Errorf("none of the %d pictures can be decoded; the first is %s: %w", len(files), failed[0].Path, failed[0].Err)
	}
	return failed, array.WriteArchive(out, map[string]array.Array{
		"features": features.Array(), "paths": {Shape: []int{len(kept)}, Data: kept},
	})
}

// Texts writes the features of texts to a .npz: `features` [N, D] and `texts` [N].
func Texts(ctx context.Context, b *backbone.Backbone, texts []string, out string) error {
	rows := make([][]int32, len(texts))
	for i, text := range texts {
		ids, err := b.Tokenizer.Encode(text)
		if err != nil {
			return &host.UsageError{Err: err}
		}
		rows[i] = ids
	}
	features, err := b.Texts(ctx, graphs.PadTokens(rows))
	if err != nil {
		return err
	}
	return array.WriteArchive(out, map[string]array.Array{
		"features": features.Array(), "texts": {Shape: []int{len(texts)}, Data: texts},
	})
}
