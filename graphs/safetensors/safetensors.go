// Package safetensors holds the reader and the writer of safetensors files:
// named arrays behind a JSON header, with a map of metadata.
//
// The reader trusts nothing that the file says. Before any data is touched the
// header has been checked against the file's size: lengths, products of shapes,
// and that the tensors follow each other without overlap or hole, as the format
// asks. Data are read when they are asked for, one tensor at a time.
//
// Source: github.com/huggingface/safetensors, README.md ("Format") and the
// checks of its safetensors/src/tensor.rs.
package safetensors

import (
	"errors"
	"fmt"
	"math"
)

// ErrFormat marks a file that is damaged, or that never was a safetensors file.
var ErrFormat = errors.New("not a readable safetensors file")

// Type is the type of a tensor's elements, spelt as in the header.
type Type string

// Element types. All are little-endian.
const (
	F64    Type = "F64"
	F32    Type = "F32"
	F16    Type = "F16"
	BF16   Type = "BF16"
	I64    Type = "I64"
	I32    Type = "I32"
	I16    Type = "I16"
	I8     Type = "I8"
	U64    Type = "U64"
	U32    Type = "U32"
	U16    Type = "U16"
	U8     Type = "U8"
	Bool   Type = "BOOL"
	F8E5M2 Type = "F8_E5M2"
	F8E4M3 Type = "F8_E4M3"
)

// Size returns the bytes of one element, 0 for a type that this package does not know.
func (t Type) Size() int {
	switch t {
	case F64, I64, U64:
		return 8
	case F32, I32, U32:
		return 4
	case F16, BF16, I16, U16:
		return 2
	case I8, U8, Bool, F8E5M2, F8E4M3:
		return 1
	}
	return 0
}

// Info says what a tensor is.
type Info struct {
	Name  string
	Type  Type
	Shape []int // row-major; empty for a scalar

	begin, end int64 // in the file
}

// Len returns the number of elements.
func (i Info) Len() int {
	n := 1
	for _, d := range i.Shape {
		n *= d
	}
	return n
}

// Bytes returns the bytes that a tensor of this type and shape takes in a file.
// It fails for a negative dimension, an unknown type, and sizes beyond an int64.
func (t Type) Bytes(shape []int) (int64, error) {
	if t.Size() == 0 {
		return 0, fmt.Errorf("element type %q is unknown", t)
	}
	n := int64(t.Size())
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v has a negative dimension", shape)
		}
		if d > 0 && n > math.MaxInt64/int64(d) {
			return 0, fmt.Errorf("shape %v overflows", shape)
		}
		n *= int64(d)
	}
	return n, nil
}
