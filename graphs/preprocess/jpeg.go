package preprocess

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
)

// jpegHeader is what the segments before the first scan say.
type jpegHeader struct {
	width, height int
	precision     byte
	sampling      []byte // of each component: horizontal factor << 4 | vertical
	adobe         []int  // where the file has APP14 segments of Adobe's
	transform     byte   // the last such segment's
}

// JPEG's markers.
const (
	markerSOF0  = 0xc0
	markerDHT   = 0xc4
	markerJPG   = 0xc8
	markerDAC   = 0xcc
	markerSOF15 = 0xcf
	markerRST0  = 0xd0
	markerSOI   = 0xd8
	markerEOI   = 0xd9
	markerSOS   = 0xda
	markerAPP14 = 0xee
	markerAPP15 = 0xef
	markerTEM   = 0x01
)

func parseJPEG(data []byte) (*jpegHeader, error) {
	h := &jpegHeader{}
	for at := 2; ; {
		for at < len(data) && data[at] != 0xff { // junk between segments
			at++
		}
		for at < len(data) && data[at] == 0xff {
			at++
		}
		if at >= len(data) {
			return nil, errTruncated
		}
		marker := data[at]
		at++
		if marker == 0 || marker == markerTEM || marker >= markerRST0 && marker <= markerSOI {
			continue
		}
		if marker == markerEOI {
			return nil, fmt.Errorf("%w: no scan", ErrCorrupt)
		}
		if len(data)-at < 2 {
			return nil, errTruncated
		}
		size := be16(data[at:])
		if size < 2 || len(data)-at < size {
			return nil, errTruncated
		}
		segment := data[at+2 : at+size]
		switch {
		case marker == markerSOS:
			if h.sampling == nil {
				return nil, fmt.Errorf("%w: a scan before its frame", ErrCorrupt)
			}
			return h, nil
		case marker == markerAPP14 && len(segment) >= 12 && string(segment[:5]) == "Adobe":
			h.adobe = append(h.adobe, at-1)
			h.transform = segment[11]
		case marker >= markerSOF0 && marker <= markerSOF15 &&
			marker != markerDHT && marker != markerJPG && marker != markerDAC:
			if err := h.frame(segment); err != nil {
				return nil, err
			}
		}
		at += size
	}
}

// frame reads a start-of-frame segment.
func (h *jpegHeader) frame(segment []byte) error {
	if h.sampling != nil {
		return fmt.Errorf("%w: two frames", ErrCorrupt)
	}
	if len(segment) < 6 {
		return errTruncated
	}
	n := int(segment[5])
	if len(segment) != 6+3*n || n == 0 {
		return fmt.Errorf("%w: a frame of %d components in %d bytes", ErrCorrupt, n, len(segment))
	}
	h.precision = segment[0]
	h.height, h.width = be16(segment[1:]), be16(segment[3:])
	for i := range n {
		h.sampling = append(h.sampling, segment[6+3*i+1])
	}
	return nil
}

func decodeJPEG(data []byte, limits Limits) (*Picture, error) {
	h, err := parseJPEG(data)
	if err != nil {
		return nil, err
	}
	if err := limits.check(h.width, h.height); err != nil {
		return nil, err
	}
	if h.precision != 8 {
		return nil, fmt.Errorf("%w: %d bits a sample", ErrUnsupported, h.precision)
	}
	switch len(h.sampling) {
	case 1:
		return decodeComponents(data, newPicture(grey, h.width, h.height))
	case 3:
		return decodeComponents(data, newPicture(rgb, h.width, h.height))
	case 4:
		return h.decodeInks(data)
	}
	return nil, fmt.Errorf("%w: %d components", ErrUnsupported, len(h.sampling))
}

// decodeInks reads a JPEG of four components. Pillow takes the inks as inverted,
// with Adobe's marker or without.
//
// TensorFlow's op gives RGB only, cut off after the division by 255; open_clip
// resizes the inks. image/jpeg gives raw inks, inverted and with repeated chroma,
// where Adobe's marker says that the components are not transformed. So it is
// told so, and what libjpeg does behind the inverse DCT is done here.
func (h *jpegHeader) decodeInks(data []byte) (*Picture, error) {
	img, err := jpeg.Decode(bytes.NewReader(h.untransformed(data)))
	if err != nil {
		return nil, jpegError(err)
	}
	inks, ok := img.(*image.CMYK)
	if !ok {
		return nil, fmt.Errorf("%w: %T", ErrUnsupported, img)
	}
	p := newPicture(cmyk, h.width, h.height)
	transformed := len(h.adobe) > 0 && h.transform != 0
	if !transformed && h.sampling[0] == h.sampling[1] {
		copy(p.pix, inks.Pix)
		return p, nil
	}
	var planes [4]plane
	for i := range planes {
		planes[i] = h.plane(inks.Pix[i:], i)
		if h.sampling[i] != h.sampling[0] {
			planes[i] = planes[i].fancy(2, 2, h.width, h.height)
		}
	}
	for i := range h.width * h.height {
		out := p.pix[4*i : 4*i+4]
		c0, c1, c2 := planes[0].pix[i], planes[1].pix[i], planes[2].pix[i]
		if transformed {
			yccToRGB(out, c0, c1, c2)
		} else {
			out[0], out[1], out[2] = 255-c0, 255-c1, 255-c2
		}
		out[3] = 255 - planes[3].pix[i]
	}
	return p, nil
}

// plane gives component i as it is in the file, out of inverted and interleaved inks.
func (h *jpegHeader) plane(inks []uint8, i int) plane {
	step := 1
	if h.sampling[i] != h.sampling[0] {
		step = 2 // image/jpeg knows of no other than halves both ways
	}
	p := newPlane((h.width+step-1)/step, (h.height+step-1)/step)
	for y := range p.height {
		for x := range p.width {
			p.pix[y*p.width+x] = 255 - inks[4*(y*step*h.width+x*step)]
		}
	}
	return p
}

// untransformed returns the file with one marker of Adobe's, which says that
// the components are as they are.
func (h *jpegHeader) untransformed(data []byte) []byte {
	const segment = "\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
	out := make([]byte, 0, len(data)+len(segment))
	out = append(out, data[:2]...)
	out = append(out, segment...)
	out = append(out, data[2:]...)
	for _, at := range h.adobe {
		out[at+len(segment)] = markerAPP15
	}
	return out
}

func jpegError(err error) error {
	var unsupported jpeg.UnsupportedError
	if errors.As(err, &unsupported) {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return corrupt(err)
}
