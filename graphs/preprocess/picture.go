package preprocess

// mode is what a picture's samples mean, in Pillow's terms.
type mode uint8

const (
	bilevel   mode = iota // Pillow's 1: one byte a pixel, 0 or 255
	palette               // P: one byte a pixel, index of a colour
	grey                  // L
	greyAlpha             // LA
	rgb                   // RGB
	rgba                  // RGBA, alpha not premultiplied
	cmyk                  // CMYK, 255 is full ink
	grey16                // I;16: samples in Picture.wide
)

// bands is the number of bytes a pixel takes in Picture.pix; none in mode grey16.
func (m mode) bands() int {
	return [...]int{bilevel: 1, palette: 1, grey: 1, greyAlpha: 2, rgb: 3, rgba: 4, cmyk: 4, grey16: 0}[m]
}

func (m mode) String() string {
	return [...]string{
		bilevel: "1", palette: "P", grey: "L", greyAlpha: "LA",
		rgb: "RGB", rgba: "RGBA", cmyk: "CMYK", grey16: "I;16",
	}[m]
}

// Picture is a decoded picture in the mode that its file has: open_clip resizes
// before it converts to RGB, so the mode decides about the resized pixels.
type Picture struct {
	Width, Height int

	mode    mode
	pix     []uint8      // rows without padding, samples interleaved
	wide    []uint16     // the samples in mode grey16
	colours *[256]uint24 // of mode palette
}

type uint24 [3]uint8

func newPicture(m mode, width, height int) *Picture {
	p := &Picture{Width: width, Height: height, mode: m}
	if m == grey16 {
		p.wide = make([]uint16, width*height)
	} else {
		p.pix = make([]uint8, width*height*m.bands())
	}
	return p
}

// greyRamp is the palette that Pillow has before a file's colours are put in.
func greyRamp() *[256]uint24 {
	var ramp [256]uint24
	for i := range ramp {
		ramp[i] = uint24{uint8(i), uint8(i), uint8(i)}
	}
	return &ramp
}

// Mode is Pillow's name of the picture's mode: 1, L, LA, P, RGB, RGBA, CMYK or I;16.
func (p *Picture) Mode() string { return p.mode.String() }

// RGB returns the whole picture as Pillow's convert("RGB") gives it:
// Height x Width x 3 bytes, alpha dropped.
func (p *Picture) RGB() []uint8 {
	out := make([]uint8, p.Width*p.Height*3)
	p.appendRGB(out[:0])
	return out
}

// appendRGB appends the picture's pixels in RGB, three bytes each.
func (p *Picture) appendRGB(out []uint8) []uint8 {
	switch p.mode {
	case bilevel, grey:
		for _, v := range p.pix {
			out = append(out, v, v, v)
		}
	case greyAlpha:
		for i := 0; i < len(p.pix); i += 2 {
			v := p.pix[i]
			out = append(out, v, v, v)
		}
	case grey16:
		for _, wide := range p.wide {
			v := uint8(min(wide, 255)) // clipped, not scaled
			out = append(out, v, v, v)
		}
	case palette:
		for _, v := range p.pix {
			c := p.colours[v]
			out = append(out, c[0], c[1], c[2])
		}
	case rgb:
		out = append(out, p.pix...)
	case rgba:
		for i := 0; i < len(p.pix); i += 4 {
			out = append(out, p.pix[i], p.pix[i+1], p.pix[i+2])
		}
	case cmyk:
		for i := 0; i < len(p.pix); i += 4 {
			white := 255 - p.pix[i+3]
			out = append(out,
				white-scale255(p.pix[i], white),
				white-scale255(p.pix[i+1], white),
				white-scale255(p.pix[i+2], white))
		}
	}
	return out
}

// scale255 is a*b/255, rounded: Pillow's MULDIV255.
func scale255(a, b uint8) uint8 {
	t := uint32(a)*uint32(b) + 128
	return uint8((t>>8 + t) >> 8)
}

// premultiply multiplies a row's samples by its alpha, the last sample of each pixel.
func premultiply(dst, src []uint8, bands int) {
	for i := 0; i < len(src); i += bands {
		alpha := src[i+bands-1]
		for j := i; j < i+bands-1; j++ {
			dst[j] = scale255(src[j], alpha)
		}
		dst[i+bands-1] = alpha
	}
}

// unmultiply divides samples by their alpha, in place.
func unmultiply(pix []uint8, bands int) {
	for i := 0; i < len(pix); i += bands {
		alpha := uint32(pix[i+bands-1])
		if alpha == 0 || alpha == 255 {
			continue
		}
		for j := i; j < i+bands-1; j++ {
			pix[j] = uint8(min(255*uint32(pix[j])/alpha, 255))
		}
	}
}
