package clip

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Variable is a variable of the graph. The text tower's are a checkpoint's
// tensors, name and layout; the image tower's convolutions are laid out as
// TensorFlow has them, [height, width, in, out], their batch norms folded in.
type Variable struct {
	Name  string
	Shape []int

	load func(Weights) ([]float32, error)
}

// Load reads the variable's values, row-major, from a checkpoint.
func (v Variable) Load(w Weights) ([]float32, error) {
	data, err := v.load(w)
	if err != nil {
		return nil, err
	}
	for i, x := range data {
		if f := float64(x); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("weight %s holds %v at element %d: the checkpoint is damaged, or float16 overflowed", v.Name, x, i)
		}
	}
	return data, nil
}

// Variables lists the graph's variables in the order of their use.
func (a Architecture) Variables() []Variable {
	tensors := a.Tensors()
	variables := make([]Variable, 0, len(tensors))
	for _, t := range tensors {
		switch {
		case t.folded, t.unseen:
		case t.norm != "":
			variables = append(variables, foldedVariables(t)...)
		case t.Kind == KindConvolution:
			variables = append(variables, patchVariable(t))
		default:
			variables = append(variables, Variable{Name: t.Name, Shape: t.Shape, load: func(w Weights) ([]float32, error) {
				return read(w, t.Name, t.Shape)
			}})
		}
	}
	return variables
}

func patchVariable(t Tensor) Variable {
	return Variable{Name: t.Name, Shape: kernelShape(t.Shape), load: func(w Weights) ([]float32, error) {
		data, err := read(w, t.Name, t.Shape)
		if err != nil {
			return nil, err
		}
		return kernel(data, t.Shape, nil), nil
	}}
}

// batchNormEpsilon is PyTorch's BatchNorm2d's.
const batchNormEpsilon = 1e-5

// foldedVariables are the kernel and bias of a convolution and the batch norm
// behind it: (x*k - mean) s + bias with s = weight / sqrt(var + eps) is
// x*(k s) + (bias - mean s). Both are frozen, so that it is the same function.
func foldedVariables(t Tensor) []Variable {
	channels := t.Shape[:1]
	scales := func(w Weights) (scale, shift []float64, err error) {
		var values [4][]float32
		for i, suffix := range []string{".weight", ".bias", ".running_mean", ".running_var"} {
			if values[i], err = read(w, t.norm+suffix, channels); err != nil {
				return nil, nil, err
			}
		}
		scale, shift = make([]float64, channels[0]), make([]float64, channels[0])
		for c := range scale {
			scale[c] = float64(values[0][c]) / math.Sqrt(float64(values[3][c])+batchNormEpsilon)
			shift[c] = float64(values[1][c]) - float64(values[2][c])*scale[c]
		}
		return scale, shift, nil
	}
	return []Variable{
		{Name: t.Name, Shape: kernelShape(t.Shape), load: func(w Weights) ([]float32, error) {
			data, err := read(w, t.Name, t.Shape)
			if err != nil {
				return nil, err
			}
			scale, _, err := scales(w)
			if err != nil {
				return nil, err
			}
			return kernel(data, t.Shape, scale), nil
		}},
		{Name: strings.TrimSuffix(t.Name, ".weight") + ".bias", Shape: channels, load: func(w Weights) ([]float32, error) {
			_, shift, err := scales(w)
			if err != nil {
				return nil, err
			}
			bias := make([]float32, len(shift))
			for c, v := range shift {
				bias[c] = float32(v)
			}
			return bias, nil
		}},
	}
}

// kernelShape turns PyTorch's [out, in, height, width] into TensorFlow's [height, width, in, out].
func kernelShape(s []int) []int { return []int{s[2], s[3], s[1], s[0]} }

// kernel lays a kernel out as kernelShape has it, each output channel times its scale.
func kernel(data []float32, shape []int, scale []float64) []float32 {
	out, in, area := shape[0], shape[1], shape[2]*shape[3]
	laid := make([]float32, len(data))
	for o := range out {
		for i := range in {
			for p := range area {
				v := data[(o*in+i)*area+p]
				if scale != nil {
					v = float32(float64(v) * scale[o])
				}
				laid[(p*in+i)*out+o] = v
			}
		}
	}
	return laid
}

// read reads a tensor that must have the shape.
func read(w Weights, name string, shape []int) ([]float32, error) {
	got, data, err := w.Tensor(name)
	if err != nil {
		return nil, fmt.Errorf("weight %s: %w", name, err)
	}
	if !slices.Equal(got, shape) {
		return nil, fmt.Errorf("weight %s has shape %v, its architecture wants %v", name, got, shape)
	}
	if want := product(shape); len(data) != want {
		return nil, fmt.Errorf("weight %s has %d values, its shape %v wants %d", name, len(data), shape, want)
	}
	return data, nil
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

func invSqrt(n int) float64 { return 1 / math.Sqrt(float64(n)) }
