package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/host/dataset"
	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/host/label"
	"github.com/upl-host/upl-host/host/learn"
	"github.com/upl-host/upl-host/host/learn/head"
	"github.com/upl-host/upl-host/host/report"
)

const (
	predictionsName = "predictions.csv"
	metricsName     = "metrics.json"
	reportName      = "report.html"
)

// examiner holds the true labels. No other part of a run does: what selects and learns
// is handed none, or, to learn from true labels, a dataset.Supervision, which knows no
// test picture's.
type examiner struct {
	*run
	truth *dataset.Truth
}

// labelName is the class name of a picture's label, empty where there is none.
func (x *examiner) labelName(picture int) string {
	if label := x.truth.Label(picture); label >= 0 {
		return x.classNames[label]
	}
	return ""
}

// evaluate classifies the test pictures, zero-shot and with what was learnt, and
// measures both where labels exist.
func (x *examiner) evaluate(ctx context.Context) (_ []string, err error) {
	classifier, err := learn.ReadClassifier(x.folder.Join(classifierName))
	if err != nil {
		return nil, err
	}
	features, err := x.features(0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, features.Close()) }()
	task := x.options.Display.Start("evaluate", len(x.kept.test), "pictures")
	defer task.End()

	e := &evaluation{examiner: x, classifier: &classifier, features: features.Matrix, predictions: make([]evaluate.Prediction, len(x.kept.test))}
	metrics := evaluate.Metrics{
		Labels:   x.truth.Has(),
		Pictures: evaluate.Pictures{Unlabeled: len(x.kept.unlabeled), Test: len(x.kept.test), Skipped: x.kept.skipped},
	}
	metrics.ZeroShot, err = e.measure(ctx, classifier.ByFeatures(classifier.ZeroShot), func(p *evaluate.Prediction, class string, probability float32) {
		p.ZeroShot, p.ZeroShotProbability = class, probability
	})
	if err != nil {
		return nil, err
	}
	if classifier.Prompts > 0 || len(classifier.Heads) > 0 {
		if metrics.Learned, err = e.learned(ctx); err != nil {
			return nil, err
		}
	}
	if metrics.PseudoLabels, err = x.measurePseudoLabels(); err != nil {
		return nil, err
	}
	task.Set(len(x.kept.test))
	if err := evaluate.WritePredictions(x.folder.Join(predictionsName), e.predictions); err != nil {
		return nil, err
	}
	return []string{predictionsName, metricsName}, evaluate.WriteMetrics(x.folder.Join(metricsName), metrics)
}

// evaluation classifies the same test pictures by several heads.
type evaluation struct {
	*examiner
	classifier  *learn.Classifier
	features    array.Matrix
	predictions []evaluate.Prediction
}

// measure classifies all test pictures by a head; note is told each
// picture's prediction, and may be nil.
func (e *evaluation) measure(ctx context.Context, h head.Head, note func(p *evaluate.Prediction, class string, probability float32)) (evaluate.Measures, error) {
	c := evaluate.NewClassification(e.classNames, evaluate.CalibrationBins)
	err := label.Blocks(ctx, e.features, e.rows(0, e.kept.test), h, func(first int, probabilities array.Matrix) error {
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
	return c.Measures(), err
}

// learned measures what the seeds learnt: their ensemble, and each alone.
func (e *evaluation) learned(ctx context.Context) (*evaluate.Learned, error) {
	measures, err := e.measure(ctx, e.classifier.Best(), func(p *evaluate.Prediction, class string, probability float32) {
		p.Learned, p.LearnedProbability = class, probability
	})
	if err != nil {
		return nil, err
	}
	heads := e.classifier.Heads
	if len(heads) == 0 {
		if heads, err = e.prompts(); err != nil {
			return nil, err
		}
	}
	var seeds []evaluate.Seed
	for _, h := range heads {
		one, err := e.measure(ctx, h.Head, nil)
		if err != nil {
			return nil, err
		}
		seeds = append(seeds, evaluate.Seed{Seed: h.Seed, Top1: one.Top1})
	}
	learned := evaluate.NewLearned(measures, seeds)
	learned.Method, learned.Labels, learned.Deterministic = e.config.Learn.Method, e.config.Learn.Labels, e.classifier.Deterministic
	return learned, nil
}

// prompts are the class features of each seed's prompt.
func (e *evaluation) prompts() (heads []learn.SeedHead, err error) {
	for _, seed := range e.config.Learn.Seeds {
		a, err := array.ReadFile(e.folder.Join(seedFeaturesName(seed)))
		if err != nil {
			return nil, err
		}
		classes, err := a.Matrix()
		if err != nil {
			return nil, err
		}
		heads = append(heads, learn.SeedHead{Seed: seed, Head: e.classifier.ByFeatures(classes)})
	}
	return heads, nil
}

func (x *examiner) measurePseudoLabels() (*evaluate.PseudoLabelMeasures, error) {
	picks, err := x.picks()
	if err != nil {
		return nil, err
	}
	measured := make([]evaluate.Pick, len(picks))
	for i, p := range picks {
		measured[i] = evaluate.Pick{Row: p.row, Class: p.class, Probability: p.probability}
	}
	labels := make([]int, len(x.kept.unlabeled))
	for row, picture := range x.kept.unlabeled {
		labels[row] = x.truth.Label(picture)
	}
	m, err := evaluate.PseudoLabels(measured, labels, x.classNames, evaluate.ConfidenceBins)
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
	err := report.Build(ctx, r.folder.Path, report.Options{
		Gallery: r.config.Report.Gallery, Read: r.readPicture, Thumbnail: report.Thumbnails(limits),
	})
	if err != nil {
		return nil, err
	}
	task.Set(1)
	return []string{reportName}, nil
}
