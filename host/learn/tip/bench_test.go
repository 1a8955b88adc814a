package tip_test

import (
	"testing"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn"
	"github.com/upl-host/upl-host/host/learn/numeric"
	"github.com/upl-host/upl-host/host/learn/tip"
)

// ofImageNet is a cache of ImageNet's size: 16 pictures of each of 1000 classes, 1024
// features.
func ofImageNet() (c tip.Cache, targets numeric.Targets) {
	const classes, shots, width = 1000, 16, 1024
	keys := unit(learn.RandomContext(1, classes*shots, width))
	targets = numeric.NewTargets(keys.Rows, classes, false)
	for k := range keys.Rows {
		targets.Row(k)[k%classes] = 1
	}
	return tip.Cache{
		Keys: keys, Values: tip.Values(targets), Text: unit(learn.RandomContext(2, classes, width)), Scale: 100, Alpha: 1.17, Beta: 1,
	}, targets
}

func unit(m array.Matrix) array.Matrix {
	for i := range m.Rows {
		copy(m.Row(i), tip.MeanKeys([]array.Matrix{m.Slice(i, i+1), m.Slice(i, i+1)}).Data)
	}
	return m
}

// BenchmarkSearch is the published search for as many pictures as are looked at in a
// block: the time of ImageNet's 50,000 is 195 times that.
func BenchmarkSearch(b *testing.B) {
	c, _ := ofImageNet()
	features, labels := unit(learn.RandomContext(3, 256, 1024)), make([]int, 256)
	grid := tip.Grid{BetaMax: 7, AlphaMax: 3, BetaSteps: tip.PublishedBetaSteps, AlphaSteps: tip.PublishedAlphaSteps}
	for b.Loop() {
		if _, err := c.Search(b.Context(), features, labels, grid); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStep is a step of Tip-Adapter-F: 20 epochs are 1260.
func BenchmarkStep(b *testing.B) {
	c, targets := ofImageNet()
	trainer := tip.NewTrainer(c, tip.PublishedBatch, tip.PublishedRate, tip.PublishedDecay)
	step := 0
	for b.Loop() {
		trainer.Step(numeric.Batch{
			Features: c.Keys.Slice(0, tip.PublishedBatch), Targets: targets.Slice(0, tip.PublishedBatch), Step: step % 1260, Steps: 1260,
		})
		step++
	}
}
