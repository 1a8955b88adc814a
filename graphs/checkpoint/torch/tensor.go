package torch

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/upl-host/upl-host/graphs/safetensors"
)

// check makes sure that the view lies within its storage, and that it has no
// more elements than that: an expanded tensor could be of any size.
func (t tensor) check() error {
	count, err := t.storage.kind.Bytes(t.shape)
	if err != nil {
		return err
	}
	if count/int64(t.storage.kind.Size()) > int64(t.storage.count) {
		return fmt.Errorf("shape %v has more elements than the %d of its storage", t.shape, t.storage.count)
	}
	if t.len() == 0 {
		return nil
	}
	last := t.offset
	for i, size := range t.shape {
		room := t.storage.count - 1 - last
		if size > 1 && t.strides[i] > room/(size-1) {
			return fmt.Errorf("shape %v with strides %v from element %d reaches beyond the %d elements of its storage", t.shape, t.strides, t.offset, t.storage.count)
		}
		last += (size - 1) * t.strides[i]
	}
	if last >= t.storage.count {
		return fmt.Errorf("it begins at element %d of a storage of %d", t.offset, t.storage.count)
	}
	return nil
}

func (t tensor) len() int {
	n := 1
	for _, d := range t.shape {
		n *= d
	}
	return n
}

// contiguous reports whether the elements lie one after the other in row-major order.
func (t tensor) contiguous() bool {
	expected := 1
	for i := len(t.shape) - 1; i >= 0; i-- {
		if t.shape[i] > 1 && t.strides[i] != expected {
			return false
		}
		expected *= t.shape[i]
	}
	return true
}

// Float32 reads a tensor of floating-point numbers as float32, row-major, with
// its shape. Before the first values of a storage are given its checksum is
// compared, where the file has one.
func (a *Archive) Float32(name string) (shape []int, values []float32, err error) {
	t, ok := a.tensors[name]
	if !ok {
		return nil, nil, fmt.Errorf("there is no tensor %q", name)
	}
	values, err = t.float32()
	if err != nil {
		return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
	}
	return slices.Clone(t.shape), values, nil
}

func (t tensor) float32() ([]float32, error) {
	n := t.len()
	if n == 0 {
		return []float32{}, nil
	}
	if err := t.storage.verify(); err != nil {
		return nil, err
	}
	span := n
	if !t.contiguous() {
		span = 1
		for i, size := range t.shape {
			span += (size - 1) * t.strides[i]
		}
	}
	width := int64(t.storage.kind.Size())
	raw := io.NewSectionReader(t.storage.data, int64(t.offset)*width, int64(span)*width)
	values, err := t.storage.kind.ReadFloat32(raw, span)
	if err != nil || t.contiguous() {
		return values, err
	}
	return t.gather(values, n), nil
}

// gather lays a strided view out in row-major order.
func (t tensor) gather(span []float32, n int) []float32 {
	values := make([]float32, n)
	index := make([]int, len(t.shape))
	from := 0
	for i := range values {
		values[i] = span[from]
		for axis := len(index) - 1; axis >= 0; axis-- {
			index[axis]++
			from += t.strides[axis]
			if index[axis] < t.shape[axis] {
				break
			}
			from -= index[axis] * t.strides[axis]
			index[axis] = 0
		}
	}
	return values
}

func (s *storage) verify() error {
	s.check.Do(func() {
		if s.checksum == 0 {
			return // not computed: torch.serialization.set_crc32_options(False)
		}
		hash := crc32.NewIEEE()
		if _, err := io.Copy(hash, io.NewSectionReader(s.data, 0, s.data.Size())); err != nil {
			s.checked = fmt.Errorf("reading its storage: %w", err)
			return
		}
		if hash.Sum32() != s.checksum {
			s.checked = fmt.Errorf("%w: the checksum of its data is not the one in the archive; fetch the file again", ErrFormat)
		}
	})
	return s.checked
}

// Int reads a tensor that is a single whole number; false if there is none of
// that name, or if it is something else.
func (a *Archive) Int(name string) (int64, bool) {
	t, ok := a.tensors[name]
	if !ok || t.len() != 1 || t.storage.verify() != nil {
		return 0, false
	}
	var raw [8]byte
	width := t.storage.kind.Size()
	if _, err := t.storage.data.ReadAt(raw[:width], int64(t.offset)*int64(width)); err != nil {
		return 0, false
	}
	switch t.storage.kind {
	case safetensors.I64:
		return int64(binary.LittleEndian.Uint64(raw[:])), true
	case safetensors.I32:
		return int64(int32(binary.LittleEndian.Uint32(raw[:]))), true
	}
	return 0, false
}
