package predict

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/graphs/serving"
	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/backbone"
	"github.com/upl-host/upl-host/host/learn"
	"github.com/upl-host/upl-host/host/learn/head"
)

// result is what a run ended with, and the model that it belongs to.
type result struct {
	learn.Classifier
	manifest *host.Manifest
	model    *backbone.Description
}

// read reads the classifier of a run folder. The model is looked for where the
// run had it, or in modelDir; one that the run did not learn with is an error
// that wraps host.ErrIntegrity.
func read(run, modelDir string) (*result, error) {
	manifest, err := host.ReadManifest(run)
	if err != nil {
		return nil, err
	}
	learnt, err := learn.ReadClassifier(host.ClassifierPath(run))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &host.UsageError{Err: fmt.Errorf("%s has no classifier yet (status: %s): the run's own command goes on with it", run, manifest.Status)}
	}
	if err != nil {
		return nil, fmt.Errorf("opening the classifier of %s: %w", run, err)
	}
	if modelDir == "" {
		if len(manifest.Models) == 0 {
			return nil, fmt.Errorf("%w: the manifest of %s names no model", host.ErrIntegrity, run)
		}
		modelDir = manifest.Models[0].Path
		if _, err := os.Stat(modelDir); errors.Is(err, fs.ErrNotExist) {
			return nil, &host.UsageError{Err: fmt.Errorf("the model of %s is no longer at %s: say with --model where it is", run, modelDir)}
		}
	}
	model, err := backbone.Describe(modelDir, learnt.Model)
	if err != nil {
		return nil, err
	}
	if model.Hash != learnt.ModelHash {
		return nil, fmt.Errorf("%w: %s is %s, and the run learnt with %s: give that model with --model, or run again", host.ErrIntegrity, modelDir, model.Hash, learnt.ModelHash)
	}
	// The run may have made pictures square in another way than the model's own.
	if model, err = model.Resized(preprocess.ResizeModeOf(learnt.Preprocessing)); err != nil {
		return nil, err
	}
	return &result{Classifier: learnt, manifest: manifest, model: model}, nil
}

// ExportClassifier writes what a run has learnt as one SavedModel in the folder
// out, encoded pictures in, class probabilities out (docs/export-classifier.md).
// It needs no TensorFlow. model is the model's folder, where it is not where the
// run had it. For errors see Open and serving.Write.
func ExportClassifier(ctx context.Context, run, model, out string, overwrite bool) error {
	r, err := read(run, model)
	if err != nil {
		return err
	}
	if r.model.HasSimilarity {
		return &host.UsageError{Err: fmt.Errorf("model %s of %s compares pictures and texts by its own signature `similarity`, and export-classifier writes a classifier of inner products: "+
			"`upl-host predict` uses classifiers of every kind", r.model.Name, run)}
	}
	classes, ok := r.Best().(head.ClassFeatures)
	if !ok {
		return &host.UsageError{Err: fmt.Errorf("%s learnt with %s, and export-classifier writes class features alone, which zero-shot, prompt and coop end with: "+
			"`upl-host predict` uses classifiers of every kind", run, r.Method)}
	}
	return serving.Write(ctx, r.model.Dir, out, serving.Classifier{
		ClassFeatures: classes.Matrix, LogitScale: r.LogitScale, ClassNames: r.ClassNames, ResizeMode: r.model.Config.ResizeMode,
		Origin: serving.Origin{
			Run: r.manifest.Name, Model: r.Model, ModelHash: r.ModelHash,
			Prompts: r.Prompts, Templates: r.Templates, Software: r.Software,
		},
	}, overwrite)
}
