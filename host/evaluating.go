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
	confusionName   = "confusion.csv"
	modelsName      = "models.csv"
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
	classifier, err := x.readClassifier(ctx, classifierName)
	if err != nil {
		return nil, err
	}
	features, err := x.features(0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, features.Close()) }()
	task := x.display.Start("evaluate", len(x.kept.test), "pictures")
	defer task.End()

	e := &evaluation{examiner: x, classifier: &classifier, features: features.Matrix, predictions: make([]evaluate.Prediction, len(x.kept.test))}
	defer func() { err = errors.Join(err, e.compared.forget()) }()
	metrics, err := e.metrics(ctx)
	if err != nil {
		return nil, err
	}
	task.Set(len(x.kept.test))
	if err := evaluate.WritePredictions(x.folder.Join(predictionsName), e.predictions); err != nil {
		return nil, err
	}
	if err := evaluate.WriteConfusions(x.folder.Join(confusionName), e.confusions); err != nil {
		return nil, err
	}
	return []string{predictionsName, confusionName, modelsName, metricsName}, evaluate.WriteMetrics(x.folder.Join(metricsName), metrics)
}

// evaluation classifies the same test pictures by several heads.
type evaluation struct {
	*examiner
	classifier  *learn.Classifier
	features    array.Matrix
	predictions []evaluate.Prediction
	confusions  []evaluate.Confusion
	compared    *comparison // nil where nothing is compared but by inner products
}

// metrics are all that is measured.
func (e *evaluation) metrics(ctx context.Context) (metrics evaluate.Metrics, err error) {
	metrics = evaluate.Metrics{
		Labels:   e.truth.Has(),
		Pictures: evaluate.Pictures{Unlabeled: len(e.kept.unlabeled), Test: len(e.kept.test), Skipped: e.kept.skipped},
	}
	zeroShot, err := e.measure(ctx, e.classifier.ByZeroShot(), func(p *evaluate.Prediction, class string, probability float32) {
		p.ZeroShot, p.ZeroShotProbability = class, probability
	})
	if err != nil {
		return metrics, err
	}
	metrics.ZeroShot = zeroShot.Measures()
	e.confusions = zeroShot.Confusions("zero-shot")
	if e.classifier.Prompts > 0 || len(e.classifier.Heads) > 0 {
		if metrics.Learned, err = e.learned(ctx); err != nil {
			return metrics, err
		}
	}
	if metrics.PseudoLabels, err = e.measurePseudoLabels(""); err != nil {
		return metrics, err
	}
	if metrics.Rounds, err = e.rounds(ctx, metrics); err != nil {
		return metrics, err
	}
	metrics.Unlabeled, err = e.measureModels(ctx)
	return metrics, err
}

// measure classifies all test pictures by a head; note is told each
// picture's prediction, and may be nil.
func (e *evaluation) measure(ctx context.Context, h head.Head, note func(p *evaluate.Prediction, class string, probability float32)) (*evaluate.Classification, error) {
	c := evaluate.NewClassification(e.classNames, evaluate.CalibrationBins)
	features, rows := e.shown(h)
	err := label.Blocks(ctx, features, rows, h, func(first int, probabilities array.Matrix) error {
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

// learned measures what the seeds learnt: their ensemble, each alone, and the ensembles
// of the first of them.
func (e *evaluation) learned(ctx context.Context) (*evaluate.Learned, error) {
	best, heads, first := e.classifier.Best(), e.classifier.Heads, e.firstHeads
	var err error
	if len(heads) == 0 {
		if heads, first, err = e.prompts(ctx); err != nil {
			return nil, err
		}
	}
	if e.compared != nil {
		if best, err = first(len(heads)); err != nil {
			return nil, err
		}
	}
	all, err := e.measure(ctx, best, func(p *evaluate.Prediction, class string, probability float32) {
		p.Learned, p.LearnedProbability = class, probability
	})
	if err != nil {
		return nil, err
	}
	e.confusions = append(e.confusions, all.Confusions("learned")...)
	var seeds []evaluate.Seed
	for _, h := range heads {
		one, err := e.measure(ctx, h.Head, nil)
		if err != nil {
			return nil, err
		}
		seeds = append(seeds, evaluate.Seed{Seed: h.Seed, Top1: one.Measures().Top1})
	}
	learned := evaluate.NewLearned(all.Measures(), seeds)
	learned.Method, learned.Labels, learned.Deterministic = e.config.Learn.Method, e.config.Learn.Labels, e.classifier.Deterministic
	learned.Ensembles, err = e.ensembles(ctx, first, learned)
	return learned, err
}

// firstHeads is the ensemble of the first n seeds' heads.
func (e *evaluation) firstHeads(n int) (head.Head, error) {
	return learn.Classifier{Heads: e.classifier.Heads[:n]}.Best(), nil
}

// prompts are the class features of each seed's prompt, and the ensemble of the first n.
func (e *evaluation) prompts(ctx context.Context) (heads []learn.SeedHead, first func(n int) (head.Head, error), err error) {
	var features []array.Matrix
	for _, seed := range e.config.Learn.Seeds {
		a, err := array.ReadFile(e.folder.Join(e.seedTextsName(seed)))
		if err != nil {
			return nil, nil, err
		}
		classes, err := a.Matrix()
		if err != nil {
			return nil, nil, err
		}
		features = append(features, classes)
		one, err := e.classifier.ByPrompts(features[len(features)-1:])
		if err != nil {
			return nil, nil, err
		}
		heads = append(heads, learn.SeedHead{Seed: seed, Head: one})
	}
	if e.classifier.TextClasses != nil {
		return e.compareOnce(ctx, heads)
	}
	return heads, func(n int) (head.Head, error) { return e.classifier.ByPrompts(features[:n]) }, nil
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
		classifier, err := e.readClassifier(ctx, place+classifierName)
		if err != nil {
			return nil, err
		}
		if round.PseudoLabels, err = e.measurePseudoLabels(place); err != nil {
			return nil, err
		}
		c, err := e.measure(ctx, classifier.Best(), nil)
		if err != nil {
			return nil, err
		}
		round.Learned = c.Measures()
		rounds = append(rounds, round)
	}
	return rounds, nil
}

// measurePseudoLabels measures those below a place, "" or "rounds/1/".
func (x *examiner) measurePseudoLabels(place string) (*evaluate.PseudoLabelMeasures, error) {
	picks, dropped, err := x.picksAt(place)
	if err != nil {
		return nil, err
	}
	measured := make([]evaluate.Pick, len(picks))
	for i, p := range picks {
		measured[i] = p.measured()
	}
	labels := make([]int, len(x.kept.unlabeled))
	for row, picture := range x.kept.unlabeled {
		labels[row] = x.truth.Label(picture)
	}
	m, err := evaluate.PseudoLabels(measured, labels, x.classNames, evaluate.ConfidenceBins)
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
	task := r.display.Start("report", 1, "page")
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
