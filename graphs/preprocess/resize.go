package preprocess

import "math"

// window is a part of the resized picture: width x height pixels from left and
// top on, of resizedWidth x resizedHeight.
type window struct {
	resizedWidth, resizedHeight int
	left, top, width, height    int
}

// window follows torchvision: Resize cuts the longer side off below the point,
// CenterCrop rounds halves to even.
func (c Config) window(width, height int) window {
	w := window{resizedWidth: c.Size, resizedHeight: c.Size, width: c.Size, height: c.Size}
	if c.ResizeMode == Squash {
		return w
	}
	long := func(short, long int) int { return int(float64(c.Size*long) / float64(short)) }
	if width <= height {
		w.resizedHeight = long(width, height)
	} else {
		w.resizedWidth = long(height, width)
	}
	w.left = int(math.RoundToEven(float64(w.resizedWidth-c.Size) / 2))
	w.top = int(math.RoundToEven(float64(w.resizedHeight-c.Size) / 2))
	return w
}

// scratch is the memory of one call of Pixels.
type scratch struct {
	columns, rows taps
	premultiplied []uint8
	middle        []uint8 // between the passes
	middle16      []uint16
	taken         []int
	part, out     Picture
	rgb           []uint8
}

// resize resizes and crops a picture in its own mode. The result is the
// scratch's, until its next use.
func (s *scratch) resize(p *Picture, k kernel, w window) *Picture {
	q := &s.out
	q.Width, q.Height, q.mode, q.colours = w.width, w.height, p.mode, p.colours
	q.pix = resized(q.pix, w.width*w.height*p.mode.bands())
	switch {
	case w.resizedWidth == p.Width && w.resizedHeight == p.Height:
		q.crop(p, w)
	case p.mode == bilevel || p.mode == palette:
		s.nearest(p, w)
	case p.mode == grey16:
		s.resample16(p, k, w)
	default:
		s.resample(p, k, w)
	}
	return q
}

// crop copies the window of a picture that has the size already.
func (p *Picture) crop(src *Picture, w window) {
	if p.mode == grey16 {
		p.wide = p.wide[:0]
		for y := range p.Height {
			p.wide = append(p.wide, src.wide[(w.top+y)*src.Width+w.left:][:p.Width]...)
		}
		return
	}
	bands := p.mode.bands()
	for y := range p.Height {
		copy(p.pix[y*p.Width*bands:], src.pix[((w.top+y)*src.Width+w.left)*bands:][:p.Width*bands])
	}
}

// nearest resizes pictures whose samples cannot be averaged.
func (s *scratch) nearest(p *Picture, w window) {
	s.taken = resized(s.taken, w.width+w.height)
	columns, rows := s.taken[:w.width], s.taken[w.width:]
	nearest(columns, p.Width, w.resizedWidth, w.left)
	nearest(rows, p.Height, w.resizedHeight, w.top)
	for i, y := range rows {
		row := p.pix[y*p.Width : (y+1)*p.Width]
		for j, x := range columns {
			s.out.pix[i*w.width+j] = row[x]
		}
	}
}

// resample resizes pictures of 8-bit samples, premultiplied where there is alpha.
func (s *scratch) resample(p *Picture, k kernel, w window) {
	bands := p.mode.bands()
	src := p.pix
	alpha := p.mode == rgba || p.mode == greyAlpha
	if alpha {
		s.premultiplied = resized(s.premultiplied, len(src))
		premultiply(s.premultiplied, src, bands)
		src = s.premultiplied
	}
	s.compute(p, k, w)
	both := passes[uint8]{
		horizontal: s.columns.horizontal, vertical: s.rows.vertical,
		columns: s.columns.span, rows: s.rows.span, middle: &s.middle,
	}
	both.run(s.out.pix, src, p.Width, p.Height, bands, w)
	if alpha {
		unmultiply(s.out.pix, bands)
	}
}

func (s *scratch) resample16(p *Picture, k kernel, w window) {
	s.out.wide = resized(s.out.wide, w.width*w.height)
	s.compute(p, k, w)
	both := passes[uint16]{
		horizontal: s.columns.horizontal16, vertical: s.rows.vertical16,
		columns: s.columns.span, rows: s.rows.span, middle: &s.middle16,
	}
	both.run(s.out.wide, p.wide, p.Width, p.Height, 1, w)
}

func (s *scratch) compute(p *Picture, k kernel, w window) {
	s.columns.compute(k, p.Width, w.resizedWidth, w.left, w.width)
	s.rows.compute(k, p.Height, w.resizedHeight, w.top, w.height)
}

// passes are the two steps of resizing, for samples of one type.
type passes[T uint8 | uint16] struct {
	horizontal    func(dst, src []T, bands, origin int)
	vertical      func(dst, src []T, row, stride, origin int)
	columns, rows func() (from, to int) // of the input, that the steps read
	middle        *[]T
}

// run resizes src, width x height pixels, into the window dst. A pass along an
// axis that keeps its size is left out, as Pillow does.
func (p passes[T]) run(dst, src []T, width, height, bands int, w window) {
	stride, row := width*bands, w.width*bands
	switch {
	case w.resizedWidth == width:
		p.vertical(dst, src[w.left*bands:], row, stride, 0)
	case w.resizedHeight == height:
		for y := range w.height {
			p.horizontal(dst[y*row:][:row], src[(w.top+y)*stride:], bands, 0)
		}
	case verticalFirst(width, height, w):
		from, to := p.columns()
		part := (to - from) * bands
		*p.middle = resized(*p.middle, w.height*part)
		p.vertical(*p.middle, src[from*bands:], part, stride, 0)
		for y := range w.height {
			p.horizontal(dst[y*row:][:row], (*p.middle)[y*part:], bands, from)
		}
	default:
		from, to := p.rows()
		*p.middle = resized(*p.middle, (to-from)*row)
		for y := from; y < to; y++ {
			p.horizontal((*p.middle)[(y-from)*row:][:row], src[y*stride:], bands, 0)
		}
		p.vertical(dst, *p.middle, row, row, from)
	}
}

// verticalFirst is Pillow 13's choice; before, horizontal came first but for
// pictures a hundred times as tall as wide. The order shows in the rounding.
func verticalFirst(width, height int, w window) bool {
	shrinks := height - w.resizedHeight
	return shrinks > 0 && shrinks > 2*max(width-w.resizedWidth, 0)
}
