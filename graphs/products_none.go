//go:build !tensorflow

package graphs

// Multiply fills out with the product a b.
func Multiply[T float32 | float64](_, _ Factor[T], _ []T) error { return ErrNoTensorFlow }
