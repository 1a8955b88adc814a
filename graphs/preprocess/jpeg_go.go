//go:build !tensorflow

package preprocess

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
)

// jpegDecoder names the inverse DCT, for Transform.Key.
const jpegDecoder = "image/jpeg"

// decodeComponents decodes a JPEG of one or three components into the picture.
// Go's inverse DCT rounds otherwise than libjpeg's.
func decodeComponents(data []byte, p *Picture) (*Picture, error) {
	img, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, jpegError(err)
	}
	planes, ok := img.(*image.YCbCr)
	if !ok {
		return fromImage(img, p.mode)
	}
	h, v, err := subsampling(planes.SubsampleRatio)
	if err != nil {
		return nil, err
	}
	luma := cropPlane(planes.Y, planes.YStride, p.Width, p.Height)
	width, height := (p.Width+h-1)/h, (p.Height+v-1)/v
	blue := cropPlane(planes.Cb, planes.CStride, width, height).fancy(h, v, p.Width, p.Height)
	red := cropPlane(planes.Cr, planes.CStride, width, height).fancy(h, v, p.Width, p.Height)
	for i := range luma.pix {
		yccToRGB(p.pix[3*i:3*i+3], luma.pix[i], blue.pix[i], red.pix[i])
	}
	return p, nil
}

func cropPlane(pix []uint8, stride, width, height int) plane {
	p := newPlane(width, height)
	for y := range height {
		copy(p.row(y), pix[y*stride:])
	}
	return p
}

func subsampling(ratio image.YCbCrSubsampleRatio) (h, v int, err error) {
	switch ratio {
	case image.YCbCrSubsampleRatio444:
		return 1, 1, nil
	case image.YCbCrSubsampleRatio422:
		return 2, 1, nil
	case image.YCbCrSubsampleRatio420:
		return 2, 2, nil
	case image.YCbCrSubsampleRatio440:
		return 1, 2, nil
	case image.YCbCrSubsampleRatio411:
		return 4, 1, nil
	case image.YCbCrSubsampleRatio410:
		return 4, 2, nil
	}
	return 0, 0, fmt.Errorf("%w: chroma subsampling %v", ErrUnsupported, ratio)
}
