package array

import (
	"archive/zip"
	"fmt"
	"io"
	"sort"
	"strings"
	"time"
)

// ReadArchive reads every array of a .npz file.
func ReadArchive(path string) (map[string]Array, error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	defer archive.Close()
	arrays := make(map[string]Array, len(archive.File))
	for _, file := range archive.File {
		a, err := readEntry(file)
		if err != nil {
			return nil, fmt.Errorf("reading %s of %s: %w", file.Name, path, err)
		}
		arrays[strings.TrimSuffix(file.Name, ".npy")] = a
	}
	return arrays, nil
}

func readEntry(file *zip.File) (Array, error) {
	r, err := file.Open()
	if err != nil {
		return Array{}, err
	}
	defer r.Close()
	return Read(r)
}

// WriteArchive writes a .npz file, uncompressed, entries sorted by name and
// undated: equal arrays give equal bytes. The file appears whole or not at all.
func WriteArchive(path string, arrays map[string]Array) error {
	return writeAtomic(path, func(w io.Writer) error {
		archive := zip.NewWriter(w)
		names := make([]string, 0, len(arrays))
		for name := range arrays {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			// NumPy's zipfile refuses dates before 1980.
			entry, err := archive.CreateHeader(&zip.FileHeader{
				Name: name + ".npy", Method: zip.Store, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC),
			})
			if err != nil {
				return err
			}
			if err := Write(entry, arrays[name]); err != nil {
				return fmt.Errorf("array %s: %w", name, err)
			}
		}
		return archive.Close()
	})
}
