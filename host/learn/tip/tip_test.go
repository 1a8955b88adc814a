package tip_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn/internal/golden"
	"github.com/upl-host/upl-host/host/learn/numeric"
	"github.com/upl-host/upl-host/host/learn/tip"
)

func TestMeanKeys(t *testing.T) {
	for _, c := range golden.Cases(t, "tip-cache") {
		golden.Near(t, c.Name, tip.MeanKeys(c.Matrices(t, c.Params.Views)), c.Want(t, "keys")[0], 1e-6)
	}
}

func cache(t *testing.T, c golden.Case) tip.Cache {
	t.Helper()
	keys, _, targets := c.Pictures(t, c.Params.ShotRows)
	return tip.Cache{
		Keys: keys, Values: tip.Values(targets), Text: c.Matrix(t, "text_features"),
		Scale: c.Params.Scale, Alpha: c.Params.Alpha, Beta: c.Params.Beta,
	}
}

func TestLogits(t *testing.T) {
	for _, c := range golden.Cases(t, "tip-adapter") {
		cache, features, want := cache(t, c), c.Matrix(t, "features"), c.Want(t, "logits")[0]
		if err := cache.Validate(); err != nil {
			t.Error(err)
		}
		golden.SomeThreads(t, func() []float32 {
			logits := array.NewMatrix(features.Rows, cache.Classes())
			cache.Logits(features, logits)
			golden.Near(t, c.Name, logits, want, golden.LogitsTolerance)
			return logits.Data
		})
	}
}

func TestSearch(t *testing.T) {
	for _, c := range golden.Cases(t, "tip-search") {
		features, labels, _ := c.Pictures(t, c.Params.Rows)
		scale, steps := c.Params.SearchScale, c.Params.SearchStep
		found, err := cache(t, c).Search(t.Context(), features, labels, tip.Grid{
			BetaMax: scale[0], AlphaMax: scale[1], BetaSteps: steps[0], AlphaSteps: steps[1],
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.Ints(t, "correct"), slices.Concat(found.Correct...)); diff != "" {
			t.Errorf("%s: %s", c.Name, diff)
		}
		golden.NearNumber(t, c.Name+" beta", found.Beta, c.Numbers(t, "best_beta")[0], 1e-9)
		golden.NearNumber(t, c.Name+" alpha", found.Alpha, c.Numbers(t, "best_alpha")[0], 1e-9)
		if want := c.Ints(t, "best_correct")[0]; found.Best != want || found.Pictures != len(labels) {
			t.Errorf("%s: %d of %d right, want %d", c.Name, found.Best, found.Pictures, want)
		}
	}
}

func TestSearchFindsNothing(t *testing.T) {
	c := golden.Cases(t, "tip-search")[0]
	none, err := cache(t, c).Search(t.Context(), array.NewMatrix(0, 32), nil, tip.Grid{BetaMax: 1, AlphaMax: 1, BetaSteps: 2, AlphaSteps: 2})
	if err != nil || none.Best != 0 || none.Alpha != 0 || none.Beta != 0 {
		t.Errorf("without pictures the search finds %+v, %v", none, err)
	}
	features, labels, _ := c.Pictures(t, c.Params.Rows)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := cache(t, c).Search(ended, features, labels, tip.Grid{BetaMax: 1, AlphaMax: 1, BetaSteps: 2, AlphaSteps: 2}); !errors.Is(err, context.Canceled) {
		t.Errorf("a search that is stopped ends with %v", err)
	}
}

// TestTrainer makes 20 steps on the batches of the reference: in order, beginning anew
// behind the last.
func TestTrainer(t *testing.T) {
	for _, c := range golden.Cases(t, "tip-adapter-f") {
		features, _, targets := c.Pictures(t, c.Params.ShotRows)
		batch := min(c.Params.Batch, features.Rows)
		trainer := tip.NewTrainer(cache(t, c), batch, tip.PublishedRate, c.Decay(tip.PublishedDecay))
		wantKeys, losses, rates := c.Want(t, "keys"), c.Numbers(t, "loss"), c.Numbers(t, "rate")
		first := 0
		for step := range c.Params.Steps {
			last := min(first+batch, features.Rows)
			o := trainer.Step(numeric.Batch{
				Features: features.Slice(first, last), Targets: targets.Slice(first, last), Step: step, Steps: c.Params.Steps,
			})
			golden.NearNumber(t, c.Name+" loss", o.Loss, losses[step], golden.LossTolerance)
			golden.NearNumber(t, c.Name+" rate", o.Rate, rates[step], golden.RateTolerance)
			golden.Near(t, c.Name, trainer.Cache().Keys, wantKeys[step], golden.GradientTolerance)
			first = last % features.Rows
		}
	}
}

// TestTrain holds Train to the steps of its trainer, with any number of threads, and
// sees that the cache that it began with stays.
func TestTrain(t *testing.T) {
	c := golden.Cases(t, "tip-adapter-f")[1]
	features, _, targets := c.Pictures(t, c.Params.ShotRows)
	begin := cache(t, c)
	before := begin.Keys.Clone()
	steps := 0
	golden.SomeThreads(t, func() []float32 {
		trained, curve, err := begin.Train(t.Context(), features, targets, tip.PublishedRate, c.Decay(0), numeric.Training{
			Epochs: 10, BatchSize: c.Params.Batch, OnStep: func(done, _ int) { steps = done },
			Order: func(_, n int) []int {
				order := make([]int, n)
				for i := range order {
					order[i] = i
				}
				return order
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		golden.Near(t, c.Name, trained.Keys, c.Want(t, "keys")[19], golden.GradientTolerance)
		if len(curve) != 10 || steps != 20 || !(curve[9].Loss < curve[0].Loss) || curve[0].Accuracy <= 0 {
			t.Errorf("%d steps, curve %+v", steps, curve)
		}
		return trained.Keys.Data
	})
	golden.Near(t, "the first keys", begin.Keys, before, 0)
}

func TestTrainDiverges(t *testing.T) {
	c := golden.Cases(t, "tip-adapter-f")[0]
	features, _, targets := c.Pictures(t, c.Params.ShotRows)
	var diverged *numeric.DivergedError
	_, _, err := cache(t, c).Train(t.Context(), features, targets, 1e38, 0, numeric.Training{
		Epochs: 50, BatchSize: 7, Order: func(_, n int) []int { return make([]int, n) },
	})
	if !errors.As(err, &diverged) || diverged.What == "" {
		t.Errorf("a rate of 1e38 ends with %v, want a DivergedError", err)
	}
}

func TestValidate(t *testing.T) {
	c := golden.Cases(t, "tip-adapter")[0]
	for name, spoil := range map[string]func(*tip.Cache){
		"no keys":            func(c *tip.Cache) { c.Keys.Rows = 0 },
		"narrow keys":        func(c *tip.Cache) { c.Keys.Cols-- },
		"a negative alpha":   func(c *tip.Cache) { c.Alpha = -1 },
		"a negative beta":    func(c *tip.Cache) { c.Beta = -1 },
		"a key too far":      func(c *tip.Cache) { c.Values[0].Key = 36 },
		"a class below 0":    func(c *tip.Cache) { c.Values[3].Class = -1 },
		"a weight below 0":   func(c *tip.Cache) { c.Values[0].Weight = -1 },
		"a class out of all": func(c *tip.Cache) { c.Values[0].Class = 12 },
	} {
		cache := cache(t, c)
		spoil(&cache)
		if cache.Validate() == nil {
			t.Errorf("%s is no fault", name)
		}
	}
}
