package preprocess

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"

	"golang.org/x/image/webp"
)

// webpFile is what a WebP's container says: its canvas, and the chunks of the
// picture, of an animation those of its first frame.
type webpFile struct {
	width, height int // canvas; 0 where the file has no VP8X chunk
	alpha         bool
	animated      bool

	left, top     int    // of the frame on the canvas
	opacity, data []byte // the chunks ALPH and VP8 or VP8L, without their heads
	lossless      bool
}

// The bits of VP8X.
const (
	webpAnimation = 1 << 1
	webpAlpha     = 1 << 4
)

func decodeWebP(data []byte, limits Limits) (*Picture, error) {
	f, err := parseWebP(data)
	if err != nil {
		return nil, err
	}
	width, height, opaque, err := f.frameSize()
	if err != nil {
		return nil, err
	}
	if f.width == 0 || !f.animated {
		if f.width != 0 && (f.width != width || f.height != height) {
			return nil, fmt.Errorf("%w: %d x %d pixels on a canvas of %d x %d", ErrCorrupt, width, height, f.width, f.height)
		}
		f.width, f.height = width, height
		// Lossless data know themselves whether alpha is used.
		f.alpha = f.opacity != nil || f.lossless && !opaque || !f.lossless && f.alpha
	}
	if err := limits.check(f.width, f.height); err != nil {
		return nil, err
	}
	if f.left+width > f.width || f.top+height > f.height {
		return nil, fmt.Errorf("%w: a frame beyond its canvas", ErrCorrupt)
	}
	img, err := webp.Decode(bytes.NewReader(f.still(width, height)))
	if err != nil {
		return nil, corrupt(err)
	}
	frame, err := webpPixels(img, f.alpha, opaque)
	if err != nil || frame.Width == f.width && frame.Height == f.height {
		return frame, err
	}
	canvas := newPicture(frame.mode, f.width, f.height)
	bands := frame.mode.bands()
	for y := range frame.Height {
		copy(canvas.pix[((f.top+y)*f.width+f.left)*bands:], frame.pix[y*width*bands:(y+1)*width*bands])
	}
	return canvas, nil
}

// parseWebP walks the chunks as far as the first picture.
func parseWebP(data []byte) (*webpFile, error) {
	f := &webpFile{}
	end := 8 + int64(binary.LittleEndian.Uint32(data[4:]))
	if end > int64(len(data)) {
		return nil, errTruncated
	}
	rest := data[12:max(end, 12)]
	for len(rest) >= 8 {
		name, chunk, next, err := webpChunk(rest)
		if err != nil {
			return nil, err
		}
		rest = next
		switch name {
		case "VP8X":
			if len(chunk) < 10 {
				return nil, errTruncated
			}
			f.alpha, f.animated = chunk[0]&webpAlpha != 0, chunk[0]&webpAnimation != 0
			f.width, f.height = le24(chunk[4:])+1, le24(chunk[7:])+1
		case "ANMF":
			if len(chunk) < 16 {
				return nil, errTruncated
			}
			f.left, f.top = 2*le24(chunk), 2*le24(chunk[3:])
			rest = chunk[16:] // the frame's own chunks follow
		case "ALPH":
			f.opacity = chunk
		case "VP8 ", "VP8L":
			f.data, f.lossless = chunk, name == "VP8L"
			if f.lossless {
				f.opacity = nil
			}
			return f, nil
		}
	}
	return nil, fmt.Errorf("%w: no picture in it", ErrCorrupt)
}

func webpChunk(b []byte) (name string, chunk, rest []byte, err error) {
	size := int64(binary.LittleEndian.Uint32(b[4:]))
	if size > int64(len(b)-8) {
		return "", nil, nil, errTruncated
	}
	rest = b[8+size:]
	if size%2 == 1 && len(rest) > 0 {
		rest = rest[1:]
	}
	return string(b[:4]), b[8 : 8+size], rest, nil
}

// frameSize reads the size from the head of the compressed data, and whether
// lossless data say that alpha is not used.
func (f *webpFile) frameSize() (width, height int, opaque bool, err error) {
	if f.lossless {
		if len(f.data) < 5 {
			return 0, 0, false, errTruncated
		}
		bits := binary.LittleEndian.Uint32(f.data[1:])
		return int(bits&0x3fff) + 1, int(bits>>14&0x3fff) + 1, bits>>28&1 == 0, nil
	}
	if len(f.data) < 10 {
		return 0, 0, false, errTruncated
	}
	return le16(f.data[6:]) & 0x3fff, le16(f.data[8:]) & 0x3fff, f.opacity == nil, nil
}

// still writes the frame as a file of its own, the plainest that holds it: so
// x/image reads frames of animations, and files whose VP8X promises an alpha
// that is not there.
func (f *webpFile) still(width, height int) []byte {
	var body []byte
	chunk := func(name string, data []byte) {
		body = append(body, name...)
		body = binary.LittleEndian.AppendUint32(body, uint32(len(data)))
		body = append(body, data...)
		if len(data)%2 == 1 {
			body = append(body, 0)
		}
	}
	body = append(body, "WEBP"...)
	if f.opacity != nil {
		extended := make([]byte, 10)
		extended[0] = webpAlpha
		put24(extended[4:], width-1)
		put24(extended[7:], height-1)
		chunk("VP8X", extended)
		chunk("ALPH", f.opacity)
	}
	name := "VP8 "
	if f.lossless {
		name = "VP8L"
	}
	chunk(name, f.data)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

// webpPixels gives a decoded frame as libwebp would, in RGBA or, without alpha, RGB.
func webpPixels(img image.Image, alpha, opaque bool) (*Picture, error) {
	m := rgb
	if alpha {
		m = rgba
	}
	size := img.Bounds().Size()
	p := newPicture(m, size.X, size.Y)
	switch img := img.(type) {
	case *image.NRGBA:
		p, err := fromImage(img, m)
		if err == nil && opaque {
			p.setAlpha(nil, 0)
		}
		return p, err
	case *image.YCbCr:
		upsampleWebP(img, p)
		p.setAlpha(nil, 0)
	case *image.NYCbCrA:
		upsampleWebP(&img.YCbCr, p)
		p.setAlpha(img.A, img.AStride)
	default:
		return nil, fmt.Errorf("%w: %T", ErrUnsupported, img)
	}
	return p, nil
}

// setAlpha sets the alpha of a picture that has one; nil stands for opaque.
func (p *Picture) setAlpha(alpha []uint8, stride int) {
	if p.mode != rgba {
		return
	}
	for y := range p.Height {
		row := p.pix[y*p.Width*4 : (y+1)*p.Width*4]
		for x := range p.Width {
			if alpha == nil {
				row[4*x+3] = 255
				continue
			}
			row[4*x+3] = alpha[y*stride+x]
		}
	}
}

func le24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

func put24(b []byte, v int) { b[0], b[1], b[2] = byte(v), byte(v>>8), byte(v>>16) }
