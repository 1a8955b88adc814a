package preprocess

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
)

const pngSignature = "\x89PNG\r\n\x1a\n"

// PNG's colour types.
const (
	pngGrey      = 0
	pngTrue      = 2
	pngPalette   = 3
	pngGreyAlpha = 4
	pngTrueAlpha = 6
)

func decodePNG(data []byte, limits Limits) (*Picture, error) {
	header, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, pngError(err)
	}
	if err := limits.check(header.Width, header.Height); err != nil {
		return nil, err
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, pngError(err)
	}
	// DecodeConfig has seen to it that IHDR is there and is the first chunk.
	const depthAt, colourAt = 24, 25
	m, err := pngMode(data[colourAt], data[depthAt])
	if err != nil {
		return nil, err
	}
	return fromImage(img, m)
}

// pngMode is the mode that Pillow gives to a colour type and depth. With a
// transparent colour (tRNS) Go's decoder adds an alpha channel, which Pillow's
// modes do not have.
func pngMode(colour, depth byte) (mode, error) {
	switch {
	case colour == pngGrey && depth == 1:
		return bilevel, nil
	case colour == pngGrey && depth == 16:
		return grey16, nil
	case colour == pngGrey:
		return grey, nil
	case colour == pngTrue:
		return rgb, nil
	case colour == pngPalette:
		return palette, nil
	case colour == pngGreyAlpha && depth == 8:
		return greyAlpha, nil
	case colour == pngGreyAlpha, colour == pngTrueAlpha:
		return rgba, nil // Pillow has no mode for 16-bit grey with alpha
	}
	return 0, fmt.Errorf("%w: colour type %d", ErrCorrupt, colour)
}

func pngError(err error) error {
	var unsupported png.UnsupportedError
	if errors.As(err, &unsupported) {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return corrupt(err)
}

// fromImage lays out an image of Go's decoders in the mode that Pillow gives it.
// 16-bit samples become 8 by their upper byte, but for grey16.
func fromImage(img image.Image, m mode) (*Picture, error) {
	size := img.Bounds().Size()
	p := newPicture(m, size.X, size.Y)
	for y := range size.Y {
		var err error
		switch img := img.(type) {
		case *image.Gray:
			err = p.pick(y, img.Pix[y*img.Stride:], 1, 1)
		case *image.Gray16:
			err = p.pick(y, img.Pix[y*img.Stride:], 1, 2)
		case *image.Paletted:
			err = p.pick(y, img.Pix[y*img.Stride:], 1, 1)
		case *image.RGBA:
			err = p.pick(y, img.Pix[y*img.Stride:], 4, 1)
		case *image.NRGBA:
			err = p.pick(y, img.Pix[y*img.Stride:], 4, 1)
		case *image.RGBA64:
			err = p.pick(y, img.Pix[y*img.Stride:], 4, 2)
		case *image.NRGBA64:
			err = p.pick(y, img.Pix[y*img.Stride:], 4, 2)
		default:
			err = fmt.Errorf("%w: %T", ErrUnsupported, img)
		}
		if err != nil {
			return nil, err
		}
	}
	if img, ok := img.(*image.Paletted); ok && m == palette {
		p.colours = paletteOf(img.Palette)
	}
	return p, nil
}

// pick copies row y out of samples that lie `bands` to a pixel, `bytes` each, big-endian.
func (p *Picture) pick(y int, row []uint8, bands, bytes int) error {
	if p.mode == grey16 {
		if bytes != 2 {
			return fmt.Errorf("%w: 16-bit grey in %d bits", ErrUnsupported, 8*bytes)
		}
		out := p.wide[y*p.Width : (y+1)*p.Width]
		for x := range out {
			out[x] = uint16(be16(row[x*bands*2:]))
		}
		return nil
	}
	// Where the samples have more bands than the mode, grey takes the first and
	// grey with alpha the first and the last; nothing has fewer.
	own := p.mode.bands()
	if own > bands {
		return fmt.Errorf("%w: %d samples a pixel in mode %s", ErrUnsupported, bands, p.mode)
	}
	out := p.pix[y*p.Width*own : (y+1)*p.Width*own]
	if own == bands && bytes == 1 {
		copy(out, row)
		return nil
	}
	last := own - 1
	if p.mode == greyAlpha {
		last = bands - 1
	}
	step := bands * bytes
	for x := range p.Width {
		pixel := row[x*step : (x+1)*step]
		for i := range own - 1 {
			out[x*own+i] = pixel[i*bytes]
		}
		out[x*own+own-1] = pixel[last*bytes]
	}
	return nil
}

// paletteOf takes the colours without their alpha, which is not multiplied in.
func paletteOf(colours color.Palette) *[256]uint24 {
	out := greyRamp()
	for i, c := range colours {
		if i == len(out) {
			break
		}
		switch c := c.(type) {
		case color.NRGBA:
			out[i] = uint24{c.R, c.G, c.B}
		default:
			r, g, b, _ := c.RGBA()
			out[i] = uint24{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8)}
		}
	}
	return out
}
