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
	zeroShot, err := r.zeroShot()
	if err != nil {
		return nil, err
	}
	m := r.models[0]
	classifier := learn.Classifier{
		ZeroShot: zeroShot, ClassNames: r.classNames, Templates: r.config.Prompt.All(), LogitScale: m.Config.LogitScale,
		Model: m.Name, ModelHash: m.Hash, Preprocessing: m.Transform.Key(), Software: r.options.Version,
	}
	if err := os.MkdirAll(filepath.Dir(r.folder.Join(classifierName)), 0o755); err != nil {
		return nil, fmt.Errorf("making the run's folders: %w", err)
	}
	outputs := []string{classifierName}
	if r.config.Learn.Method == methodPrompt {
		prompts, err := r.classPrompts(ctx)
		if err != nil {
			return nil, err
		}
		contexts, err := r.learnContexts(ctx, prompts)
		if errors.Is(err, learn.ErrNothingToLearn) {
			return nil, &UsageError{Err: err}
		}
		if err != nil {
			return nil, err
		}
		features := make([]array.Matrix, len(contexts))
		for i, c := range contexts {
			if features[i], err = prompts.Features(ctx, c.Vectors); err != nil {
				return nil, err
			}
			name := seedFeaturesName(c.Seed)
			if err := array.WriteFile(r.folder.Join(name), features[i].Array()); err != nil {
				return nil, err
			}
			outputs = append(outputs, name)
			for _, path := range []string{learn.ContextPath("", c.Seed), learn.CurvePath("", c.Seed)} {
				outputs = append(outputs, filepath.ToSlash(path))
			}
		}
		if classifier.Learned, err = learn.Ensemble(features); err != nil {
			return nil, err
		}
		classifier.Prompts = len(contexts)
	}
	return outputs, classifier.Write(r.folder.Join(classifierName))
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

func (r *run) learnContexts(ctx context.Context, prompts *learn.ClassPrompts) ([]learn.Context, error) {
	data, err := r.learningData(ctx)
	if err != nil {
		return nil, err
	}
	settings, display := r.settings(prompts), r.options.Display
	task := display.Start("learn", learn.NewPlan(settings, max(1, data.Features.Rows)).Steps(), "steps")
	defer task.End()
	return learn.Run(ctx, learn.Job{
		Folder: r.folder.Path, Prompt: prompts.Prompt, Gradienter: prompts, Initial: prompts.Initial(),
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

func (r *run) settings(prompts *learn.ClassPrompts) learn.Settings {
	c := r.config.Learn
	settings := learn.DefaultSettings()
	settings.Seeds = c.Seeds
	settings.Epochs, settings.BatchSize = c.Epochs, c.BatchSize
	settings.LearningRate, settings.Momentum, settings.WeightDecay = c.LearningRate, c.Momentum, c.WeightDecay
	settings.WarmupEpochs, settings.WarmupRate = c.WarmupEpochs, c.WarmupLearningRate
	settings.CheckpointEvery = saveEvery
	if settings.Together = c.Together; c.Together == 0 {
		settings.Together = prompts.Together(len(c.Seeds))
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
func (r *run) learningData(ctx context.Context) (_ learn.Data, err error) {
	picks, err := r.picks()
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
	classes, weights := make([]int, len(picks)), make([]float32, len(picks))
	pictures := make([]int, len(picks))
	for i, p := range picks {
		copy(data.Features.Row(i), features.Row(unlabeled[p.row]))
		classes[i], weights[i], pictures[i] = p.class, p.weight, r.kept.unlabeled[p.row]
	}
	if views := r.config.Learn.Views; views > 1 {
		if data.Views, err = r.viewFeatures(ctx, pictures, views); err != nil {
			return learn.Data{}, err
		}
	}
	if data.Targets, err = learn.Targets(classes, weights, len(r.classNames)); err != nil {
		return learn.Data{}, err
	}
	return data, nil
}
