package numeric

import "math"

// SGD is torch.optim.SGD with momentum, without dampening or Nesterov, in
// float32: v = momentum v + (gradient + decay x), x = x - rate v. A velocity of
// zeros is what PyTorch begins with.
type SGD struct{ Momentum, Decay float32 }

// Step moves x and velocity. The conversions keep products from being fused
// with sums on machines that can, so that all machines round alike.
func (s SGD) Step(x, velocity, gradient []float32, rate float64) {
	for i, g := range gradient {
		g += float32(s.Decay * x[i])
		velocity[i] = float32(s.Momentum*velocity[i]) + g
		x[i] -= float32(float32(rate) * velocity[i])
	}
}

// AdamW is torch.optim.AdamW: Adam with decoupled weight decay.
type AdamW struct {
	Beta1, Beta2, Epsilon, Decay float64

	first, second []float32 // moments
	steps         int
}

// Step moves x.
func (a *AdamW) Step(x, gradient []float32, rate float64) {
	if a.first == nil {
		a.first, a.second = make([]float32, len(x)), make([]float32, len(x))
	}
	a.steps++
	keep1, keep2 := float32(a.Beta1), float32(a.Beta2)
	shrink := float32(1 - rate*a.Decay)
	pace := float32(rate / (1 - math.Pow(a.Beta1, float64(a.steps))))
	norm := float32(math.Sqrt(1 - math.Pow(a.Beta2, float64(a.steps))))
	epsilon := float32(a.Epsilon)
	const part = 1 << 14
	Parallel((len(gradient)+part-1)/part, func(p int) {
		for i := p * part; i < min((p+1)*part, len(gradient)); i++ {
			g := gradient[i]
			m := float32(keep1*a.first[i]) + float32((1-keep1)*g)
			v := float32(keep2*a.second[i]) + float32(float32((1-keep2)*g)*g)
			a.first[i], a.second[i] = m, v
			root := float32(math.Sqrt(float64(v)))
			x[i] = float32(x[i]*shrink) - float32(pace*m)/(root/norm+epsilon)
		}
	})
}
