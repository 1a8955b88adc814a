package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/google/renameio/v2"
)

// Tensor is a tensor to be written.
type Tensor struct {
	Name  string
	Type  Type
	Shape []int  // row-major; empty for a scalar
	Bytes []byte // little-endian
}

// Float32 returns a tensor of type F32 with a copy of values.
func Float32(name string, shape []int, values []float32) Tensor {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return Tensor{Name: name, Type: F32, Shape: shape, Bytes: raw}
}

// Int32 returns a tensor of type I32 with a copy of values.
func Int32(name string, shape []int, values []int32) Tensor {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, uint32(v))
	}
	return Tensor{Name: name, Type: I32, Shape: shape, Bytes: raw}
}

// Write writes a file; it appears whole or not at all. The same tensors and
// metadata give the same bytes, in whatever order they come.
func Write(path string, tensors []Tensor, metadata map[string]string) error {
	file, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o644))
	if err != nil {
		return fmt.Errorf("creating %s: %w", path, err)
	}
	defer file.Cleanup()
	if err := Encode(file, tensors, metadata); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := file.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// Encode writes what Write puts into a file. Tensors of wider elements come
// first, so that each begins at a multiple of its element's size, then by name.
func Encode(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	order := slices.Clone(tensors)
	slices.SortFunc(order, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(b.Type.Size(), a.Type.Size()), cmp.Compare(a.Name, b.Name))
	})
	text, err := encodeHeader(order, metadata)
	if err != nil {
		return err
	}
	if _, err := w.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(text)))); err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	for _, t := range order {
		if _, err := w.Write(t.Bytes); err != nil {
			return err
		}
	}
	return nil
}

// encodeHeader gives the header's JSON, padded with spaces so that the data
// begin at a multiple of 8.
func encodeHeader(order []Tensor, metadata map[string]string) ([]byte, error) {
	var text bytes.Buffer
	entry := func(key string, value any) error {
		if !utf8.ValidString(key) {
			return fmt.Errorf("the name %q is not UTF-8", key)
		}
		separator := ","
		if text.Len() == 0 {
			separator = "{"
		}
		text.WriteString(separator)
		return encodePair(&text, key, value)
	}
	if len(metadata) > 0 {
		for _, key := range slices.Sorted(maps.Keys(metadata)) {
			if !utf8.ValidString(key) || !utf8.ValidString(metadata[key]) {
				return nil, fmt.Errorf("the metadata %q is not UTF-8", key)
			}
		}
		if err := entry(metadataKey, metadata); err != nil {
			return nil, err
		}
	}
	seen := map[string]bool{metadataKey: true}
	offset := int64(0)
	for _, t := range order {
		if seen[t.Name] {
			return nil, fmt.Errorf("the name %q is taken", t.Name)
		}
		seen[t.Name] = true
		size, err := t.Type.Bytes(t.Shape)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		if size != int64(len(t.Bytes)) {
			return nil, fmt.Errorf("tensor %q: %d bytes where %v of %s take %d", t.Name, len(t.Bytes), t.Shape, t.Type, size)
		}
		value := tensorEntry{Type: t.Type, Shape: append([]int{}, t.Shape...), Offsets: [2]int64{offset, offset + size}}
		if err := entry(t.Name, value); err != nil {
			return nil, err
		}
		offset += size
	}
	if text.Len() == 0 {
		text.WriteByte('{')
	}
	text.WriteByte('}')
	for text.Len()%8 != 0 {
		text.WriteByte(' ')
	}
	if text.Len() > headerLimit {
		return nil, fmt.Errorf("a header of %d bytes, the format allows %d", text.Len(), headerLimit)
	}
	return text.Bytes(), nil
}

type tensorEntry struct {
	Type    Type     `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

func encodePair(text *bytes.Buffer, key string, value any) error {
	name, err := json.Marshal(key)
	if err != nil {
		return err
	}
	content, err := json.Marshal(value) // sorts the keys of maps
	if err != nil {
		return err
	}
	text.Write(name)
	text.WriteByte(':')
	text.Write(content)
	return nil
}
