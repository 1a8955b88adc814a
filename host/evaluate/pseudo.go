package evaluate

import (
	"fmt"
	"math"
)

// ConfidenceBins is the number of equal-width bins over which the accuracy of
// pseudo labels is shown (UPL, Fig. 4).
const ConfidenceBins = 10

// Pick is a pseudo label: a row of the unlabelled pictures, the class that it
// is given, and the probability of that class.
type Pick struct {
	Row, Class  int
	Probability float32
}

// PseudoLabelMeasures are those of a selection of hard pseudo labels. What
// needs labels is nil without them.
type PseudoLabelMeasures struct {
	Count int `json:"count"`
	// Accuracy is the share of picks that are right (precision; the paper's
	// reference code calls it "Acc Rate").
	Accuracy *float64 `json:"accuracy,omitempty"`
	// Recall is the share of the labelled pictures that were picked rightly.
	Recall       *float64            `json:"recall,omitempty"`
	EmptyClasses []string            `json:"empty_classes"`
	PerClass     []ClassPicks        `json:"per_class"`
	ByConfidence []PicksByConfidence `json:"by_confidence,omitempty"`
}

// ClassPicks are the pseudo labels of one class.
type ClassPicks struct {
	Class string `json:"class"`
	Count int    `json:"count"`
	// Labelled is the number of them whose label is known; absent where that
	// is all of them, or none.
	Labelled *int `json:"labelled,omitempty"`
	Correct  *int `json:"correct,omitempty"`
	// Precision is the right share of them, Recall the share of the class's
	// labelled pictures that were picked rightly.
	Precision *float64 `json:"precision,omitempty"`
	Recall    *float64 `json:"recall,omitempty"`
}

// PicksByConfidence are the pseudo labels with a probability in (From, To];
// the first bin also holds its left edge.
type PicksByConfidence struct {
	From     float64 `json:"from"`
	To       float64 `json:"to"`
	Count    int     `json:"count"`
	Labelled *int    `json:"labelled,omitempty"`
	Correct  *int    `json:"correct,omitempty"`
	// Precision is the right share of them.
	Precision *float64 `json:"precision,omitempty"`
}

// Known returns how many of the picks have a known label: what Correct is a
// part of.
func (c ClassPicks) Known() int { return known(c.Count, c.Labelled, c.Correct) }

// Known returns how many of the picks have a known label.
func (c PicksByConfidence) Known() int { return known(c.Count, c.Labelled, c.Correct) }

func known(count int, labelled, correct *int) int {
	switch {
	case labelled != nil:
		return *labelled
	case correct != nil:
		return count
	}
	return 0
}

// tally counts picks, those with a known label, and the right ones.
type tally struct{ count, labelled, correct int }

func (t *tally) add(class, label int) {
	t.count++
	if label >= 0 {
		t.labelled++
	}
	if label == class {
		t.correct++
	}
}

// pointers returns what JSON shows of the part with labels.
func (t tally) pointers(labels bool) (labelled, correct *int, precision *float64) {
	if !labels {
		return nil, nil, nil
	}
	if t.labelled < t.count {
		labelled = pointer(t.labelled)
	}
	if t.labelled > 0 {
		precision = ratio(float64(t.correct), t.labelled)
	}
	return labelled, pointer(t.correct), precision
}

// PseudoLabels measures picks against the labels of the unlabelled pictures,
// by row; below zero where unknown. bins is the number of bins of confidence:
// ConfidenceBins; 0: probabilities are of no consequence.
func PseudoLabels(picks []Pick, labels []int, classes []string, bins int) (PseudoLabelMeasures, error) {
	perClass, perBin := make([]tally, len(classes)), make([]tally, bins)
	var all tally
	for i, pick := range picks {
		switch {
		case pick.Row < 0 || pick.Row >= len(labels):
			return PseudoLabelMeasures{}, fmt.Errorf("evaluating pseudo label %d: row %d of %d pictures", i, pick.Row, len(labels))
		case pick.Class < 0 || pick.Class >= len(classes):
			return PseudoLabelMeasures{}, fmt.Errorf("evaluating pseudo label %d: class %d of %d", i, pick.Class, len(classes))
		case math.IsNaN(float64(pick.Probability)):
			return PseudoLabelMeasures{}, fmt.Errorf("evaluating pseudo label %d: its probability is no number", i)
		}
		label := labels[pick.Row]
		all.add(pick.Class, label)
		perClass[pick.Class].add(pick.Class, label)
		if bins > 0 {
			perBin[binOf(float64(pick.Probability), bins)].add(pick.Class, label)
		}
	}

	m := PseudoLabelMeasures{Count: all.count, EmptyClasses: []string{}}
	withLabel, ofClass := 0, make([]int, len(classes))
	for _, label := range labels {
		if label >= 0 {
			withLabel++
			ofClass[label]++
		}
	}
	if all.labelled > 0 {
		m.Accuracy = ratio(float64(all.correct), all.labelled)
	}
	if withLabel > 0 {
		m.Recall = ratio(float64(all.correct), withLabel)
	}
	for c, t := range perClass {
		if t.count == 0 {
			m.EmptyClasses = append(m.EmptyClasses, classes[c])
		}
		row := ClassPicks{Class: classes[c], Count: t.count}
		row.Labelled, row.Correct, row.Precision = t.pointers(withLabel > 0)
		if ofClass[c] > 0 {
			row.Recall = ratio(float64(t.correct), ofClass[c])
		}
		m.PerClass = append(m.PerClass, row)
	}
	m.ByConfidence = picksByConfidence(perBin, withLabel > 0)
	return m, nil
}

func picksByConfidence(bins []tally, labels bool) []PicksByConfidence {
	var rows []PicksByConfidence
	n := float64(len(bins))
	for b, t := range bins {
		row := PicksByConfidence{From: float64(b) / n, To: float64(b+1) / n, Count: t.count}
		row.Labelled, row.Correct, row.Precision = t.pointers(labels)
		rows = append(rows, row)
	}
	return rows
}
