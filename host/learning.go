package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/tokenizer"
	"github.com/upl-host/upl-host/host/learn"
)

const classifierName = "contexts/classifier.safetensors"

// learn trains a context for every seed on the pseudo labels, and folds all of
// them into one classifier.
func (r *run) learn(ctx context.Context) ([]string, error) {
	if r.config.Learn.Method != methodPrompt {
		return []string{classifierName}, r.writeClassifier("", nil)
	}
	prompts, err := r.classPrompts(ctx)
	if err != nil {
		return nil, err
	}
	return r.learnPrompts(ctx, "", prompts, r.config.Learn.Seeds)
}

// learnPrompts learns from the pseudo labels below a place, "" or "rounds/1/", and
// writes what it learns there.
func (r *run) learnPrompts(ctx context.Context, place string, prompts *learn.ClassPrompts, seeds []uint64) ([]string, error) {
	contexts, err := r.learnContexts(ctx, place, prompts, seeds)
	if errors.Is(err, learn.ErrNothingToLearn) {
		return nil, &UsageError{Err: err}
	}
	if err != nil {
		return nil, err
	}
	outputs := []string{place + classifierName}
	if err := os.MkdirAll(r.folder.Join(place+textFeaturesDir), 0o755); err != nil {
		return nil, fmt.Errorf("making the run's folders: %w", err)
	}
	features := make([]array.Matrix, len(contexts))
	for i, c := range contexts {
		if features[i], err = prompts.Features(ctx, c.Vectors); err != nil {
			return nil, err
		}
		name := place + seedFeaturesName(c.Seed)
		if err := array.WriteFile(r.folder.Join(name), features[i].Array()); err != nil {
			return nil, err
		}
		outputs = append(outputs, name)
		for _, path := range []string{learn.ContextPath("", c.Seed), learn.CurvePath("", c.Seed)} {
			outputs = append(outputs, place+filepath.ToSlash(path))
		}
	}
	return outputs, r.writeClassifier(place, features)
}

// writeClassifier writes the classifier of prompts' class features, and of the
// zero-shot ones.
func (r *run) writeClassifier(place string, prompts []array.Matrix) error {
	zeroShot, err := r.zeroShot()
	if err != nil {
		return err
	}
	m := r.models[0]
	classifier := learn.Classifier{
		ZeroShot: zeroShot, ClassNames: r.classNames, Templates: r.config.Prompt.All(), LogitScale: m.Config.LogitScale,
		Model: m.Name, ModelHash: m.Hash, Preprocessing: m.Transform.Key(), Software: r.options.Version,
	}
	if len(prompts) > 0 {
		if classifier.Learned, err = learn.Ensemble(prompts); err != nil {
			return err
		}
		classifier.Prompts = len(prompts)
	}
	path := r.folder.Join(place + classifierName)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("making the run's folders: %w", err)
	}
	return classifier.Write(path)
}

func seedFeaturesName(seed uint64) string {
	return fmt.Sprintf("%s/seed-%d.npy", textFeaturesDir, seed)
}

func (r *run) zeroShot() (array.Matrix, error) {
	a, err := array.ReadFile(r.folder.Join(textFeaturesName(r.models[0].Name)))
	if err != nil {
		return array.Matrix{}, err
	}
	return a.Matrix()
}

func (r *run) learnContexts(ctx context.Context, place string, prompts *learn.ClassPrompts, seeds []uint64) ([]learn.Context, error) {
	data, err := r.learningData(ctx, place)
	if err != nil {
		return nil, err
	}
	settings, display := r.settings(prompts, seeds), r.options.Display
	task := display.Start("learn", learn.NewPlan(settings, max(1, data.Features.Rows)).Steps(), "steps")
	defer task.End()
	return learn.Run(ctx, learn.Job{
		Folder: r.folder.Join(place), Prompt: prompts.Prompt, Gradienter: prompts, Initial: prompts.Initial(),
		Data: data, Settings: settings, Software: r.options.Version,
		Events: learn.Events{
			OnPlan: func(p learn.Plan) {
				display.Say("learn: %s", p)
				task.Set(p.Done)
				r.log.Info("learning", append([]any{"plan", p.String(), "seeds_together", settings.Together}, prompts.Packing()...)...)
			},
			OnStep: func(s learn.Step) { task.Set(s.Done) },
			OnEpoch: func(seed uint64, e learn.Epoch) {
				r.log.Debug("epoch", "seed", seed, "epoch", e.Epoch, "loss", e.Loss, "accuracy", e.Accuracy)
			},
			OnSeed: func(seed uint64) { r.log.Info("context learnt", "seed", seed) },
		},
	})
}

func (r *run) settings(prompts *learn.ClassPrompts, seeds []uint64) learn.Settings {
	c := r.config.Learn
	settings := learn.DefaultSettings()
	settings.Seeds = seeds
	settings.Epochs, settings.BatchSize = c.Epochs, c.BatchSize
	settings.LearningRate, settings.Momentum, settings.WeightDecay = c.LearningRate, c.Momentum, c.WeightDecay
	settings.WarmupEpochs, settings.WarmupRate = c.WarmupEpochs, c.WarmupLearningRate
	settings.CheckpointEvery = saveEvery
	if settings.Together = c.Together; c.Together == 0 {
		settings.Together = prompts.Together(len(seeds))
	}
	return settings
}

// classPrompts are the class names around the contexts that are to be learnt.
func (r *run) classPrompts(ctx context.Context) (*learn.ClassPrompts, error) {
	b, err := r.model(0)
	if err != nil {
		return nil, err
	}
	c := r.config.Learn
	shape := learn.Shape{
		Length: c.ContextLength, Position: tokenizer.Position(c.ClassTokenPosition),
		ClassSpecific: c.ClassSpecific, InitialWords: c.InitialWords, Memory: int64(c.Memory),
	}
	if c.InitialWords != "" {
		shape.Length = 0 // as many as the words have tokens, as in CoOp
	}
	prompts, err := learn.NewClassPrompts(ctx, b.Model, b.Tokenizer, r.classNames, shape)
	if err != nil {
		return nil, textError(err)
	}
	// Files of the run know the model by the name that the run gives it.
	prompts.Prompt.Model = b.Name
	return prompts, nil
}

// learningData gathers the features of the picked pictures, and their targets.
func (r *run) learningData(ctx context.Context, place string) (_ learn.Data, err error) {
	picks, _, err := r.picksAt(place)
	if err != nil {
		return learn.Data{}, err
	}
	features, err := r.features(0)
	if err != nil {
		return learn.Data{}, err
	}
	defer func() { err = errors.Join(err, features.Close()) }()
	unlabeled := r.rows(0, r.kept.unlabeled)
	data := learn.Data{Features: array.NewMatrix(len(picks), features.Cols)}
	labels, pictures := make([]learn.Label, len(picks)), make([]int, len(picks))
	for i, p := range picks {
		copy(data.Features.Row(i), features.Row(unlabeled[p.row]))
		labels[i], pictures[i] = p.label(), r.kept.unlabeled[p.row]
	}
	if data.Targets, data.Sets, err = learn.Targets(labels, len(r.classNames)); err != nil {
		return learn.Data{}, err
	}
	if views := r.config.Learn.Views; views > 1 {
		data.Views, err = r.viewFeatures(ctx, pictures, views)
	}
	return data, err
}
