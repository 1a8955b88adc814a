package learn

// sgd is torch.optim.SGD with momentum, without dampening or Nesterov, in
// float32: v = momentum v + (gradient + decay x), x = x - rate v. A velocity of
// zeros is what PyTorch begins with.
type sgd struct {
	momentum, decay float32
}

// step moves x and velocity. The conversions keep products from being fused
// with sums on machines that can, so that all machines round alike.
func (s sgd) step(x, velocity, gradient []float32, rate float64) {
	for i, g := range gradient {
		g += float32(s.decay * x[i])
		velocity[i] = float32(s.momentum*velocity[i]) + g
		x[i] -= float32(float32(rate) * velocity[i])
	}
}
