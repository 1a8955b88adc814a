package arrays

import (
	"fmt"
	"os"

	"github.com/upl-host/upl-host/graphs/array"
)

// scratch is a matrix on disk that has no name: it is gone when it is closed, or
// when the program ends in whatever way.
type scratch struct {
	file          *os.File
	rows, classes int
}

// newScratch makes one in a folder, which should have room for it.
func newScratch(folder string, rows, classes int) (*scratch, error) {
	f, err := os.CreateTemp(folder, ".upl-host-*")
	if err != nil {
		return nil, fmt.Errorf("making room for the ensemble: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, fmt.Errorf("making room for the ensemble: %w", err)
	}
	return &scratch{f, rows, classes}, nil
}

func (s *scratch) Rows() int    { return s.rows }
func (s *scratch) Classes() int { return s.classes }
func (s *scratch) Close() error { return s.file.Close() }

func (s *scratch) at(row int) int64 {
	return int64(row) * int64(s.classes) * 4
}

func (s *scratch) write(first int, rows []float32) error {
	_, err := s.file.WriteAt(array.Bytes(rows), s.at(first))
	return err
}

// Read fills dst with n rows from first on.
func (s *scratch) Read(first, n int, dst []float32) error {
	_, err := s.file.ReadAt(array.Bytes(dst[:n*s.classes]), s.at(first))
	return err
}
