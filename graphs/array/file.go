package array

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
)

// File is a matrix in a .npy file of float16, float32 or float64, which is read
// some rows at a time and converted to float32 on the way. Unlike [Mapped] it
// keeps nothing in memory, and a file that is cut short meanwhile, or a disk that
// fails, is an error of Read, not the end of the program.
type File struct {
	rows, cols int
	item       int // bytes of an element
	offset     int64
	file       *os.File
}

// Open opens the matrix in a .npy file. The file must not be changed while open.
func Open(path string) (*File, error) {
	// A pipe would wait for its writer here, and cannot be read twice.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	m, err := openMatrix(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading %s: %w", path, err), f.Close())
	}
	return m, nil
}

func openMatrix(f *os.File) (*File, error) {
	h, err := readHeader(f)
	if err != nil {
		return nil, err
	}
	var item int
	switch h.descr {
	case "<f2", "<f4", "<f8":
		item = int(h.descr[2] - '0')
	default:
		return nil, fmt.Errorf("%w: element type %s: float16, float32 or float64 is wanted, little-endian", ErrFormat, h.descr)
	}
	if len(h.shape) != 2 {
		return nil, fmt.Errorf("%w: shape %v is not that of a matrix", ErrFormat, h.shape)
	}
	n, err := h.elements(item)
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
	if info.Size()-offset != int64(n)*int64(item) {
		return nil, fmt.Errorf("%w: %d bytes of data where shape %v needs %d", ErrSize, info.Size()-offset, h.shape, n*item)
	}
	return &File{rows: h.shape[0], cols: h.shape[1], item: item, offset: offset, file: f}, nil
}

// Rows is the number of rows.
func (f *File) Rows() int { return f.rows }

// Cols is the number of columns.
func (f *File) Cols() int { return f.cols }

// Read fills dst with n rows from first on. It may be called concurrently.
func (f *File) Read(first, n int, dst []float32) error {
	if first < 0 || n < 0 || n > f.rows-first || len(dst) < n*f.cols {
		return fmt.Errorf("rows %d to %d of %d, into room for %d values", first, first+n, f.rows, len(dst))
	}
	dst = dst[:n*f.cols]
	at := f.offset + int64(first)*int64(f.cols)*int64(f.item)
	if f.item == 4 {
		return f.readAt(Bytes(dst), at)
	}
	const most = 1 << 16
	raw := make([]byte, min(most, len(dst)*f.item))
	for len(dst) > 0 {
		part := dst[:min(len(dst), most/f.item)]
		if err := f.readAt(raw[:len(part)*f.item], at); err != nil {
			return err
		}
		decodeFloats(raw, f.item, part)
		dst, at = dst[len(part):], at+int64(len(part)*f.item)
	}
	return nil
}

func (f *File) readAt(dst []byte, at int64) error {
	_, err := f.file.ReadAt(dst, at)
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: %s ends before byte %d", ErrSize, f.file.Name(), at+int64(len(dst)))
	}
	return err
}

func decodeFloats(raw []byte, item int, dst []float32) {
	order := binary.LittleEndian
	for i := range dst {
		if item == 2 {
			dst[i] = Float16(order.Uint16(raw[2*i:]))
		} else {
			dst[i] = float32(math.Float64frombits(order.Uint64(raw[8*i:])))
		}
	}
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }
