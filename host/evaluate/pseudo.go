package evaluate

import (
	"fmt"
	"math"
	"slices"
)

// ConfidenceBins is the number of equal-width bins over which the accuracy of
// pseudo labels is shown (UPL, Fig. 4).
const ConfidenceBins = 10

// Pick is a pseudo label: a row of the unlabelled pictures, the class that it
// is given, and the probability of that class. Of a soft label, and of a candidate
// set, that is the likeliest class.
type Pick struct {
	Row, Class  int
	Probability float32
	Soft        bool
	// Set are the candidates, Class among them: right if the label is one of them.
	// nil: not a candidate set.
	Set []int
}

func (p Pick) right(label int) bool {
	return label >= 0 && (label == p.Class || slices.Contains(p.Set, label))
}

// PseudoLabelMeasures are those of a selection of pseudo labels. What needs
// labels is nil without them.
type PseudoLabelMeasures struct {
	Count int `json:"count"`
	// Soft counts the soft ones, Sets measures the candidate sets, and Dropped counts
	// the pictures that were said not to be fit to learn from.
	Soft    int          `json:"soft,omitempty"`
	Sets    *SetMeasures `json:"candidate_sets,omitempty"`
	Dropped int          `json:"dropped,omitempty"`
	// Accuracy is the share of picks that are right (precision; the paper's
	// reference code calls it "Acc Rate").
	Accuracy *float64 `json:"accuracy,omitempty"`
	// Recall is the share of the labelled pictures that were picked rightly.
	Recall       *float64            `json:"recall,omitempty"`
	EmptyClasses []string            `json:"empty_classes"`
	PerClass     []ClassPicks        `json:"per_class"`
	ByConfidence []PicksByConfidence `json:"by_confidence,omitempty"`
}

// SetMeasures are those of candidate sets.
type SetMeasures struct {
	Count int `json:"count"`
	// MeanSize is that of their numbers of classes.
	MeanSize float64 `json:"mean_size"`
	// Coverage is the share of sets, of pictures with a label, that hold the label.
	Coverage *float64 `json:"coverage,omitempty"`
}

// measureSets measures the candidate sets among picks; nil without any.
func measureSets(picks []Pick, labels []int) *SetMeasures {
	var all tally
	size := 0
	for _, pick := range picks {
		if pick.Set != nil {
			all.add(pick, labels[pick.Row])
			size += len(pick.Set)
		}
	}
	if all.count == 0 {
		return nil
	}
	m := &SetMeasures{Count: all.count, MeanSize: float64(size) / float64(all.count)}
	if all.labelled > 0 {
		m.Coverage = ratio(float64(all.correct), all.labelled)
	}
	return m
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

func (t *tally) add(pick Pick, label int) {
	t.count++
	if label >= 0 {
		t.labelled++
	}
	if pick.right(label) {
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
	perClass, perBin, named := make([]tally, len(classes)), make([]tally, bins), make([]bool, len(classes))
	var all tally
	soft := 0
	for i, pick := range picks {
		switch {
		case pick.Row < 0 || pick.Row >= len(labels):
			return PseudoLabelMeasures{}, fmt.Errorf("evaluating pseudo label %d: row %d of %d pictures", i, pick.Row, len(labels))
		case pick.Class < 0 || pick.Class >= len(classes):
			return PseudoLabelMeasures{}, fmt.Errorf("evaluating pseudo label %d: class %d of %d", i, pick.Class, len(classes))
		case len(pick.Set) > 0 && (slices.Min(pick.Set) < 0 || slices.Max(pick.Set) >= len(classes)):
			return PseudoLabelMeasures{}, fmt.Errorf("evaluating pseudo label %d: a candidate of %v, of %d classes", i, pick.Set, len(classes))
		case math.IsNaN(float64(pick.Probability)):
			return PseudoLabelMeasures{}, fmt.Errorf("evaluating pseudo label %d: its probability is no number", i)
		}
		label := labels[pick.Row]
		all.add(pick, label)
		perClass[pick.Class].add(pick, label)
		named[pick.Class] = true
		for _, class := range pick.Set {
			named[class] = true
		}
		if bins > 0 {
			perBin[binOf(float64(pick.Probability), bins)].add(pick, label)
		}
		if pick.Soft {
			soft++
		}
	}

	m := PseudoLabelMeasures{Count: all.count, Soft: soft, Sets: measureSets(picks, labels), EmptyClasses: []string{}}
	withLabel, ofClass := 0, make([]int, len(classes))
	for _, label := range labels {
		if label >= 0 {
			withLabel++
			if label < len(ofClass) {
				ofClass[label]++
			}
		}
	}
	if all.labelled > 0 {
		m.Accuracy = ratio(float64(all.correct), all.labelled)
	}
	if withLabel > 0 {
		m.Recall = ratio(float64(all.correct), withLabel)
	}
	for c, t := range perClass {
		if !named[c] {
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
