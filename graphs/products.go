package graphs

// Factor is a matrix [Rows, Cols], or its transpose, in a product.
type Factor[T float32 | float64] struct {
	Rows, Cols int
	Data       []T
	Transposed bool
}
