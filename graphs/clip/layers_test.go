//go:build tensorflow

package clip

import (
	"math"
	"testing"

	tf "github.com/wamuir/graft/tensorflow"
)

// TestActivation holds both GELUs against their definitions: the golden models
// have the quick one alone.
func TestActivation(t *testing.T) {
	for _, quick := range []bool{true, false} {
		a, err := Named("RN50")
		if err != nil {
			t.Fatal(err)
		}
		a.QuickGELU = quick
		g := newGraph(a)
		x := g.placeholder("x", tf.Float, -1)
		y := g.activation(x)
		built, err := g.root.Finalize()
		if err != nil {
			t.Fatal(err)
		}
		session, err := tf.NewSession(built, &tf.SessionOptions{})
		if err != nil {
			t.Fatal(err)
		}
		values := []float32{-6, -2, -0.5, 0, 0.1, 1, 3, 8}
		in, err := tf.NewTensor(values)
		if err != nil {
			t.Fatal(err)
		}
		out, err := session.Run(map[tf.Output]*tf.Tensor{x: in}, []tf.Output{y}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, got := range out[0].Value().([]float32) {
			v := float64(values[i])
			want := v * (1 + math.Erf(v/math.Sqrt2)) / 2
			if quick {
				want = v / (1 + math.Exp(-1.702*v))
			}
			if d := math.Abs(float64(got) - want); !(d < 2e-6) {
				t.Errorf("quick %v: activation(%g) is %g, want %g", quick, v, got, want)
			}
		}
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	}
}
