package torch

import (
	"archive/zip"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/upl-host/upl-host/graphs/checkpoint/pickle"
)

const pickleName = "data.pkl"

// zipFile is a zip archive of torch.save or torch.jit.save: a folder with
// data.pkl, its storages under data/, and for TorchScript code/ and constants.pkl.
type zipFile struct {
	source  io.ReaderAt
	size    int64
	folder  string
	entries map[string]*zip.File // by name without the folder
}

func readZip(source io.ReaderAt, size int64) (*Archive, error) {
	archive, err := zip.NewReader(source, size)
	if err != nil {
		return nil, fmt.Errorf("%w: its zip directory is damaged or cut off (%w); fetch the file again", ErrFormat, err)
	}
	z := zipFile{source: source, size: size, entries: make(map[string]*zip.File, len(archive.File))}
	for _, entry := range archive.File {
		if folder, name := path.Split(entry.Name); name == pickleName && strings.Count(folder, "/") == 1 {
			z.folder = folder
		}
	}
	if z.folder == "" {
		return nil, fmt.Errorf("%w: a zip archive without %s, so not one of torch.save", ErrFormat, pickleName)
	}
	for _, entry := range archive.File {
		name, inside := strings.CutPrefix(entry.Name, z.folder)
		if !inside {
			continue
		}
		if z.entries[name] != nil {
			return nil, fmt.Errorf("%w: the entry %q is there twice", ErrFormat, entry.Name)
		}
		z.entries[name] = entry
	}
	if err := z.checkByteOrder(); err != nil {
		return nil, err
	}
	text, err := z.read(pickleName)
	if err != nil {
		return nil, err
	}
	a := &Archive{script: z.entries["constants.pkl"] != nil}
	value, err := load(text, a.script, storages(z.storage))
	if err != nil {
		return nil, err
	}
	a.tensors, err = collect(value)
	return a, err
}

func (z *zipFile) checkByteOrder() error {
	const name = "byteorder"
	if z.entries[name] == nil {
		return nil // before PyTorch 2.1: the writer's own order, which was little
	}
	order, err := z.read(name)
	if err != nil {
		return err
	}
	if string(order) != "little" {
		return fmt.Errorf("%w: byte order %q", ErrUnsupported, order)
	}
	return nil
}

// read reads a small entry whole, however well it was compressed.
func (z *zipFile) read(name string) ([]byte, error) {
	entry := z.entries[name]
	if entry.UncompressedSize64 > pickleLimit {
		return nil, fmt.Errorf("%w: %s announces %d bytes, more than %d", ErrFormat, entry.Name, entry.UncompressedSize64, pickleLimit)
	}
	reader, err := entry.Open()
	if err != nil {
		return nil, fmt.Errorf("%w: opening %s: %w", ErrFormat, entry.Name, err)
	}
	defer reader.Close()
	content, err := io.ReadAll(io.LimitReader(reader, pickleLimit+1))
	if err != nil {
		return nil, fmt.Errorf("%w: reading %s: %w", ErrFormat, entry.Name, err)
	}
	if len(content) > pickleLimit {
		return nil, fmt.Errorf("%w: %s is longer than it says", ErrFormat, entry.Name)
	}
	return content, nil
}

// storage finds the storage that a persistent id names:
// ("storage", class, key, device, number of elements).
func (z *zipFile) storage(id pickle.Tuple) (*storage, error) {
	const idLength = 5
	if len(id) != idLength {
		return nil, fmt.Errorf("%w: a storage is named by %d values, not %d", ErrFormat, len(id), idLength)
	}
	s, key, err := parseStorage(id)
	if err != nil {
		return nil, err
	}
	entry := z.entries["data/"+key]
	if entry == nil {
		return nil, fmt.Errorf("%w: the storage data/%s is not in the archive", ErrFormat, key)
	}
	// Stored data really are in the file: a small file cannot announce large tensors.
	if entry.Method != zip.Store {
		return nil, fmt.Errorf("%w: the tensors in %s are compressed, which torch.save never does; load and save the file again", ErrUnsupported, entry.Name)
	}
	begin, err := entry.DataOffset()
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFormat, entry.Name, err)
	}
	size := entry.UncompressedSize64
	if size != entry.CompressedSize64 || begin > z.size || size > uint64(z.size-begin) {
		return nil, fmt.Errorf("%w: %s announces %d bytes, which are not in the file", ErrFormat, entry.Name, size)
	}
	if want := uint64(s.count) * uint64(s.kind.Size()); want != size {
		return nil, fmt.Errorf("%w: %s has %d bytes where %d elements of %s take %d", ErrFormat, entry.Name, size, s.count, s.kind, want)
	}
	s.data = io.NewSectionReader(z.source, begin, int64(size))
	s.checksum = entry.CRC32
	return s, nil
}
