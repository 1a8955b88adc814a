package host

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/host/folder"
	"github.com/upl-host/upl-host/host/label"
	"github.com/upl-host/upl-host/host/learn/head"
	"github.com/upl-host/upl-host/plugins"
)

const (
	probabilitiesDir = "probabilities"
	// ensembleModel is the name, beside the models', of the matrix made of theirs.
	ensembleModel    = "ensemble"
	textFeaturesDir  = "text_features"
	ensembleName     = probabilitiesDir + "/" + ensembleModel + ".npy"
	pseudoLabelsName = "pseudo_labels.csv"
)

func probabilitiesName(model string) string { return probabilitiesDir + "/" + model + ".npy" }
func textFeaturesName(model string) string  { return textFeaturesDir + "/" + model + ".npy" }

// classify writes each model's class features, and its probabilities of the
// unlabeled pictures (eq. 1, 2).
func (r *run) classify(ctx context.Context) ([]string, error) {
	for _, name := range []string{textFeaturesDir, probabilitiesDir} {
		if err := os.MkdirAll(r.folder.Join(name), 0o755); err != nil {
			return nil, fmt.Errorf("making the run's folders: %w", err)
		}
	}
	task := r.options.Display.Start("classify", len(r.models), "models")
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
	text, out := textFeaturesName(m.Name), probabilitiesName(m.Name)
	if err := array.WriteFile(r.folder.Join(text), classes.Array()); err != nil {
		return nil, err
	}
	features, err := r.features(i)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, features.Close()) }()
	zeroShot := head.ClassFeatures{Matrix: classes, Scale: float64(m.Config.LogitScale)}
	if err := label.Classify(ctx, r.folder.Join(out), features.Matrix, r.rows(i, r.kept.unlabeled), zeroShot); err != nil {
		return nil, err
	}
	return []string{text, out}, nil
}

// labelInput is what a policy sees: probabilities, features where they are
// granted, never labels. Close the matrices when it is done.
func (r *run) labelInput(p *label.Policy) (in plugins.Input, closeAll func() error, err error) {
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
		matrix, err := open(probabilitiesName(m.Name))
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
	in, closeAll, err := r.labelInput(r.ensemble)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	task := r.options.Display.Start("combine", len(r.kept.unlabeled), "pictures")
	defer task.End()
	told, err := r.ensemble.CombineFile(ctx, in, r.folder.Join(ensembleName), task.Set)
	r.hear(r.ensemble, told)
	if err != nil {
		return nil, err
	}
	return []string{ensembleName}, nil
}

// selectLabels makes pseudo labels, by the selection policy.
func (r *run) selectLabels(ctx context.Context) (_ []string, err error) {
	in, closeAll, err := r.labelInput(r.selection)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	ensemble, err := array.Map(r.folder.Join(ensembleName))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ensemble.Close()) }()
	in.Ensemble = label.Matrix{Matrix: ensemble.Matrix}
	task := r.options.Display.Start("select", len(r.kept.unlabeled), "pictures")
	defer task.End()
	// Training takes hard labels: others, in.Takes says, are refused to the policy.
	selected, err := r.selection.Select(ctx, in)
	r.hear(r.selection, selected.Record)
	if err != nil {
		return nil, err
	}
	task.Set(len(r.kept.unlabeled))
	rows := make([]evaluate.PseudoLabel, len(selected.Labels))
	for i, l := range selected.Labels {
		rows[i] = evaluate.PseudoLabel{
			Path: r.data.Pictures[r.kept.unlabeled[l.Row]].ID, Class: r.classNames[l.Class],
			Weight: l.Weight, Probability: ensemble.Row(l.Row)[l.Class],
		}
	}
	r.warnEmptyClasses(selected.Labels)
	return []string{pseudoLabelsName}, evaluate.WritePseudoLabels(r.folder.Join(pseudoLabelsName), rows)
}

// warnEmptyClasses reports classes that no picture was picked for; training goes on.
func (r *run) warnEmptyClasses(labels []plugins.Label) {
	counts := make([]int, len(r.classNames))
	for _, l := range labels {
		counts[l.Class]++
	}
	var empty []string
	for c, n := range counts {
		if n == 0 {
			empty = append(empty, r.classNames[c])
		}
	}
	if len(empty) > 0 {
		r.warn("%d of %d classes have no pseudo label: %s", len(empty), len(counts), shortList(empty))
	}
}

// hear records what a policy reported, and shows its lines.
func (r *run) hear(p *label.Policy, told plugins.Record) {
	for _, m := range told.Metrics {
		r.manifest.Metrics = append(r.manifest.Metrics, folder.Metric{Plugin: p.Name, Name: m.Name, Round: m.Round, Value: m.Value})
	}
	for _, line := range told.Log {
		level := label.Level(line.Level)
		attributes := []any{"plugin", p.Name, "round", line.Round}
		if line.Row >= 0 {
			attributes = append(attributes, "row", line.Row, "rows", line.Rows)
		}
		r.log.Log(context.Background(), level, line.Text, attributes...)
		if r.log.Enabled(context.Background(), level) {
			r.options.Display.Say("%s", label.Say(p.Name, line))
		}
	}
}

// pick is a pseudo label as indices.
type pick struct {
	row, class  int // of the unlabeled pictures, of the classes
	weight      float32
	probability float32
}

// picks reads pseudo_labels.csv back as indices.
func (r *run) picks() ([]pick, error) {
	labels, err := evaluate.ReadPseudoLabels(r.folder.Join(pseudoLabelsName))
	if err != nil {
		return nil, err
	}
	rows := make(map[string]int, len(r.kept.unlabeled))
	for row, i := range r.kept.unlabeled {
		rows[r.data.Pictures[i].ID] = row
	}
	classes := make(map[string]int, len(r.classNames))
	for c, name := range r.classNames {
		classes[name] = c
	}
	picks := make([]pick, len(labels))
	for i, l := range labels {
		row, known := rows[l.Path]
		class, knownClass := classes[l.Class]
		if !known || !knownClass {
			return nil, fmt.Errorf("%s: %s as %q: no such unlabeled picture or class", r.folder.Join(pseudoLabelsName), l.Path, l.Class)
		}
		picks[i] = pick{row: row, class: class, weight: l.Weight, probability: l.Probability}
	}
	return picks, nil
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
