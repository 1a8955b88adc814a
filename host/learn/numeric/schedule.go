package numeric

import "math"

// Schedule gives each epoch its learning rate: constant while warming up, then a
// cosine over all Epochs, which therefore ends a little above zero (Dassl's
// ConstantWarmupScheduler around PyTorch's CosineAnnealingLR).
type Schedule struct {
	Epochs, WarmupEpochs int
	Start, Warmup        float64 // rates
}

// Rate is that of an epoch, counted from 0.
func (s Schedule) Rate(epoch int) float64 {
	if epoch < s.WarmupEpochs {
		return s.Warmup
	}
	return Cosine(s.Start, epoch-s.WarmupEpochs, s.Epochs)
}

// Cosine falls from start at step 0 towards 0 at step steps.
func Cosine(start float64, step, steps int) float64 {
	return start * (1 + math.Cos(math.Pi*float64(step)/float64(steps))) / 2
}

// CoOpEpochs is the number of epochs that CoOp trains on so many pictures a class
// (arXiv 2109.01134, section 4.1): ImageNet's 1000 classes take 50 in any case.
func CoOpEpochs(shots, classes int) int {
	switch {
	case shots <= 1, classes >= 1000:
		return 50
	case shots <= 4:
		return 100
	}
	return 200
}
