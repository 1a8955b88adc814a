//go:build !tensorflow

package graphs

import "context"

// MatMulPeak measures the machine's rate of float32 matrix products through
// TensorFlow, in operations a second.
func MatMulPeak(context.Context, Options) (float64, error) { return 0, ErrNoTensorFlow }
