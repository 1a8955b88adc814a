package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/tokenizer"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/folder"
	"github.com/upl-host/upl-host/host/learn"
)

const classifierName = "contexts/classifier.safetensors"

// learn learns by the configured method, of every seed, and writes one classifier.
func (r *run) learn(ctx context.Context) ([]string, error) {
	return r.learnAt(ctx, "", r.config.Learn.Seeds)
}

// learnAt learns from the pseudo labels below a place, "" or "rounds/1/", or from true
// ones, and writes what it learns there.
func (r *run) learnAt(ctx context.Context, place string, seeds []uint64) ([]string, error) {
	zeroShot, err := r.zeroShot()
	if err != nil {
		return nil, err
	}
	classifier := r.classifierOf(ctx, 0, zeroShot)
	path := r.folder.Join(place + classifierName)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("making the run's folders: %w", err)
	}
	outputs := []string{place + classifierName}
	if r.config.Learn.Method != config.MethodZeroShot {
		lessons, tables, err := r.lessons(ctx, place, seeds)
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
	return outputs, classifier.Write(path)
}

// learnPrompts trains a context for every seed, and makes one classifier of them.
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
		name := l.place + r.seedTextsName(c.Seed)
		if err := r.writeTexts(name, features[i]); err != nil {
			return classifier, nil, err
		}
		outputs = append(outputs, name)
		for _, path := range []string{learn.ContextPath("", c.Seed), learn.CurvePath("", c.Seed)} {
			outputs = append(outputs, l.place+filepath.ToSlash(path))
		}
	}
	err = classifier.Learn(features)
	return classifier, outputs, err
}

func seedFeaturesName(seed uint64) string {
	return fmt.Sprintf("%s/seed-%d.npy", textFeaturesDir, seed)
}

func (r *run) zeroShot() (array.Matrix, error) {
	a, err := array.ReadFile(r.folder.Join(r.textsName(0)))
	if err != nil {
		return array.Matrix{}, err
	}
	return a.Matrix()
}

func (r *run) learnContexts(ctx context.Context, prompts *learn.ClassPrompts, l *lessons) ([]learn.Context, error) {
	kept, err := r.keptContexts(prompts)
	if err != nil {
		return nil, err
	}
	settings, display := r.settings(prompts, l), r.display
	task := display.Start("learn", learn.NewPlan(settings, l.pictures()).Steps(), "steps")
	defer task.End()
	return learn.Run(ctx, learn.Job{
		Folder: r.folder.Join(l.place), Prompt: prompts.Prompt, Gradienter: prompts, Initial: prompts.Initial(),
		Data: l.Data, Rows: l.rows, Settings: settings, Software: r.version, Kept: kept,
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

// keptContexts is the cache's folder of contexts that this program has learned on this
// kind of device, from prompts packed alike: what their last bits depend on beside a
// training's own inputs.
func (r *run) keptContexts(prompts *learn.ClassPrompts) (string, error) {
	device, err := r.deviceKind()
	if err != nil {
		return "", err
	}
	program, err := programDigest()
	if err != nil {
		return "", err
	}
	const letters = 32
	name := digest(program, graphs.Version(), device, fmt.Sprint(prompts.Packing()...))[:letters]
	return filepath.Join(r.config.Cache.Dir, "contexts", name), nil
}

// programDigest is the hash of this program's file: of the one that runs, where a new
// one has been put in its place since.
var programDigest = sync.OnceValues(func() (string, error) {
	path := "/proc/self/exe"
	if _, err := os.Stat(path); err != nil {
		if path, err = os.Executable(); err != nil {
			return "", fmt.Errorf("finding this program: %w", err)
		}
	}
	sum, err := folder.HashFile(path)
	if err != nil {
		return "", fmt.Errorf("hashing this program: %w", err)
	}
	return sum, nil
})

func (r *run) settings(prompts *learn.ClassPrompts, l *lessons) learn.Settings {
	c := r.config.Learn
	settings := learn.DefaultSettings()
	settings.Seeds = l.seeds
	settings.Epochs, settings.BatchSize = epochsOf(c, l.shots, len(r.classNames)), c.BatchSize
	settings.LearningRate, settings.Momentum, settings.WeightDecay = c.LearningRate, c.Momentum, c.WeightDecay
	settings.WarmupEpochs, settings.WarmupRate = c.WarmupEpochs, c.WarmupLearningRate
	settings.CheckpointEvery = saveEvery
	if settings.Together = c.Together; c.Together == 0 {
		settings.Together = prompts.Together(len(l.seeds))
	}
	return settings
}

// classPrompts are the class names around the contexts that are to be learnt: made
// once, whatever the number of rounds.
func (r *run) classPrompts(ctx context.Context) (*learn.ClassPrompts, error) {
	if r.prompts != nil {
		return r.prompts, nil
	}
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
	r.prompts = prompts
	return prompts, nil
}
