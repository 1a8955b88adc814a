package array

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"
)

// Source: NumPy, numpy/lib/format.py ("NPY format", versions 1.0 to 3.0).
const magic = "\x93NUMPY"

// headerLimit bounds the header's text; NumPy itself warns above 10,000 bytes.
const headerLimit = 1 << 16

// ErrFormat marks a file that is not a NumPy array that this package reads.
var ErrFormat = errors.New("not a readable NumPy array")

// ErrSize marks a file whose data is not as long as its header says.
var ErrSize = fmt.Errorf("%w: its length is not what its header says", ErrFormat)

type header struct {
	descr string
	shape []int
}

var (
	descrField   = regexp.MustCompile(`'descr'\s*:\s*'([^']*)'`)
	fortranField = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	shapeField   = regexp.MustCompile(`'shape'\s*:\s*\(([0-9,\s]*)\)`)
)

func readHeader(r io.Reader) (header, error) {
	var h header
	start := make([]byte, 8)
	if _, err := io.ReadFull(r, start); err != nil {
		return h, fmt.Errorf("%w: %d bytes of header cannot be read: %w", ErrFormat, len(start), err)
	}
	if string(start[:6]) != magic {
		return h, fmt.Errorf("%w: it does not begin with NumPy's magic bytes", ErrFormat)
	}
	var length uint32
	switch start[6] {
	case 1:
		var n uint16
		if err := binary.Read(r, binary.LittleEndian, &n); err != nil {
			return h, fmt.Errorf("%w: truncated header", ErrFormat)
		}
		length = uint32(n)
	case 2, 3:
		if err := binary.Read(r, binary.LittleEndian, &length); err != nil {
			return h, fmt.Errorf("%w: truncated header", ErrFormat)
		}
	default:
		return h, fmt.Errorf("%w: format version %d", ErrFormat, start[6])
	}
	if length > headerLimit {
		return h, fmt.Errorf("%w: a header of %d bytes", ErrFormat, length)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return h, fmt.Errorf("%w: truncated header", ErrFormat)
	}
	descr, fortran, shape := descrField.FindSubmatch(text), fortranField.FindSubmatch(text), shapeField.FindSubmatch(text)
	if descr == nil || fortran == nil || shape == nil {
		return h, fmt.Errorf("%w: header %q", ErrFormat, bytes.TrimSpace(text))
	}
	h.descr = string(descr[1])
	for _, part := range strings.Split(string(shape[1]), ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		d, err := strconv.Atoi(part)
		if err != nil {
			return h, fmt.Errorf("%w: dimension %s", ErrFormat, part)
		}
		h.shape = append(h.shape, d)
	}
	if string(fortran[1]) == "True" && len(h.shape) > 1 {
		return h, fmt.Errorf("%w: Fortran order (save it with numpy.ascontiguousarray)", ErrFormat)
	}
	return h, nil
}

// elements returns the number of elements, refusing shapes whose bytes overflow.
func (h header) elements(size int) (int, error) {
	n := 1
	for _, d := range h.shape {
		if d != 0 && n > math.MaxInt/8/d/max(size, 1) {
			return 0, fmt.Errorf("%w: shape %v is too large", ErrFormat, h.shape)
		}
		n *= d
	}
	return n, nil
}

// Read reads one array from r. It takes memory as data arrives, so that a
// header which promises more than there is costs nothing.
func Read(r io.Reader) (Array, error) { return read(r, math.MaxInt) }

func read(r io.Reader, most int) (Array, error) {
	h, err := readHeader(r)
	if err != nil {
		return Array{}, err
	}
	size, err := itemSize(h.descr)
	if err != nil {
		return Array{}, err
	}
	n, err := h.elements(size)
	if err != nil {
		return Array{}, err
	}
	if n > most {
		return Array{}, fmt.Errorf("%w: shape %v, and %d values are wanted at most", ErrFormat, h.shape, most)
	}
	var raw bytes.Buffer
	if _, err := io.CopyN(&raw, r, int64(n)*int64(size)); err != nil {
		return Array{}, fmt.Errorf("%w: %d of %d bytes of data", ErrSize, raw.Len(), n*size)
	}
	data, err := decode(h.descr, raw.Bytes(), n)
	if err != nil {
		return Array{}, err
	}
	return Array{Shape: h.shape, Data: data}, nil
}

// ReadFile reads a .npy file.
func ReadFile(path string) (Array, error) { return ReadFileAtMost(path, math.MaxInt) }

// ReadFileAtMost reads a .npy file of some number of values at most; of a larger
// one nothing but the header is read.
func ReadFileAtMost(path string, most int) (Array, error) {
	f, err := os.Open(path)
	if err != nil {
		return Array{}, err
	}
	defer f.Close()
	a, err := read(f, most)
	if err != nil {
		return Array{}, fmt.Errorf("reading %s: %w", path, err)
	}
	return a, nil
}

func itemSize(descr string) (int, error) {
	switch descr {
	case "|b1", "|u1":
		return 1, nil
	case "<f2":
		return 2, nil
	case "<f4", "<i4", "<u4":
		return 4, nil
	case "<f8", "<i8", "<u8":
		return 8, nil
	}
	if rest, ok := strings.CutPrefix(descr, "<U"); ok {
		if n, err := strconv.Atoi(rest); err == nil && n > 0 && n < 1<<20 {
			return 4 * n, nil
		}
	}
	return 0, fmt.Errorf("%w: element type %q", ErrFormat, descr)
}

func decode(descr string, raw []byte, n int) (any, error) {
	order := binary.LittleEndian
	switch descr {
	case "|b1":
		out := make([]bool, n)
		for i, b := range raw {
			out[i] = b != 0
		}
		return out, nil
	case "|u1":
		return raw[:n:n], nil
	case "<f2":
		out := make([]float32, n)
		for i := range out {
			out[i] = Float16(order.Uint16(raw[2*i:]))
		}
		return out, nil
	case "<f4":
		return decodeAs[float32](raw, n)
	case "<f8":
		return decodeAs[float64](raw, n)
	case "<i4":
		return decodeAs[int32](raw, n)
	case "<i8":
		return decodeAs[int64](raw, n)
	case "<u4":
		return decodeAs[uint32](raw, n)
	case "<u8":
		return decodeAs[uint64](raw, n)
	}
	if n == 0 {
		return []string{}, nil
	}
	out, width := make([]string, n), len(raw)/n
	for i := range out {
		var text []rune
		for cell := raw[i*width : (i+1)*width]; len(cell) >= 4; cell = cell[4:] {
			text = append(text, rune(order.Uint32(cell)))
		}
		out[i] = strings.TrimRight(string(text), "\x00")
	}
	return out, nil
}

func decodeAs[T any](raw []byte, n int) ([]T, error) {
	out := make([]T, n)
	if _, err := binary.Decode(raw, binary.LittleEndian, out); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return out, nil
}

// Float16 returns the float32 of an IEEE 754 half.
func Float16(bits uint16) float32 {
	sign, exponent, fraction := uint32(bits>>15)<<31, uint32(bits>>10)&0x1f, uint32(bits)&0x3ff
	switch exponent {
	case 0:
		value := float32(fraction) / (1 << 24)
		return math.Float32frombits(math.Float32bits(value) | sign)
	case 0x1f:
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

func describe(data any) (string, error) {
	switch data := data.(type) {
	case []float32, Generated:
		return "<f4", nil
	case []float64:
		return "<f8", nil
	case []int32:
		return "<i4", nil
	case []int64:
		return "<i8", nil
	case []uint32:
		return "<u4", nil
	case []uint64:
		return "<u8", nil
	case []uint8:
		return "|u1", nil
	case []bool:
		return "|b1", nil
	case []string:
		longest := 1
		for _, text := range data {
			longest = max(longest, len([]rune(text)))
		}
		return "<U" + strconv.Itoa(longest), nil
	}
	return "", fmt.Errorf("an array of %T cannot be written as NumPy", data)
}

// writeHeader writes a version 1.0 header, padded so that data is 64-byte aligned.
func writeHeader(w io.Writer, descr string, shape []int) error {
	dims := make([]string, len(shape))
	for i, d := range shape {
		dims[i] = strconv.Itoa(d)
	}
	tuple := strings.Join(dims, ", ")
	if len(shape) == 1 {
		tuple += ","
	}
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, tuple)
	text += strings.Repeat(" ", 63-(len(magic)+4+len(text))%64) + "\n"
	var out bytes.Buffer
	out.WriteString(magic + "\x01\x00")
	out.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(text))))
	out.WriteString(text)
	_, err := w.Write(out.Bytes())
	return err
}

// Write writes one array as .npy.
func Write(w io.Writer, a Array) error {
	descr, err := describe(a.Data)
	if err != nil {
		return err
	}
	if err := writeHeader(w, descr, a.Shape); err != nil {
		return err
	}
	switch data := a.Data.(type) {
	case []string:
		return writeTexts(w, descr, data)
	case Generated:
		row := make([]float32, a.Shape[1])
		for i := range a.Shape[0] {
			clear(row)
			data(i, row)
			if _, err := w.Write(Bytes(row)); err != nil {
				return err
			}
		}
		return nil
	}
	return binary.Write(w, binary.LittleEndian, a.Data)
}

func writeTexts(w io.Writer, descr string, texts []string) error {
	size, err := itemSize(descr)
	if err != nil {
		return err
	}
	for _, text := range texts {
		cell := make([]byte, size)
		for i, r := range []rune(text) {
			binary.LittleEndian.PutUint32(cell[4*i:], uint32(r))
		}
		if _, err := w.Write(cell); err != nil {
			return err
		}
	}
	return nil
}

// WriteFile writes a .npy file, whole or not at all.
func WriteFile(path string, a Array) error {
	return writeAtomic(path, func(w io.Writer) error { return Write(w, a) })
}

func writeAtomic(path string, write func(io.Writer) error) error {
	f, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o644))
	if err != nil {
		return err
	}
	defer f.Cleanup()
	if err := write(f); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// Array returns the matrix as an array; they share memory.
func (m Matrix) Array() Array { return Array{Shape: []int{m.Rows, m.Cols}, Data: m.Data} }
