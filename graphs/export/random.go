package export

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"

	"github.com/upl-host/upl-host/graphs/clip"
)

// random are weights drawn as CLIP initialises them. A tensor depends on the
// seed and its own name alone.
type random struct {
	tensors map[string]clip.Tensor
	seed    uint64
}

func newRandom(a clip.Architecture, seed uint64) random {
	r := random{tensors: make(map[string]clip.Tensor), seed: seed}
	for _, t := range a.Tensors() {
		r.tensors[t.Name] = t
	}
	return r
}

// branchWeight keeps a deep ResNet's activations bounded, as its running
// statistics are not fitted to it. CLIP begins with 0, which would leave the
// branches out of every result.
const branchWeight = 0.25

// Tensor implements clip.Weights.
func (r random) Tensor(name string) (shape []int, data []float32, err error) {
	t, ok := r.tensors[name]
	if !ok {
		return nil, nil, fmt.Errorf("there is no tensor %s", name)
	}
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	data = make([]float32, n)
	switch t.Kind {
	case clip.KindScale, clip.KindVariance:
		fill(data, 1)
	case clip.KindBranch:
		fill(data, branchWeight)
	case clip.KindBias:
	default:
		hash := fnv.New64a()
		hash.Write([]byte(name))
		source := rand.New(rand.NewPCG(r.seed, hash.Sum64()))
		for i := range data {
			data[i] = float32(source.NormFloat64() * t.Deviation)
		}
	}
	return t.Shape, data, nil
}

func fill(data []float32, value float32) {
	for i := range data {
		data[i] = value
	}
}
