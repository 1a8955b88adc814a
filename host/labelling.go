package host

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/folder"
	"github.com/upl-host/upl-host/host/label"
	"github.com/upl-host/upl-host/plugins"
)

const (
	probabilitiesDir = "probabilities"
	// ensembleModel is the name, beside the models', of the matrix made of theirs.
	ensembleModel   = "ensemble"
	textFeaturesDir = "text_features"
	ensembleName    = probabilitiesDir + "/" + ensembleModel + ".npy"
)

func probabilitiesName(model string) string { return probabilitiesDir + "/" + model + ".npy" }
func textFeaturesName(model string) string  { return textFeaturesDir + "/" + model + ".npy" }

// classify writes each model's class features, and its probabilities of the
// unlabeled pictures (eq. 1, 2).
func (r *run) classify(ctx context.Context) ([]string, error) {
	if err := os.MkdirAll(r.folder.Join(probabilitiesDir), 0o755); err != nil {
		return nil, fmt.Errorf("making the run's folders: %w", err)
	}
	task := r.display.Start("classify", len(r.models), "models")
	defer task.End()
	var outputs []string
	for i := range r.models {
		written, err := r.classifyWith(ctx, i)
		if err != nil {
			return nil, err
		}
		outputs = append(outputs, written...)
		task.Set(i + 1)
	}
	return outputs, nil
}

func (r *run) classifyWith(ctx context.Context, i int) (_ []string, err error) {
	m := r.models[i]
	classes, err := r.classFeatures(ctx, i)
	if err != nil {
		return nil, err
	}
	text, out := r.textsName(i), probabilitiesName(m.Name)
	if err := r.writeTexts(text, classes); err != nil {
		return nil, err
	}
	features, err := r.features(i)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, features.Close()) }()
	zeroShot := r.classifierOf(ctx, i, classes).ByZeroShot()
	if err := label.Classify(ctx, r.folder.Join(out), features.Matrix, r.rows(i, r.kept.unlabeled), zeroShot); err != nil {
		return nil, err
	}
	return []string{text, out}, nil
}

// labelInput is what a policy sees: probabilities, features where they are
// granted, never labels. learnt is the file of the first model's probabilities
// where they are others than its zero-shot ones. Close the matrices when it is done.
func (r *run) labelInput(p *label.Policy, learnt string) (in plugins.Input, closeAll func() error, err error) {
	in = plugins.Input{
		ClassNames: r.classNames, Prior: r.prior, Seed: r.config.Seed,
		Limits: p.Limits(r.config.Label.Limits), Threads: r.config.Run.Threads,
		GrantFeatures: p.SeesFeatures(),
	}
	var mapped []*array.Mapped
	closeAll = func() error {
		var errs []error
		for _, m := range mapped {
			errs = append(errs, m.Close())
		}
		return errors.Join(errs...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll())
		}
	}()
	open := func(name string) (array.Matrix, error) {
		matrix, err := array.Map(r.folder.Join(name))
		if err != nil {
			return array.Matrix{}, err
		}
		mapped = append(mapped, matrix)
		return matrix.Matrix, nil
	}
	for i, m := range r.models {
		name := probabilitiesName(m.Name)
		if i == 0 && learnt != "" {
			name = learnt
		}
		matrix, err := open(name)
		if err != nil {
			return in, nil, err
		}
		in.Models = append(in.Models, label.Matrix{Matrix: matrix})
		in.ModelNames = append(in.ModelNames, m.Name)
		in.LogitScales = append(in.LogitScales, float64(m.Config.LogitScale))
		if !in.GrantFeatures {
			continue
		}
		images, err := open(featuresName(m.Name))
		if err != nil {
			return in, nil, err
		}
		texts, err := open(textFeaturesName(m.Name))
		if err != nil {
			return in, nil, err
		}
		in.Features = append(in.Features, label.Picked{Matrix: images, Of: r.rows(i, r.kept.unlabeled)})
		in.TextFeatures = append(in.TextFeatures, label.Matrix{Matrix: texts})
	}
	return in, closeAll, nil
}

// policyInputs are what decides a policy's results beside the files before it: of
// a prior in a file the configuration has but the path.
func (r *run) policyInputs(p *label.Policy) func() string {
	return func() string {
		if r.prior == nil {
			return p.Identity()
		}
		return digest(p.Identity(), fmt.Sprint(r.prior))
	}
}

// combine makes one matrix of the models' probabilities, by the ensemble policy.
func (r *run) combine(ctx context.Context) (_ []string, err error) {
	in, closeAll, err := r.labelInput(r.ensemble, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	return []string{ensembleName}, r.combineInto(ctx, ensembleName, in, 0)
}

// combineInto combines what the ensemble policy sees, after so many rounds, into a file.
func (r *run) combineInto(ctx context.Context, name string, in plugins.Input, rounds int) error {
	task := r.display.Start("combine", len(r.kept.unlabeled), "pictures")
	defer task.End()
	told, err := r.ensemble.CombineFile(ctx, in, r.folder.Join(name), task.Set)
	r.hear(r.ensemble, told, rounds)
	return err
}

// selectLabels makes pseudo labels, by the selection policy, in as many rounds as
// label.rounds says.
func (r *run) selectLabels(ctx context.Context) (_ []string, err error) {
	rounds, err := r.newRounds()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rounds.close()) }()
	return rounds.selectAll(ctx)
}

// hear records what a policy reported, and shows its lines. before is how many
// rounds came before its first.
func (r *run) hear(p *label.Policy, told plugins.Record, before int) {
	for _, m := range told.Metrics {
		r.manifest.Metrics = append(r.manifest.Metrics, folder.Metric{Plugin: p.Name, Name: m.Name, Round: before + m.Round, Value: m.Value})
	}
	for _, line := range told.Log {
		line.Round += before
		level := label.Level(line.Level)
		attributes := []any{"plugin", p.Name, "round", line.Round}
		if line.Row >= 0 {
			attributes = append(attributes, "row", line.Row, "rows", line.Rows)
		}
		r.log.Log(context.Background(), level, line.Text, attributes...)
		if r.log.Enabled(context.Background(), level) {
			r.display.Say("%s", label.Say(p.Name, line))
		}
	}
}

func shortList(names []string) string {
	const most = 5
	text := ""
	for i, name := range names {
		if i == most {
			return fmt.Sprintf("%s and %d more", text, len(names)-most)
		}
		if i > 0 {
			text += ", "
		}
		text += name
	}
	return text
}
