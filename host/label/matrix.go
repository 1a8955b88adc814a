package label

import "github.com/upl-host/upl-host/graphs/array"

// Matrix lets a policy read a matrix of probabilities, or of a class's text
// features, where it is.
type Matrix struct{ array.Matrix }

// Rows is the number of rows.
func (m Matrix) Rows() int { return m.Matrix.Rows }

// Classes is C, of probabilities.
func (m Matrix) Classes() int { return m.Cols }

// Width is D, of features.
func (m Matrix) Width() int { return m.Cols }

// Read copies rows into dst.
func (m Matrix) Read(first, n int, dst []float32) error {
	copy(dst, m.Slice(first, first+n).Data)
	return nil
}

// Picked lets a policy read some rows of a matrix, in an order of their own.
type Picked struct {
	Matrix array.Matrix
	Of     []int // row i is the matrix's row Of[i]
}

// Rows is the number of rows.
func (p Picked) Rows() int { return len(p.Of) }

// Width is D.
func (p Picked) Width() int { return p.Matrix.Cols }

// Read copies rows into dst.
func (p Picked) Read(first, n int, dst []float32) error {
	for i, row := range p.Of[first : first+n] {
		copy(dst[i*p.Matrix.Cols:], p.Matrix.Row(row))
	}
	return nil
}
