// Package array holds numeric arrays and NumPy's files of them: .npy, .npz and
// memory-mapped float32 matrices.
package array

import (
	"fmt"
	"math"
)

// Matrix is a dense row-major matrix of float32, Rows x Cols.
type Matrix struct {
	Rows, Cols int
	Data       []float32
}

// NewMatrix returns a matrix of zeros.
func NewMatrix(rows, cols int) Matrix {
	return Matrix{Rows: rows, Cols: cols, Data: make([]float32, rows*cols)}
}

// Row returns row i; it shares the matrix's memory.
func (m Matrix) Row(i int) []float32 { return m.Data[i*m.Cols : (i+1)*m.Cols : (i+1)*m.Cols] }

// Slice returns rows [from, to); they share the matrix's memory.
func (m Matrix) Slice(from, to int) Matrix {
	return Matrix{Rows: to - from, Cols: m.Cols, Data: m.Data[from*m.Cols : to*m.Cols : to*m.Cols]}
}

// Clone returns a copy.
func (m Matrix) Clone() Matrix {
	m.Data = append([]float32(nil), m.Data...)
	return m
}

// CheckFinite returns an error that names the first value that is NaN or infinite.
func (m Matrix) CheckFinite() error {
	for i, v := range m.Data {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("row %d, column %d is %v", i/m.Cols, i%m.Cols, v)
		}
	}
	return nil
}

// Array is a NumPy array in C order. Data is one of []float32, []float64,
// []int32, []int64, []uint32, []uint64, []uint8, []bool, []string; to be written
// also Generated.
type Array struct {
	Shape []int
	Data  any
}

// Generated is the data of a matrix of float32 that is never whole in memory: it
// is called for one row after the other as they are written, with a row of zeros.
type Generated func(row int, dst []float32)

// Len returns the number of elements that the shape holds.
func (a Array) Len() int {
	n := 1
	for _, d := range a.Shape {
		n *= d
	}
	return n
}

// Float32 returns the values as float32, converting numbers of any other kind.
func (a Array) Float32() ([]float32, error) {
	switch data := a.Data.(type) {
	case []float32:
		return data, nil
	case []float64:
		return convert[float32](data), nil
	case []int32:
		return convert[float32](data), nil
	case []int64:
		return convert[float32](data), nil
	case []uint8:
		return convert[float32](data), nil
	}
	return nil, fmt.Errorf("an array of %T does not hold numbers", a.Data)
}

// Int returns the values as int, converting integers of any kind.
func (a Array) Int() ([]int, error) {
	switch data := a.Data.(type) {
	case []int32:
		return convert[int](data), nil
	case []int64:
		return convert[int](data), nil
	case []uint32:
		return convert[int](data), nil
	case []uint64:
		return convert[int](data), nil
	case []uint8:
		return convert[int](data), nil
	}
	return nil, fmt.Errorf("an array of %T does not hold integers", a.Data)
}

// Matrix returns a two-dimensional array of numbers as a matrix.
func (a Array) Matrix() (Matrix, error) {
	if len(a.Shape) != 2 {
		return Matrix{}, fmt.Errorf("shape %v is not that of a matrix", a.Shape)
	}
	data, err := a.Float32()
	if err != nil {
		return Matrix{}, err
	}
	return Matrix{Rows: a.Shape[0], Cols: a.Shape[1], Data: data}, nil
}

type number interface {
	~int | ~int32 | ~int64 | ~uint32 | ~uint64 | ~uint8 | ~float32 | ~float64
}

func convert[To, From number](from []From) []To {
	to := make([]To, len(from))
	for i, v := range from {
		to[i] = To(v)
	}
	return to
}
