package torch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/upl-host/upl-host/graphs/checkpoint/pickle"
)

// legacyMagic is 0x1950a86a20f9469cfc6c, with which a file of torch.save before
// version 1.6 (or _use_new_zipfile_serialization=False) begins, as a pickle.
var legacyMagic = pickle.Long{0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19}

const legacyVersion = 1001

// readLegacy reads a file that is a chain of pickles (magic number, version,
// system, the value, the storages' keys), followed by each storage's number of
// elements and its data.
func readLegacy(source io.ReaderAt, size int64) (*Archive, error) {
	text := make([]byte, min(size, pickleLimit))
	if _, err := io.ReadFull(io.NewSectionReader(source, 0, size), text); err != nil {
		return nil, fmt.Errorf("reading the first %d bytes: %w", len(text), err)
	}
	whole := len(text)
	known := map[string]*storage{}
	find := func(id pickle.Tuple) (*storage, error) {
		const idLength = 6
		if len(id) != idLength || id[5] != nil {
			return nil, fmt.Errorf("%w: storages that are views of others; save the file again", ErrUnsupported)
		}
		s, key, err := parseStorage(id)
		if err == nil && known[key] == nil {
			known[key] = s
		}
		return s, err
	}
	next := func() (any, error) {
		value, length, err := loadPrefix(text, false, find)
		text = text[length:]
		return value, err
	}
	magic, err := next()
	if number, ok := magic.(pickle.Long); err != nil || !ok || !bytes.Equal(number, legacyMagic) {
		return nil, fmt.Errorf("%w: it begins neither as a zip archive nor with PyTorch's magic number", ErrFormat)
	}
	if version, err := next(); err != nil || version != any(int64(legacyVersion)) {
		return nil, fmt.Errorf("%w: a format whose version is not %d", ErrUnsupported, legacyVersion)
	}
	var system, value, keys any
	for _, part := range []*any{&system, &value, &keys} {
		if *part, err = next(); err != nil {
			return nil, err
		}
	}
	if machine, ok := system.(*pickle.Dict); ok {
		if little, ok := machine.Get("little_endian"); ok && little != any(true) {
			return nil, fmt.Errorf("%w: written on a big-endian machine", ErrUnsupported)
		}
	}
	list, ok := keys.(*pickle.List)
	if !ok {
		return nil, fmt.Errorf("%w: the list of storages is a %T", ErrFormat, keys)
	}
	if err := locate(source, size, int64(whole-len(text)), list.Items, known); err != nil {
		return nil, err
	}
	a := new(Archive)
	a.tensors, err = collect(value)
	return a, err
}

// locate finds the storages' data, which begin at offset in the order of keys.
func locate(source io.ReaderAt, size, offset int64, keys []any, known map[string]*storage) error {
	const prefix = 8 // the number of elements
	for _, key := range keys {
		name, _ := key.(string)
		s := known[name]
		if s == nil || s.data != nil {
			return fmt.Errorf("%w: data of a storage %q that no tensor has", ErrFormat, name)
		}
		var count [prefix]byte
		if _, err := source.ReadAt(count[:], offset); err != nil {
			return fmt.Errorf("%w: it ends before the storage %q; fetch the file again", ErrFormat, name)
		}
		offset += prefix
		if n := binary.LittleEndian.Uint64(count[:]); n != uint64(s.count) {
			return fmt.Errorf("%w: the storage %q has %d elements and announces %d", ErrFormat, name, n, s.count)
		}
		length := int64(s.count) * int64(s.kind.Size())
		if length > size-offset {
			return fmt.Errorf("%w: it ends within the storage %q; fetch the file again", ErrFormat, name)
		}
		s.data = io.NewSectionReader(source, offset, length)
		offset += length
	}
	for name, s := range known {
		if s.data == nil {
			return fmt.Errorf("%w: the data of the storage %q are missing", ErrFormat, name)
		}
	}
	return nil
}
