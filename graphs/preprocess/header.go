package preprocess

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image/png"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// Info is what a picture's header says.
type Info struct {
	Format        string // JPEG, PNG, GIF, WebP, BMP or TIFF
	Width, Height int
}

// Header reads a picture's format and size, and no pixels. The beginning of a file
// does where the header lies there, as it mostly does; where it does not, the error
// is one that the whole file may not have.
func Header(data []byte) (info Info, err error) {
	name, decode := sniff(data)
	switch {
	case decode == nil && name != "":
		return info, fmt.Errorf("%w: %s", ErrUnsupported, name)
	case decode == nil && len(data) == 0:
		return info, fmt.Errorf("%w: the file is empty", ErrNotPicture)
	case decode == nil:
		return info, ErrNotPicture
	}
	defer func() { // as in guarded
		if r := recover(); r != nil {
			err = fmt.Errorf("reading the header of a %s: %w: %v", name, ErrCorrupt, r)
		}
	}()
	info.Format = name
	if info.Width, info.Height, err = headerSize(name, data); err != nil {
		return info, fmt.Errorf("reading the header of a %s: %w", name, err)
	}
	if info.Width < 1 || info.Height < 1 {
		return info, fmt.Errorf("%w: %d x %d pixels", ErrCorrupt, info.Width, info.Height)
	}
	return info, nil
}

func headerSize(format string, data []byte) (width, height int, err error) {
	switch format {
	case "JPEG":
		h, err := parseJPEG(data)
		if err != nil {
			return 0, 0, err
		}
		return h.width, h.height, nil
	case "PNG":
		c, err := png.DecodeConfig(bytes.NewReader(data))
		return c.Width, c.Height, pngError(err)
	case "GIF": // the screen; a first frame may reach beyond it
		return le16(data[6:]), le16(data[8:]), nil
	case "WebP":
		return webpHeader(data)
	case "BMP":
		c, err := bmp.DecodeConfig(bytes.NewReader(data))
		return c.Width, c.Height, bmpError(err)
	}
	tags, err := readTIFFTags(data)
	if err != nil {
		return 0, 0, err
	}
	c, err := tiff.DecodeConfig(bytes.NewReader(data))
	if tags.orientation >= 5 && tags.orientation <= 8 {
		c.Width, c.Height = c.Height, c.Width
	}
	return c.Width, c.Height, tiffError(err)
}

// webpHeader reads the canvas, or the size of the only frame.
func webpHeader(data []byte) (width, height int, err error) {
	if len(data) < 30 {
		return 0, 0, errTruncated
	}
	switch string(data[12:16]) {
	case "VP8X":
		return le24(data[24:]) + 1, le24(data[27:]) + 1, nil
	case "VP8 ":
		return le16(data[26:]) & 0x3fff, le16(data[28:]) & 0x3fff, nil
	case "VP8L":
		bits := binary.LittleEndian.Uint32(data[21:])
		return int(bits&0x3fff) + 1, int(bits>>14&0x3fff) + 1, nil
	}
	return 0, 0, fmt.Errorf("%w: no picture in it", ErrCorrupt)
}
