package export

import (
	"context"
	"math"

	"github.com/upl-host/upl-host/graphs/clip"
)

// initialTemperature is CLIP's tau before training (arXiv 2103.00020, section 2.5).
const initialTemperature = 0.07

// New writes a model of a named architecture with random weights, for tests and
// benchmarks of true size: equal seeds give equal weights. See Write for errors.
func New(ctx context.Context, dir, architecture string, seed uint64, overwrite bool) error {
	a, err := clip.Named(architecture)
	if err != nil {
		return err
	}
	return Write(ctx, dir, Random(architecture+"-random", a, seed), overwrite)
}

// Random is a source of random weights, drawn as CLIP draws its own.
func Random(name string, a clip.Architecture, seed uint64) Source {
	return Source{
		Name: name, Architecture: a, Weights: newRandom(a, seed),
		LogitScale: float32(-math.Log(initialTemperature)),
	}
}
