package evaluate

import (
	"fmt"
	"math"
	"strconv"
)

// Confident is the probability above which self-training takes a pseudo label:
// what it would leave of each class is UPL's Fig. 3.
const Confident = 0.9

// Unlabeled are the measures of the zero-shot predictions of the unlabeled
// pictures: of each model, and last of the ensemble that pseudo labels are made
// of. What needs labels is nil without them.
type Unlabeled struct {
	// Disagreement is the share of pictures for which not all models predict
	// the same class; absent with one model.
	Disagreement *float64        `json:"disagreement,omitempty"`
	Models       []ModelMeasures `json:"models"`
}

// ModelMeasures are those of one model's predictions; those of each class are
// ModelClass.
type ModelMeasures struct {
	Name                  string   `json:"name"`
	Top1                  *float64 `json:"top1,omitempty"`
	MeanPerClassRecall    *float64 `json:"mean_per_class_recall,omitempty"`
	MeanConfidence        *float64 `json:"mean_confidence,omitempty"`
	MeanPredictionEntropy *float64 `json:"mean_prediction_entropy,omitempty"`
	Coverage              *float64 `json:"coverage,omitempty"`
	// ByConfidence are all pictures as if each were picked.
	ByConfidence []PicksByConfidence `json:"by_confidence"`
}

// ModelClass is a row of models.csv: what a model predicts as a class.
type ModelClass struct {
	Model, Class string
	// Pictures have this label, Predicted are predicted as it, Correct are both.
	Pictures  *int
	Predicted int
	Correct   *int
	// Confident are predicted as it with a probability above Confident;
	// of them ConfidentLabelled have a known label, which is right in
	// ConfidentCorrect.
	Confident         int
	ConfidentLabelled *int
	ConfidentCorrect  *int
}

// Tally takes in a model's probabilities of the unlabeled pictures row by row.
// It leaves out what takes a logarithm of each probability: there are many rows.
type Tally struct {
	model             string
	classes           []string
	rows, labelled    int
	confidence        float64
	prediction        []float64 // sum of all rows
	pictures, correct []int     // by class
	predicted         []int
	confident         []tally // by class predicted
	bins              []tally
}

// NewTally starts with no rows.
func NewTally(model string, classes []string) *Tally {
	n := len(classes)
	return &Tally{
		model: model, classes: classes, prediction: make([]float64, n),
		pictures: make([]int, n), correct: make([]int, n), predicted: make([]int, n),
		confident: make([]tally, n), bins: make([]tally, ConfidenceBins),
	}
}

// Add takes in one picture, its label below zero where it is unknown, and
// returns the class predicted.
func (t *Tally) Add(probabilities []float32, label int) (predicted int, err error) {
	switch {
	case len(probabilities) != len(t.classes) || len(probabilities) == 0:
		return 0, fmt.Errorf("evaluating picture %d: %d probabilities for %d classes", t.rows, len(probabilities), len(t.classes))
	case label >= len(t.classes):
		return 0, fmt.Errorf("evaluating picture %d: label %d of %d classes", t.rows, label, len(t.classes))
	}
	y := Argmax(probabilities)
	confidence := float64(probabilities[y])
	if math.IsNaN(confidence) || math.IsInf(confidence, 0) {
		return 0, fmt.Errorf("evaluating picture %d: the probability of class %d is %v", t.rows, y, confidence)
	}
	t.rows++
	t.confidence += confidence
	for class, p := range probabilities {
		t.prediction[class] += float64(p)
	}
	t.predicted[y]++
	t.bins[binOf(confidence, len(t.bins))].add(Pick{Class: y}, label)
	if confidence > Confident {
		t.confident[y].add(Pick{Class: y}, label)
	}
	if label >= 0 {
		t.labelled++
		t.pictures[label]++
		if y == label {
			t.correct[y]++
		}
	}
	return y, nil
}

// Measures returns the measures of the rows so far.
func (t *Tally) Measures() ModelMeasures {
	m := ModelMeasures{Name: t.model}
	if t.rows > 0 {
		m.MeanConfidence = ratio(t.confidence, t.rows)
		m.MeanPredictionEntropy = pointer(entropyOfMean(t.prediction, t.rows))
		m.Coverage = coverage(t.predicted)
	}
	if t.labelled > 0 {
		var correct, withLabels int
		var recall float64
		for class, n := range t.pictures {
			if n > 0 {
				withLabels++
				recall += float64(t.correct[class]) / float64(n)
				correct += t.correct[class]
			}
		}
		m.Top1, m.MeanPerClassRecall = ratio(float64(correct), t.labelled), ratio(recall, withLabels)
	}
	m.ByConfidence = picksByConfidence(t.bins, t.labelled > 0)
	return m
}

// Classes returns the model's rows of models.csv.
func (t *Tally) Classes() []ModelClass {
	rows := make([]ModelClass, len(t.classes))
	for c, name := range t.classes {
		rows[c] = ModelClass{Model: t.model, Class: name, Predicted: t.predicted[c], Confident: t.confident[c].count}
		if t.labelled > 0 {
			rows[c].Pictures, rows[c].Correct = pointer(t.pictures[c]), pointer(t.correct[c])
			rows[c].ConfidentLabelled, rows[c].ConfidentCorrect = pointer(t.confident[c].labelled), pointer(t.confident[c].correct)
		}
	}
	return rows
}

// coverage is the share of classes with a prediction; nil without classes.
func coverage(predicted []int) *float64 {
	if len(predicted) == 0 {
		return nil
	}
	covered := 0
	for _, n := range predicted {
		if n > 0 {
			covered++
		}
	}
	return ratio(float64(covered), len(predicted))
}

var modelClassColumns = []string{
	"model", "class", "pictures", "predicted", "correct", "confident", "confident_labelled", "confident_correct",
}

// WriteModelClasses writes models.csv, whole or not at all.
func WriteModelClasses(path string, rows []ModelClass) error {
	return writeTable(path, modelClassColumns, len(rows), func(i int) []string {
		r := rows[i]
		return []string{
			r.Model, r.Class, optional(r.Pictures), strconv.Itoa(r.Predicted), optional(r.Correct),
			strconv.Itoa(r.Confident), optional(r.ConfidentLabelled), optional(r.ConfidentCorrect),
		}
	})
}

// ReadModelClasses reads models.csv; a fault is a *TableError.
func ReadModelClasses(path string) ([]ModelClass, error) {
	var rows []ModelClass
	err := readTable(path, modelClassColumns, func(row []string) error {
		counts := make([]*int, len(row))
		for i := 2; i < len(row); i++ {
			if row[i] == "" {
				continue
			}
			n, err := strconv.Atoi(row[i])
			if err != nil || n < 0 {
				return fmt.Errorf("%s: %q is no count", modelClassColumns[i], row[i])
			}
			counts[i] = &n
		}
		for _, i := range []int{3, 5} {
			if counts[i] == nil {
				return fmt.Errorf("%s: there is no count", modelClassColumns[i])
			}
		}
		rows = append(rows, ModelClass{
			Model: row[0], Class: row[1], Pictures: counts[2], Predicted: *counts[3], Correct: counts[4],
			Confident: *counts[5], ConfidentLabelled: counts[6], ConfidentCorrect: counts[7],
		})
		return nil
	})
	return rows, err
}

// optional is a count, or nothing.
func optional(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}
