package probe_test

import (
	"math"
	"testing"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn"
	"github.com/upl-host/upl-host/host/learn/numeric"
	"github.com/upl-host/upl-host/host/learn/probe"
)

// clustered are pictures of each class around its centre, of length 1.
func clustered(classes, shots, width int) (features array.Matrix, targets numeric.Targets) {
	centres := learn.RandomContext(1, classes, width)
	features, targets = learn.RandomContext(2, classes*shots, width), numeric.NewTargets(classes*shots, classes, false)
	for i := range features.Rows {
		row, square := features.Row(i), 0.0
		for d, v := range centres.Row(i % classes) {
			row[d] = v + 6*row[d]
			square += float64(row[d]) * float64(row[d])
		}
		for d := range row {
			row[d] /= float32(math.Sqrt(square))
		}
		targets.Row(i)[i%classes] = 1
	}
	return features, targets
}

// BenchmarkFit is a fit of ImageNet's size, 16 pictures of each of 1000 classes, 1024
// features; a search has 13 to 15 fits.
func BenchmarkFit(b *testing.B) {
	features, targets := clustered(1000, 16, 1024)
	for b.Loop() {
		if _, err := probe.Fit(b.Context(), features, targets, probe.DefaultL2); err != nil {
			b.Fatal(err)
		}
	}
}
