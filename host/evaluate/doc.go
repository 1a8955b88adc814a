// Package evaluate is the room where predictions are judged: measures of a
// classifier with and without labels, of pseudo labels, and of the difference
// between two classifiers on the same pictures; and the files that hold them
// (metrics.json, predictions.csv, pseudo_labels.csv).
//
// Conventions. Probabilities come as float32 and are summed in float64, in row
// order. The prediction is the most probable class; of equals the lowest. A
// label below zero is unknown: such a row counts for the measures that need no
// label, and for no other. A measure that is not defined (no labels, a class
// that does not occur) is absent, a nil pointer: never zero. Accuracies are
// fractions in [0, 1], entropies are in nats, and a logarithm is taken of no
// less than 2^-126, the smallest normal float32.
package evaluate
