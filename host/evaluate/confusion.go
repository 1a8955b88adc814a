package evaluate

import (
	"sort"
	"strconv"
)

// Confusion is a cell of a confusion matrix that is not 0.
type Confusion struct {
	Classifier, Label, Predicted string
	Pictures                     int
}

var confusionColumns = []string{"classifier", "label", "predicted", "pictures"}

// Confusions returns the cells of the confusion matrix, by label and prediction
// in the order of the classes.
func (c *Classification) Confusions(classifier string) []Confusion {
	pairs := make([]Pair, 0, len(c.confusion))
	for pair := range c.confusion {
		pairs = append(pairs, pair)
	}
	sort.Slice(pairs, func(i, j int) bool {
		if pairs[i].Label != pairs[j].Label {
			return pairs[i].Label < pairs[j].Label
		}
		return pairs[i].Predicted < pairs[j].Predicted
	})
	cells := make([]Confusion, len(pairs))
	for i, pair := range pairs {
		cells[i] = Confusion{Classifier: classifier, Label: c.classes[pair.Label], Predicted: c.classes[pair.Predicted], Pictures: c.confusion[pair]}
	}
	return cells
}

// WriteConfusions writes confusion.csv, whole or not at all.
func WriteConfusions(path string, cells []Confusion) error {
	return writeTable(path, confusionColumns, len(cells), func(i int) []string {
		c := cells[i]
		return []string{c.Classifier, c.Label, c.Predicted, strconv.Itoa(c.Pictures)}
	})
}
