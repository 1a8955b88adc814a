package preprocess

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/image/tiff"
)

// tiffTags are the tags that decide about Pillow's mode and are lost in Go's image.
type tiffTags struct {
	bits, compression, photometric, samples, planes, orientation, extra int
}

func decodeTIFF(data []byte, limits Limits) (*Picture, error) {
	tags, err := readTIFFTags(data)
	if err != nil {
		return nil, err
	}
	if tags.planes == 2 && tags.samples > 1 {
		return nil, fmt.Errorf("%w: samples in separate planes", ErrUnsupported)
	}
	header, err := tiff.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, tiffError(err)
	}
	if err := limits.check(header.Width, header.Height); err != nil {
		return nil, err
	}
	img, err := tiff.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, tiffError(err)
	}
	p, err := fromImage(img, tags.mode())
	if err != nil {
		return nil, err
	}
	if tags.photometric == tiffWhiteIsZero && p.mode == grey16 {
		for i, v := range p.wide {
			p.wide[i] = 0xffff - v // Go inverts it, Pillow does not
		}
	}
	if tags.photometric == tiffBlackIsZero && p.mode == bilevel && tags.fax() {
		for i, v := range p.pix {
			p.pix[i] = ^v // libtiff's white runs are zeros, and so black; x/image's are white
		}
	}
	if tags.extra == tiffPremultiplied && p.mode == rgba {
		unmultiplyTIFF(p.pix)
	}
	return p.oriented(tags.orientation), nil
}

// Values of TIFF's tags.
const (
	tiffWhiteIsZero   = 0
	tiffBlackIsZero   = 1
	tiffTrue          = 2
	tiffPalette       = 3
	tiffPremultiplied = 1
	tiffGroup3        = 3
	tiffGroup4        = 4
)

func (t tiffTags) fax() bool { return t.compression == tiffGroup3 || t.compression == tiffGroup4 }

func (t tiffTags) mode() mode {
	switch {
	case t.photometric == tiffPalette:
		return palette
	case t.photometric == tiffTrue && t.samples == 4:
		return rgba
	case t.photometric == tiffTrue:
		return rgb
	case t.bits == 1:
		return bilevel
	case t.bits == 16:
		return grey16
	}
	return grey
}

// unmultiplyTIFF divides by alpha as Pillow does while unpacking, where nothing
// is left of a colour behind alpha 0.
func unmultiplyTIFF(pix []uint8) {
	for i := 0; i < len(pix); i += 4 {
		if pix[i+3] == 0 {
			clear(pix[i : i+3])
		}
	}
	unmultiply(pix, 4)
}

// readTIFFTags reads the first directory, as far as tiffTags needs it.
func readTIFFTags(data []byte) (tiffTags, error) {
	var order binary.ByteOrder = binary.LittleEndian
	if data[0] == 'M' {
		order = binary.BigEndian
	}
	tags := tiffTags{bits: 1, samples: 1, planes: 1, orientation: 1}
	at := int64(order.Uint32(data[4:]))
	if at+2 > int64(len(data)) {
		return tags, errTruncated
	}
	entries := int64(order.Uint16(data[at:]))
	at += 2
	if at+12*entries > int64(len(data)) {
		return tags, errTruncated
	}
	for ; entries > 0; entries-- {
		entry := data[at : at+12]
		at += 12
		value := int(order.Uint16(entry[8:]))
		switch order.Uint16(entry) {
		case 258: // bits a sample: one value here, or the place of several
			if count := order.Uint32(entry[4:]); count > 2 {
				place := int64(order.Uint32(entry[8:]))
				if place+2 > int64(len(data)) {
					return tags, errTruncated
				}
				value = int(order.Uint16(data[place:]))
			}
			tags.bits = value
		case 259:
			tags.compression = value
		case 262:
			tags.photometric = value
		case 274:
			tags.orientation = value
		case 277:
			tags.samples = value
		case 284:
			tags.planes = value
		case 338:
			tags.extra = value
		}
	}
	return tags, nil
}

// oriented turns the picture so that TIFF's orientation becomes 1, as Pillow
// does when it loads a TIFF (and no other format).
func (p *Picture) oriented(orientation int) *Picture {
	if orientation < 2 || orientation > 8 {
		return p
	}
	width, height := p.Width, p.Height
	if orientation >= 5 {
		width, height = height, width
	}
	turned := newPicture(p.mode, width, height)
	turned.colours = p.colours
	bands := p.mode.bands()
	for y := range height {
		for x := range width {
			sx, sy := x, y
			if orientation >= 5 {
				sx, sy = y, x
			}
			// Which edges of the file's picture are right and bottom of ours.
			switch orientation {
			case 2, 3, 7, 8:
				sx = p.Width - 1 - sx
			}
			switch orientation {
			case 3, 4, 6, 7:
				sy = p.Height - 1 - sy
			}
			from, to := sy*p.Width+sx, y*width+x
			if p.mode == grey16 {
				turned.wide[to] = p.wide[from]
				continue
			}
			copy(turned.pix[to*bands:(to+1)*bands], p.pix[from*bands:])
		}
	}
	return turned
}

func tiffError(err error) error {
	var unsupported tiff.UnsupportedError
	if errors.As(err, &unsupported) {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return corrupt(err)
}
