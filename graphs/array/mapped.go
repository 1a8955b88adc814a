package array

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"unsafe"

	"github.com/google/renameio/v2"
)

// Mapped is a float32 matrix in a .npy file, memory-mapped and read-only:
// its rows come from the page cache, however many there are.
type Mapped struct {
	Matrix
	region []byte
}

// Map maps the matrix in a .npy file. The file must not be changed while mapped.
func Map(path string) (*Mapped, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := mapFile(f)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return m, nil
}

func mapFile(f *os.File) (*Mapped, error) {
	h, err := readHeader(f)
	if err != nil {
		return nil, err
	}
	if h.descr != "<f4" || len(h.shape) != 2 {
		return nil, fmt.Errorf("%w: element type %s and shape %v, not a matrix of float32", ErrFormat, h.descr, h.shape)
	}
	n, err := h.elements(4)
	if err != nil {
		return nil, err
	}
	offset, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size()-offset != int64(n)*4 {
		return nil, fmt.Errorf("%w: %d bytes of data where shape %v needs %d", ErrSize, info.Size()-offset, h.shape, n*4)
	}
	m := &Mapped{Matrix: Matrix{Rows: h.shape[0], Cols: h.shape[1]}}
	if n == 0 {
		return m, nil
	}
	if offset%4 != 0 {
		return nil, fmt.Errorf("%w: data begins at byte %d, unaligned", ErrFormat, offset)
	}
	m.region, err = syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mapping: %w", err)
	}
	m.Data = unsafe.Slice((*float32)(unsafe.Pointer(&m.region[offset])), n)
	return m, nil
}

// Close unmaps; the matrix's memory must not be touched afterwards.
func (m *Mapped) Close() error {
	region := m.region
	m.region, m.Data = nil, nil
	if region == nil {
		return nil
	}
	return syscall.Munmap(region)
}

// Writer writes a float32 matrix to a .npy file, row by row.
type Writer struct {
	file   *renameio.PendingFile
	buffer *bufio.Writer
	cols   int
	left   int
}

// Create begins a .npy file of rows x cols. Nothing appears at path before Close.
func Create(path string, rows, cols int) (*Writer, error) {
	f, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o644))
	if err != nil {
		return nil, err
	}
	w := &Writer{file: f, buffer: bufio.NewWriterSize(f, 1<<18), cols: cols, left: rows}
	err = writeHeader(w.buffer, "<f4", []int{rows, cols})
	// With nothing before them in the buffer, many rows at once bypass it.
	if err = errors.Join(err, w.buffer.Flush()); err != nil {
		w.Abort()
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	return w, nil
}

// Append writes the next rows: len(data) is a multiple of the matrix's columns.
func (w *Writer) Append(data []float32) error {
	if len(data)%w.cols != 0 || len(data)/w.cols > w.left {
		return fmt.Errorf("%d values do not fit the %d rows of %d that are left", len(data), w.left, w.cols)
	}
	if len(data) == 0 {
		return nil
	}
	w.left -= len(data) / w.cols
	_, err := w.buffer.Write(Bytes(data))
	return err
}

// Close makes the file appear; it fails when rows are missing.
func (w *Writer) Close() error {
	if w.left != 0 {
		w.Abort()
		return fmt.Errorf("%d rows were never written", w.left)
	}
	if err := w.buffer.Flush(); err != nil {
		w.Abort()
		return err
	}
	return w.file.CloseAtomicallyReplace()
}

// Abort drops what was written. After Close it does nothing.
func (w *Writer) Abort() { w.file.Cleanup() }

// Bytes returns the little-endian bytes of data; they share memory.
func Bytes(data []float32) []byte {
	if len(data) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&data[0])), 4*len(data))
}
