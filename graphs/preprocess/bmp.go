package preprocess

import (
	"bytes"
	"errors"
	"fmt"
	"image"

	"golang.org/x/image/bmp"
)

func decodeBMP(data []byte, limits Limits) (*Picture, error) {
	header, err := bmp.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, bmpError(err)
	}
	if err := limits.check(header.Width, header.Height); err != nil {
		return nil, err
	}
	img, err := bmp.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, bmpError(err)
	}
	indexed, ok := img.(*image.Paletted)
	if !ok {
		// Pillow believes in alpha only where bit fields name it.
		const depthAt, compressionAt, bitFields = 28, 30, 3
		if le16(data[depthAt:]) == 32 && le16(data[compressionAt:]) == bitFields {
			return fromImage(img, rgba)
		}
		return fromImage(img, rgb)
	}
	p, err := fromImage(img, palette)
	if err != nil {
		return nil, err
	}
	p.dropGreyPalette(len(indexed.Palette))
	return p, nil
}

// dropGreyPalette does as Pillow with a BMP whose n colours are black and white
// (mode 1), or the greys of their own index (mode L): the indices are the samples.
func (p *Picture) dropGreyPalette(n int) {
	if n == 2 && p.colours[0] == (uint24{}) && p.colours[1] == (uint24{255, 255, 255}) {
		for i, v := range p.pix {
			p.pix[i] = -v // 0 or 1 becomes 0 or 255
		}
		p.mode, p.colours = bilevel, nil
		return
	}
	ramp := greyRamp()
	for i := range n {
		if p.colours[i] != ramp[i] {
			return
		}
	}
	p.mode, p.colours = grey, nil
}

func bmpError(err error) error {
	if errors.Is(err, bmp.ErrUnsupported) {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return corrupt(err)
}
