package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"

	"github.com/upl-host/upl-host/graphs/array"
)

// What probabilities are made of: each row is a window of a table of likelihoods
// with one class, the same in all models, above the rest, by more or less.
const (
	likelihoods = 1 << 16
	deviation   = 2.  // of their logarithms
	favour      = 12. // most, added to the logarithm
)

// writeProbabilities makes softmax outputs, a .npy file a model, in a folder.
func (s SelectSetup) writeProbabilities(ctx context.Context, folder string) ([]string, error) {
	task := s.display().Start("make", s.Models*s.Rows, "rows of probabilities")
	defer task.End()
	files := make([]string, s.Models)
	for model := range files {
		files[model] = filepath.Join(folder, fmt.Sprintf("model-%d.npy", model))
		done := func(rows int) { task.Set(model*s.Rows + rows) }
		if err := s.writeModel(ctx, files[model], uint64(model), done); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// writeModel writes one model's.
func (s SelectSetup) writeModel(ctx context.Context, file string, model uint64, done func(rows int)) error {
	w, err := array.Create(file, s.Rows, s.Classes)
	if err != nil {
		return fmt.Errorf("making probabilities: %w", err)
	}
	defer w.Abort()
	same, own := rand.New(rand.NewPCG(randomSeed, 0)), rand.New(rand.NewPCG(randomSeed, model+1))
	table := make([]float64, likelihoods+s.Classes)
	for i := range table {
		table[i] = math.Exp(deviation * own.NormFloat64())
	}
	row := make([]float32, s.Classes)
	const often = 1024 // rows
	for n := range s.Rows {
		if n%often == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			done(n)
		}
		softmax(row, table[own.IntN(likelihoods):], same.IntN(s.Classes), math.Exp(favour*own.Float64()))
		if err := w.Append(row); err != nil {
			return fmt.Errorf("making probabilities: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("making probabilities: %w", err)
	}
	done(s.Rows)
	return nil
}

// softmax fills a row with likelihoods, one of them times a factor, of sum 1.
func softmax(row []float32, likelihoods []float64, favoured int, factor float64) {
	likelihoods = likelihoods[:len(row)]
	sum := likelihoods[favoured] * (factor - 1)
	for _, v := range likelihoods {
		sum += v
	}
	for i, v := range likelihoods {
		row[i] = float32(v / sum)
	}
	row[favoured] = float32(likelihoods[favoured] * factor / sum)
}
