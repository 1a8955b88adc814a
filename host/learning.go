package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/tokenizer"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/learn"
)

const classifierName = "contexts/classifier.safetensors"

// learn learns by the configured method, of every seed, and writes one classifier.
func (r *run) learn(ctx context.Context) ([]string, error) {
	zeroShot, err := r.zeroShot()
	if err != nil {
		return nil, err
	}
	m := r.models[0]
	classifier := learn.Classifier{
		ZeroShot: zeroShot, ClassNames: r.classNames, Templates: slices.Concat([]string{}, r.prompting.templates), LogitScale: m.Config.LogitScale,
		Model: m.Name, ModelHash: m.Hash, Preprocessing: m.Transform.Key(), Software: r.options.Version,
	}
	if err := os.MkdirAll(filepath.Dir(r.folder.Join(classifierName)), 0o755); err != nil {
		return nil, fmt.Errorf("making the run's folders: %w", err)
	}
	outputs := []string{classifierName}
	if r.config.Learn.Method != config.MethodZeroShot {
		lessons, tables, err := r.lessons(ctx)
		if err != nil {
			return nil, err
		}
		if lessons.Features.Rows == 0 {
			return nil, &UsageError{Err: learn.ErrNothingToLearn}
		}
		learnt := r.learnHeads
		if learnsPrompts(r.config.Learn) {
			learnt = r.learnPrompts
		}
		var written []string
		if classifier, written, err = learnt(ctx, lessons, classifier); err != nil {
			return nil, err
		}
		outputs = append(append(outputs, tables...), written...)
	}
	return outputs, classifier.Write(r.folder.Join(classifierName))
}

// learnPrompts trains a context for every seed, and folds all of them into one matrix.
func (r *run) learnPrompts(ctx context.Context, l *lessons, classifier learn.Classifier) (learn.Classifier, []string, error) {
	prompts, err := r.classPrompts(ctx)
	if err != nil {
		return classifier, nil, err
	}
	contexts, err := r.learnContexts(ctx, prompts, l)
	if err != nil {
		return classifier, nil, err
	}
	var outputs []string
	features := make([]array.Matrix, len(contexts))
	for i, c := range contexts {
		if features[i], err = prompts.Features(ctx, c.Vectors); err != nil {
			return classifier, nil, err
		}
		name := seedFeaturesName(c.Seed)
		if err := array.WriteFile(r.folder.Join(name), features[i].Array()); err != nil {
			return classifier, nil, err
		}
		outputs = append(outputs, name)
		for _, path := range []string{learn.ContextPath("", c.Seed), learn.CurvePath("", c.Seed)} {
			outputs = append(outputs, filepath.ToSlash(path))
		}
	}
	classifier.Prompts = len(contexts)
	classifier.Learned, err = learn.Ensemble(features)
	return classifier, outputs, err
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

func (r *run) learnContexts(ctx context.Context, prompts *learn.ClassPrompts, l *lessons) ([]learn.Context, error) {
	settings, display := r.settings(prompts, l.shots), r.options.Display
	pictures := l.Features.Rows
	if l.rows != nil {
		pictures = len(l.rows[settings.Seeds[0]])
	}
	task := display.Start("learn", learn.NewPlan(settings, pictures).Steps(), "steps")
	defer task.End()
	return learn.Run(ctx, learn.Job{
		Folder: r.folder.Path, Prompt: prompts.Prompt, Gradienter: prompts, Initial: prompts.Initial(),
		Data: l.Data, Rows: l.rows, Settings: settings, Software: r.options.Version,
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

func (r *run) settings(prompts *learn.ClassPrompts, shots int) learn.Settings {
	c := r.config.Learn
	settings := learn.DefaultSettings()
	settings.Seeds = c.Seeds
	settings.Epochs, settings.BatchSize = epochsOf(c, shots, len(r.classNames)), c.BatchSize
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
	prompts, err := learn.NewClassPrompts(ctx, b.Model, b.Tokenizer, r.prompting.spoken, shape)
	if err != nil {
		return nil, textError(err)
	}
	// Files of the run know the model by the name that the run gives it.
	prompts.Prompt.Model = b.Name
	return prompts, nil
}
