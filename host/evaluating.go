package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/host/label"
	"github.com/upl-host/upl-host/host/learn"
	"github.com/upl-host/upl-host/host/report"
)

const (
	predictionsName = "predictions.csv"
	metricsName     = "metrics.json"
	confusionName   = "confusion.csv"
	modelsName      = "models.csv"
	reportName      = "report.html"
)

// evaluate classifies the test pictures, zero-shot and with what was learnt, and
// measures both where labels exist. It is the one stage that sees labels.
func (r *run) evaluate(ctx context.Context) (_ []string, err error) {
	classifier, err := learn.ReadClassifier(r.folder.Join(classifierName))
	if err != nil {
		return nil, err
	}
	features, err := r.features(0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, features.Close()) }()
	task := r.options.Display.Start("evaluate", len(r.kept.test), "pictures")
	defer task.End()

	e := &evaluation{run: r, features: features.Matrix, scale: float64(classifier.LogitScale), predictions: make([]evaluate.Prediction, len(r.kept.test))}
	metrics := evaluate.Metrics{
		Labels:   r.truth.Has(),
		Pictures: evaluate.Pictures{Unlabeled: len(r.kept.unlabeled), Test: len(r.kept.test), Skipped: r.kept.skipped},
	}
	zeroShot, err := e.measure(ctx, classifier.ZeroShot, func(p *evaluate.Prediction, class string, probability float32) {
		p.ZeroShot, p.ZeroShotProbability = class, probability
	})
	if err != nil {
		return nil, err
	}
	metrics.ZeroShot = zeroShot.Measures()
	e.confusions = zeroShot.Confusions("zero-shot")
	if classifier.Prompts > 0 {
		if metrics.Learned, err = e.learned(ctx, classifier.Learned); err != nil {
			return nil, err
		}
	}
	if metrics.PseudoLabels, err = r.measurePseudoLabels(""); err != nil {
		return nil, err
	}
	if metrics.Rounds, err = e.rounds(ctx, metrics); err != nil {
		return nil, err
	}
	if metrics.Unlabeled, err = r.measureModels(ctx); err != nil {
		return nil, err
	}
	task.Set(len(r.kept.test))
	if err := evaluate.WritePredictions(r.folder.Join(predictionsName), e.predictions); err != nil {
		return nil, err
	}
	if err := evaluate.WriteConfusions(r.folder.Join(confusionName), e.confusions); err != nil {
		return nil, err
	}
	return []string{predictionsName, confusionName, modelsName, metricsName}, evaluate.WriteMetrics(r.folder.Join(metricsName), metrics)
}

// evaluation classifies the same test pictures by several class features.
type evaluation struct {
	*run
	features    array.Matrix
	scale       float64
	predictions []evaluate.Prediction
	confusions  []evaluate.Confusion
}

// measure classifies all test pictures by class features; note is told each
// picture's prediction, and may be nil.
func (e *evaluation) measure(ctx context.Context, classes array.Matrix, note func(p *evaluate.Prediction, class string, probability float32)) (*evaluate.Classification, error) {
	c := evaluate.NewClassification(e.classNames, evaluate.CalibrationBins)
	err := label.Blocks(ctx, e.features, e.rows(0, e.kept.test), classes, e.scale, func(first int, probabilities array.Matrix) error {
		for k := range probabilities.Rows {
			row, picture := probabilities.Row(k), e.kept.test[first+k]
			if err := c.Add(row, e.truth.Label(picture)); err != nil {
				return fmt.Errorf("evaluating %s: %w", e.data.Pictures[picture].ID, err)
			}
			if note != nil {
				best := evaluate.Argmax(row)
				p := &e.predictions[first+k]
				p.Path, p.Label = e.data.Pictures[picture].ID, e.labelName(picture)
				note(p, e.classNames[best], row[best])
			}
		}
		return nil
	})
	return c, err
}

// learned measures the ensemble of prompts, each prompt alone, and the ensembles
// of the first of them.
func (e *evaluation) learned(ctx context.Context, ensemble array.Matrix) (*evaluate.Learned, error) {
	all, err := e.measure(ctx, ensemble, func(p *evaluate.Prediction, class string, probability float32) {
		p.Learned, p.LearnedProbability = class, probability
	})
	if err != nil {
		return nil, err
	}
	e.confusions = append(e.confusions, all.Confusions("learned")...)
	var seeds []evaluate.Seed
	var features []array.Matrix
	for _, seed := range e.config.Learn.Seeds {
		a, err := array.ReadFile(e.folder.Join(seedFeaturesName(seed)))
		if err != nil {
			return nil, err
		}
		classes, err := a.Matrix()
		if err != nil {
			return nil, err
		}
		one, err := e.measure(ctx, classes, nil)
		if err != nil {
			return nil, err
		}
		seeds = append(seeds, evaluate.Seed{Seed: seed, Top1: one.Measures().Top1})
		features = append(features, classes)
	}
	learned := evaluate.NewLearned(all.Measures(), seeds)
	learned.Ensembles, err = e.ensembles(ctx, features, learned)
	return learned, err
}

// rounds measures each round's pseudo labels and what was learned from them; the
// last one's are those of the run.
func (e *evaluation) rounds(ctx context.Context, last evaluate.Metrics) ([]evaluate.Round, error) {
	var rounds []evaluate.Round
	for i, record := range e.manifest.Rounds {
		round := evaluate.Round{Round: record.Round, PseudoLabels: last.PseudoLabels}
		if i == len(e.manifest.Rounds)-1 {
			round.Learned = last.Learned.Measures
			return append(rounds, round), nil
		}
		place := roundPlace(record.Round)
		classifier, err := learn.ReadClassifier(e.folder.Join(place + classifierName))
		if err != nil {
			return nil, err
		}
		if round.PseudoLabels, err = e.measurePseudoLabels(place); err != nil {
			return nil, err
		}
		c, err := e.measure(ctx, classifier.Learned, nil)
		if err != nil {
			return nil, err
		}
		round.Learned = c.Measures()
		rounds = append(rounds, round)
	}
	return rounds, nil
}

func (r *run) measurePseudoLabels(place string) (*evaluate.PseudoLabelMeasures, error) {
	picks, dropped, err := r.picksAt(place)
	if err != nil {
		return nil, err
	}
	measured := make([]evaluate.Pick, len(picks))
	for i, p := range picks {
		measured[i] = p.measured()
	}
	labels := make([]int, len(r.kept.unlabeled))
	for row, picture := range r.kept.unlabeled {
		labels[row] = r.truth.Label(picture)
	}
	m, err := evaluate.PseudoLabels(measured, labels, r.classNames, evaluate.ConfidenceBins)
	m.Dropped = dropped
	return &m, err
}

func (r *run) reportInputs() string {
	return digest(fmt.Sprint(r.config.Report))
}

// report writes report.html and the figures.
func (r *run) report(ctx context.Context) ([]string, error) {
	if !r.config.Report.Enabled {
		return nil, nil
	}
	task := r.options.Display.Start("report", 1, "page")
	defer task.End()
	// The report shows the manifest: it is to be complete but for this stage.
	if err := r.manifest.write(r.folder); err != nil {
		return nil, err
	}
	limits := preprocess.Limits{Pixels: r.config.Dataset.MaxPixels}
	err := report.Build(ctx, r.folder.Path, report.Options{Gallery: r.config.Report.Gallery, Thumbnail: report.Thumbnails(limits)})
	if err != nil {
		return nil, err
	}
	task.Set(1)
	return []string{reportName}, nil
}
