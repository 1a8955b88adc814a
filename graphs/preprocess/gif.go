package preprocess

import (
	"bytes"
	"compress/lzw"
	"errors"
	"fmt"
	"io"
)

// gifReader walks through a GIF's blocks.
type gifReader struct {
	data []byte
	at   int
}

func (r *gifReader) take(n int) ([]byte, error) {
	if len(r.data)-r.at < n {
		return nil, errTruncated
	}
	r.at += n
	return r.data[r.at-n : r.at], nil
}

func (r *gifReader) byte() (byte, error) {
	b, err := r.take(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// blocks reads a chain of sub-blocks up to its end.
func (r *gifReader) blocks() ([]byte, error) {
	var all []byte
	for {
		n, err := r.byte()
		if err != nil || n == 0 {
			return all, err
		}
		b, err := r.take(int(n))
		if err != nil {
			return all, err
		}
		all = append(all, b...)
	}
}

// table reads the colour table that flags announce; nil if there is none.
func (r *gifReader) table(flags byte) (table []byte, err error) {
	if flags&0x80 == 0 {
		return nil, nil
	}
	return r.take(3 << (flags&7 + 1))
}

// decodeGIF reads the first frame. (image/gif forgets the colour of the
// transparent index, which Pillow's convert("RGB") shows.)
func decodeGIF(data []byte, limits Limits) (*Picture, error) {
	r := &gifReader{data: data, at: 6}
	screen, err := r.take(7)
	if err != nil {
		return nil, err
	}
	width, height := le16(screen), le16(screen[2:])
	table, err := r.table(screen[4])
	if err != nil {
		return nil, err
	}
	transparent := byte(0) // what the screen outside the frame is filled with
	for {
		kind, err := r.byte()
		if err != nil {
			return nil, err
		}
		switch kind {
		case '!':
			label, err := r.byte()
			if err != nil {
				return nil, err
			}
			block, err := r.blocks()
			if err != nil {
				return nil, err
			}
			if label == 0xf9 && len(block) >= 4 && block[0]&1 != 0 {
				transparent = block[3]
			}
		case ',':
			return r.frame(width, height, table, transparent, limits)
		case ';':
			return nil, fmt.Errorf("%w: no frame", ErrCorrupt)
		}
	}
}

// frame reads the image that begins after its separator, and lays it on the screen.
func (r *gifReader) frame(width, height int, table []byte, background byte, limits Limits) (*Picture, error) {
	head, err := r.take(9)
	if err != nil {
		return nil, err
	}
	left, top := le16(head), le16(head[2:])
	w, h := le16(head[4:]), le16(head[6:])
	width, height = max(width, left+w), max(height, top+h)
	if err := limits.check(width, height); err != nil {
		return nil, err
	}
	if own, err := r.table(head[8]); err != nil {
		return nil, err
	} else if own != nil {
		table = own
	}
	pixels, err := r.pixels(w * h)
	if err != nil {
		return nil, err
	}

	picture := newPicture(grey, width, height)
	if !isRamp(table) {
		picture.mode, picture.colours = palette, greyRamp()
		for i := 0; i < len(table); i += 3 {
			picture.colours[i/3] = uint24(table[i : i+3])
		}
	}
	if background != 0 && (w < width || h < height) {
		for i := range picture.pix {
			picture.pix[i] = background
		}
	}
	rows := rowOrder(h, head[8]&0x40 != 0)
	for i, y := range rows {
		copy(picture.pix[(top+y)*width+left:], pixels[i*w:(i+1)*w])
	}
	return picture, nil
}

// pixels expands n colour indices.
func (r *gifReader) pixels(n int) ([]byte, error) {
	width, err := r.byte()
	if err != nil {
		return nil, err
	}
	if width < 2 || width > 8 {
		return nil, fmt.Errorf("%w: codes of %d bits", ErrCorrupt, width)
	}
	// A chain that ends early is no fault if it has all the pixels.
	packed, chain := r.blocks()
	expanded := lzw.NewReader(bytes.NewReader(packed), lzw.LSB, int(width))
	defer expanded.Close()
	pixels := make([]byte, n)
	if _, err := io.ReadFull(expanded, pixels); err != nil {
		return nil, errors.Join(corrupt(err), chain)
	}
	return pixels, nil
}

// isRamp tells whether colours are just the greys of their own index: Pillow
// drops such a table, or none, and has the frame in mode L.
func isRamp(table []byte) bool {
	for i, v := range table {
		if int(v) != i/3 {
			return false
		}
	}
	return true
}

// rowOrder lists the rows of a frame as they come in the file.
func rowOrder(height int, interlaced bool) []int {
	rows := make([]int, 0, height)
	if !interlaced {
		for y := range height {
			rows = append(rows, y)
		}
		return rows
	}
	for _, pass := range [...]struct{ from, step int }{{0, 8}, {4, 8}, {2, 4}, {1, 2}} {
		for y := pass.from; y < height; y += pass.step {
			rows = append(rows, y)
		}
	}
	return rows
}
