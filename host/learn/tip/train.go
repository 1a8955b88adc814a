package tip

import (
	"context"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn/numeric"
)

// Trainer learns a cache's keys (Tip-Adapter-F), step by step; all else stays.
type Trainer struct {
	cache     Cache
	rate      float64
	optimiser numeric.AdamW
	gradient  array.Matrix // [K, D]
	// Of a batch, in memory that steps share: [B, C], [B, C], [B, K].
	logits, slope, affinities array.Matrix
}

// Published are Tip-Adapter-F's settings; EuroSAT is trained for 100 epochs there.
const (
	PublishedEpochs = 20
	PublishedBatch  = 256
	PublishedRate   = 1e-3
	PublishedDecay  = 0.01 // torch's default
	epsilon         = 1e-4
	beta1, beta2    = 0.9, 0.999
)

// NewTrainer begins with a copy of the cache's keys; batches have so many rows at most.
func NewTrainer(c Cache, batch int, rate, decay float64) *Trainer {
	c.Keys = c.Keys.Clone()
	return &Trainer{
		cache: c, rate: rate,
		optimiser:  numeric.AdamW{Beta1: beta1, Beta2: beta2, Epsilon: epsilon, Decay: decay},
		gradient:   array.NewMatrix(c.Keys.Rows, c.Keys.Cols),
		logits:     array.NewMatrix(batch, c.Text.Rows),
		slope:      array.NewMatrix(batch, c.Text.Rows),
		affinities: array.NewMatrix(batch, c.Keys.Rows),
	}
}

// Step makes step number b.Step of b.Steps: the rate is a cosine over them.
func (t *Trainer) Step(b numeric.Batch) numeric.Outcome {
	n := b.Features.Rows
	logits, slope, nearness := t.logits.Slice(0, n), t.slope.Slice(0, n), t.affinities.Slice(0, n)
	t.cache.logits(b.Features, nearness, logits)
	loss := numeric.CrossEntropy(logits, b.Targets, slope)
	// d loss / d key k = sum_i alpha beta exp(-beta (1 - f_i F_k)) (sum_c Y_kc slope_ic) f_i
	numeric.Parallel(n, func(i int) {
		pull := make([]float64, t.cache.Keys.Rows)
		for _, v := range t.cache.Values {
			pull[v.Key] += float64(v.Weight) * float64(slope.Row(i)[v.Class])
		}
		row := nearness.Row(i)
		for k, near := range row {
			row[k] = float32(t.cache.Alpha * t.cache.Beta * float64(near) * pull[k])
		}
	})
	numeric.TransposedTimes(1, nearness, b.Features, t.gradient)
	rate := numeric.Cosine(t.rate, b.Step, b.Steps)
	t.optimiser.Step(t.cache.Keys.Data, t.gradient.Data, rate)
	return numeric.Outcome{Loss: loss, Rate: rate, Logits: logits}
}

// Cache is what has been learnt so far; it shares the trainer's memory.
func (t *Trainer) Cache() Cache { return t.cache }

// Train learns the keys from pictures. Errors are those of numeric.Training.
func (c Cache) Train(ctx context.Context, features array.Matrix, targets numeric.Targets, rate, decay float64, training numeric.Training) (Cache, []numeric.Epoch, error) {
	t := NewTrainer(c, min(training.BatchSize, features.Rows), rate, decay)
	curve, err := training.Run(ctx, features, targets, []array.Matrix{t.cache.Keys}, t.Step)
	return t.Cache(), curve, err
}
