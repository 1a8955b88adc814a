// Package torch reads the tensors in PyTorch's files without PyTorch and without
// executing anything: what torch.save writes (zip archives, and the format of
// before version 1.6), and the TorchScript archives of torch.jit.save.
//
// Opening reads the pickle alone. A tensor's values are read when they are asked
// for, from the file, so that a checkpoint never has to fit in memory. Every
// size that the file announces is checked against what the file has.
//
// Source: PyTorch, torch/serialization.py, torch/csrc/jit/serialization/pickler.cpp.
package torch

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/upl-host/upl-host/graphs/safetensors"
)

// ErrFormat marks a file that is damaged, or that PyTorch did not write.
var ErrFormat = errors.New("not a readable PyTorch file")

// ErrUnsupported marks what PyTorch may write and this package does not read.
var ErrUnsupported = errors.New("unsupported in a PyTorch file")

// pickleLimit bounds a pickle, which holds names and sizes: those of the largest
// CLIP take 200 KB.
const pickleLimit = 16 << 20

// Archive is an open file. Its methods may be called from several goroutines.
type Archive struct {
	closer  io.Closer
	script  bool
	tensors map[string]tensor
}

// tensor is a view into a storage.
type tensor struct {
	storage        *storage
	offset         int // elements
	shape, strides []int
}

// storage is a run of elements in the file.
type storage struct {
	kind  safetensors.Type
	count int // elements
	data  *io.SectionReader

	checksum uint32 // CRC-32 of the data; 0 where the file has none
	check    sync.Once
	checked  error
}

// Open opens a file and reads what tensors it has. Its errors are ErrFormat,
// ErrUnsupported, a *pickle.GlobalError, or those of the file system.
func Open(path string) (*Archive, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err // it names the operation and the path
	}
	info, err := file.Stat()
	if err == nil {
		var a *Archive
		if a, err = New(file, info.Size()); err == nil {
			a.closer = file
			return a, nil
		}
	}
	file.Close()
	return nil, fmt.Errorf("reading %s: %w", path, err)
}

// New reads a file of size bytes. The caller keeps the source open for as long
// as the Archive is used.
func New(source io.ReaderAt, size int64) (*Archive, error) {
	var start [4]byte
	if _, err := io.ReadFull(io.NewSectionReader(source, 0, size), start[:]); err != nil {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrFormat, size)
	}
	if string(start[:]) == "PK\x03\x04" {
		return readZip(source, size)
	}
	return readLegacy(source, size)
}

// Close closes the file that Open opened.
func (a *Archive) Close() error {
	if a.closer == nil {
		return nil
	}
	return a.closer.Close()
}

// Script reports whether this is a TorchScript archive.
func (a *Archive) Script() bool { return a.script }

// Names returns the tensors' names, sorted: the keys of nested dicts and the
// attributes of modules, joined by dots.
func (a *Archive) Names() []string { return slices.Sorted(maps.Keys(a.tensors)) }

// Info returns the element type and shape of a tensor; false if there is none.
func (a *Archive) Info(name string) (safetensors.Type, []int, bool) {
	t, ok := a.tensors[name]
	if !ok {
		return "", nil, false
	}
	return t.storage.kind, slices.Clone(t.shape), true
}
