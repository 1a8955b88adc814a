package head

import (
	"fmt"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/safetensors"
	"github.com/upl-host/upl-host/host/learn/adapter"
	"github.com/upl-host/upl-host/host/learn/probe"
	"github.com/upl-host/upl-host/host/learn/tip"
)

// The kinds of heads in files.
const (
	KindAdapter = "clip-adapter"
	KindCache   = "tip-adapter"
	KindProbe   = "linear-probe"
)

// Description is what a file says of a head beside its tensors; docs/contexts.md
// describes it.
type Description struct {
	Kind  string   `json:"kind"`
	Seed  uint64   `json:"seed"`
	Ratio *float64 `json:"ratio,omitempty"` // of an adapter
	Alpha *float64 `json:"alpha,omitempty"` // of a cache
	Beta  *float64 `json:"beta,omitempty"`
	L2    *float64 `json:"l2,omitempty"` // of a probe
}

// Encode describes a head, whose tensors' names begin with prefix. The classes' text
// features, which adapters and caches use, are left to the file.
func Encode(h Head, seed uint64, prefix string) (Description, []safetensors.Tensor, error) {
	matrix := func(name string, m array.Matrix) safetensors.Tensor {
		return safetensors.Float32(prefix+name, []int{m.Rows, m.Cols}, m.Data)
	}
	switch h := h.(type) {
	case adapter.Adapter:
		return Description{Kind: KindAdapter, Seed: seed, Ratio: &h.Ratio}, []safetensors.Tensor{matrix("w1", h.W1), matrix("w2", h.W2)}, nil
	case probe.Probe:
		bias := safetensors.Float32(prefix+"bias", []int{len(h.Bias)}, h.Bias)
		return Description{Kind: KindProbe, Seed: seed, L2: &h.L2}, []safetensors.Tensor{matrix("weights", h.Weights), bias}, nil
	case tip.Cache:
		indices, weights := make([]int32, 0, 2*len(h.Values)), make([]float32, len(h.Values))
		for i, v := range h.Values {
			indices, weights[i] = append(indices, v.Key, v.Class), v.Weight
		}
		return Description{Kind: KindCache, Seed: seed, Alpha: &h.Alpha, Beta: &h.Beta}, []safetensors.Tensor{
			matrix("keys", h.Keys),
			safetensors.Int32(prefix+"values", []int{len(h.Values), 2}, indices),
			safetensors.Float32(prefix+"weights", []int{len(h.Values)}, weights),
		}, nil
	}
	return Description{}, nil, fmt.Errorf("a head of %T has no file", h)
}

// Decode reads and checks a head; text [C, D] are the classes' text features.
func Decode(file *safetensors.File, d Description, prefix string, text array.Matrix, scale float64) (Head, error) {
	r := &reader{file: file, prefix: prefix}
	var h interface {
		Head
		Validate() error
	}
	switch d.Kind {
	case KindAdapter:
		h = adapter.Adapter{W1: r.matrix("w1"), W2: r.matrix("w2"), Text: text, Scale: scale, Ratio: r.number("ratio", d.Ratio)}
	case KindProbe:
		h = probe.Probe{Weights: r.matrix("weights"), Bias: r.vector("bias").Data, L2: r.number("l2", d.L2)}
	case KindCache:
		h = tip.Cache{
			Keys: r.matrix("keys"), Values: r.values(), Text: text, Scale: scale,
			Alpha: r.number("alpha", d.Alpha), Beta: r.number("beta", d.Beta),
		}
	default:
		return nil, fmt.Errorf("a head of kind %q, this program knows %s, %s and %s", d.Kind, KindAdapter, KindCache, KindProbe)
	}
	if r.err != nil {
		return nil, r.err
	}
	if err := h.Validate(); err != nil {
		return nil, fmt.Errorf("head %s of seed %d: %w", d.Kind, d.Seed, err)
	}
	return h, nil
}

// reader reads a head's tensors and keeps the first fault.
type reader struct {
	file   *safetensors.File
	prefix string
	err    error
}

func (r *reader) fail(name, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("tensor %q: %w", r.prefix+name, fmt.Errorf(format, args...))
	}
}

// tensor reads finite numbers of so many dimensions.
func (r *reader) tensor(name string, dimensions int) (shape []int, m array.Matrix) {
	shape, values, err := r.file.Float32(r.prefix + name)
	switch {
	case err != nil:
		r.fail(name, "%w", err)
	case len(shape) != dimensions:
		r.fail(name, "its shape is %v, want %d dimensions", shape, dimensions)
	default:
		m = array.Matrix{Rows: 1, Cols: len(values), Data: values}
		if err := m.CheckFinite(); err != nil {
			r.fail(name, "%w", err)
		}
		return shape, m
	}
	return make([]int, dimensions), array.Matrix{}
}

func (r *reader) vector(name string) array.Matrix {
	_, m := r.tensor(name, 1)
	return m
}

func (r *reader) matrix(name string) array.Matrix {
	shape, m := r.tensor(name, 2)
	return array.Matrix{Rows: shape[0], Cols: shape[1], Data: m.Data}
}

func (r *reader) number(name string, v *float64) float64 {
	if v == nil {
		if r.err == nil {
			r.err = fmt.Errorf("the metadata of head %q lack %s", r.prefix, name)
		}
		return 0
	}
	return *v
}

func (r *reader) values() []tip.Value {
	weights := r.vector("weights").Data
	shape, indices, err := r.file.Int32(r.prefix + "values")
	if err != nil {
		r.fail("values", "%w", err)
		return nil
	}
	if len(shape) != 2 || shape[1] != 2 || shape[0] != len(weights) {
		r.fail("values", "its shape is %v, want [%d 2]", shape, len(weights))
		return nil
	}
	values := make([]tip.Value, len(weights))
	for i, weight := range weights {
		values[i] = tip.Value{Key: indices[2*i], Class: indices[2*i+1], Weight: weight}
	}
	return values
}
