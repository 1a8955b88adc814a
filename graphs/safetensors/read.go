package safetensors

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/upl-host/upl-host/graphs/array"
)

// File is an open safetensors file. Its methods may be called from several
// goroutines at once.
type File struct {
	source   io.ReaderAt
	closer   io.Closer
	tensors  map[string]Info
	metadata map[string]string
}

// Open opens a file and checks its header; no tensor is read yet. Damage is
// reported as ErrFormat, an absent file as fs.ErrNotExist.
func Open(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err // it names the operation and the path
	}
	f, err := open(file)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	f.closer = file
	return f, nil
}

func open(file *os.File) (*File, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: it is not a regular file", ErrFormat)
	}
	return New(file, info.Size())
}

// New reads the header of a file of size bytes. The caller keeps the source
// open for as long as the File is used.
func New(source io.ReaderAt, size int64) (*File, error) {
	if size < prefixSize {
		return nil, fmt.Errorf("%w: %d bytes are too few; fetch the file again", ErrFormat, size)
	}
	var prefix [prefixSize]byte
	if _, err := source.ReadAt(prefix[:], 0); err != nil {
		return nil, fmt.Errorf("reading the header's length: %w", err)
	}
	length := binary.LittleEndian.Uint64(prefix[:])
	if length > headerLimit {
		return nil, fmt.Errorf("%w: its first 8 bytes announce a header of %d bytes, the format allows %d", ErrFormat, length, headerLimit)
	}
	if length > uint64(size-prefixSize) {
		return nil, fmt.Errorf("%w: a header of %d bytes does not fit a file of %d bytes; fetch the file again", ErrFormat, length, size)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(io.NewSectionReader(source, prefixSize, size), text); err != nil {
		return nil, fmt.Errorf("reading the header: %w", err)
	}
	h, err := parseHeader(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	dataBegin := prefixSize + int64(length)
	if err := h.place(dataBegin, size-dataBegin); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	f := &File{source: source, metadata: h.metadata, tensors: make(map[string]Info, len(h.tensors))}
	for _, t := range h.tensors {
		f.tensors[t.Name] = t
	}
	return f, nil
}

// Close closes the file that Open opened.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// Names returns the names of all tensors, sorted.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.tensors)) }

// Metadata returns a copy of the header's metadata.
func (f *File) Metadata() map[string]string { return maps.Clone(f.metadata) }

// Info describes a tensor; false if there is none of that name.
func (f *File) Info(name string) (Info, bool) {
	info, ok := f.tensors[name]
	info.Shape = slices.Clone(info.Shape)
	return info, ok
}

// Bytes gives a tensor's raw bytes, little-endian and row-major.
func (f *File) Bytes(name string) (*io.SectionReader, error) {
	info, ok := f.tensors[name]
	if !ok {
		return nil, f.missing(name)
	}
	return io.NewSectionReader(f.source, info.begin, info.end-info.begin), nil
}

// Float32 reads a tensor of floating-point numbers of 16, 32 or 64 bits as
// float32, row-major, with its shape.
func (f *File) Float32(name string) (shape []int, values []float32, err error) {
	info, ok := f.tensors[name]
	if !ok {
		return nil, nil, f.missing(name)
	}
	data := io.NewSectionReader(f.source, info.begin, info.end-info.begin)
	values, err = info.Type.ReadFloat32(data, info.Len())
	if err != nil {
		return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
	}
	return slices.Clone(info.Shape), values, nil
}

// Int32 reads a tensor of type I32, row-major, with its shape.
func (f *File) Int32(name string) (shape []int, values []int32, err error) {
	info, ok := f.tensors[name]
	if !ok {
		return nil, nil, f.missing(name)
	}
	if info.Type != I32 {
		return nil, nil, fmt.Errorf("tensor %q is of type %s, want %s", name, info.Type, I32)
	}
	values = make([]int32, info.Len())
	if err := binary.Read(io.NewSectionReader(f.source, info.begin, info.end-info.begin), binary.LittleEndian, values); err != nil {
		return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
	}
	return slices.Clone(info.Shape), values, nil
}

func (f *File) missing(name string) error {
	names := f.Names()
	const shown = 5
	list := strings.Join(names[:min(shown, len(names))], ", ")
	return fmt.Errorf("there is no tensor %q among %d: %s …", name, len(names), list)
}

// ReadFloat32 reads n elements of type t from r, converting as it goes: beside
// the result it takes a buffer of some kilobytes. Types other than
// floating-point numbers of 16, 32 or 64 bits are refused. The caller has made
// sure that n is no more than r may hold.
func (t Type) ReadFloat32(r io.Reader, n int) ([]float32, error) {
	convert, err := t.converter()
	if err != nil {
		return nil, err
	}
	const chunk = 1 << 14
	values := make([]float32, n)
	buffer := make([]byte, min(chunk, n)*t.Size())
	for done := 0; done < n; {
		part := values[done:min(done+chunk, n)]
		raw := buffer[:len(part)*t.Size()]
		if _, err := io.ReadFull(r, raw); err != nil {
			return nil, fmt.Errorf("reading elements %d to %d of %d: %w", done, done+len(part), n, err)
		}
		convert(part, raw)
		done += len(part)
	}
	return values, nil
}

func (t Type) converter() (func(values []float32, raw []byte), error) {
	order := binary.LittleEndian
	switch t {
	case F64:
		return func(values []float32, raw []byte) {
			for i := range values {
				values[i] = float32(math.Float64frombits(order.Uint64(raw[8*i:])))
			}
		}, nil
	case F32:
		return func(values []float32, raw []byte) {
			for i := range values {
				values[i] = math.Float32frombits(order.Uint32(raw[4*i:]))
			}
		}, nil
	case F16:
		return func(values []float32, raw []byte) {
			for i := range values {
				values[i] = array.Float16(order.Uint16(raw[2*i:]))
			}
		}, nil
	case BF16:
		return func(values []float32, raw []byte) {
			for i := range values {
				values[i] = math.Float32frombits(uint32(order.Uint16(raw[2*i:])) << 16)
			}
		}, nil
	}
	return nil, fmt.Errorf("elements of type %s are not read as float32", t)
}
