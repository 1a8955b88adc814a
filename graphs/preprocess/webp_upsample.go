package preprocess

import "image"

// upsampleWebP converts a lossy frame's planes to the picture's red, green and
// blue, with libwebp's "fancy" chroma upsampling (src/dsp/upsampling.c): each
// chroma sample lies between four luma samples, which take 9/16 of the nearest
// chroma, 3/16 of two neighbours and 1/16 of the diagonal one.
func upsampleWebP(img *image.YCbCr, p *Picture) {
	luma := func(y int) []uint8 { return img.Y[y*img.YStride:][:p.Width] }
	chromaWidth := (p.Width + 1) / 2
	chroma := func(y int) chromaRow {
		return chromaRow{img.Cb[y*img.CStride:][:chromaWidth], img.Cr[y*img.CStride:][:chromaWidth]}
	}
	bands := p.mode.bands()
	row := func(y int) []uint8 { return p.pix[y*p.Width*bands : (y+1)*p.Width*bands] }

	// Luma rows 2y+1 and 2y+2 lie between the chroma rows y and y+1.
	first, last := chroma(0), chroma((p.Height-1)/2)
	upsampleRowWebP(row(0), luma(0), first, first, bands)
	for y := 1; y+1 < p.Height; y += 2 {
		above, below := chroma(y/2), chroma(y/2+1)
		upsampleRowWebP(row(y), luma(y), above, below, bands)
		upsampleRowWebP(row(y+1), luma(y+1), below, above, bands)
	}
	if p.Height > 1 && p.Height%2 == 0 {
		upsampleRowWebP(row(p.Height-1), luma(p.Height-1), last, last, bands)
	}
}

type chromaRow struct{ u, v []uint8 }

// upsampleRowWebP writes one row, whose chroma is that of the near and the far row.
func upsampleRowWebP(dst, luma []uint8, near, far chromaRow, bands int) {
	width := len(luma)
	put := func(x int, u, v uint32) {
		yuvWebP(dst[x*bands:x*bands+3:x*bands+3], luma[x], u, v)
	}
	edge := func(near, far []uint8, x int) uint32 {
		return (3*uint32(near[x]) + uint32(far[x]) + 2) >> 2
	}
	put(0, edge(near.u, far.u, 0), edge(near.v, far.v, 0))
	pairs := (width - 1) / 2
	for x := 1; x <= pairs; x++ {
		u0, u1 := pairWebP(near.u[x-1], near.u[x], far.u[x-1], far.u[x])
		v0, v1 := pairWebP(near.v[x-1], near.v[x], far.v[x-1], far.v[x])
		put(2*x-1, u0, v0)
		put(2*x, u1, v1)
	}
	if width%2 == 0 {
		put(width-1, edge(near.u, far.u, pairs), edge(near.v, far.v, pairs))
	}
}

// pairWebP interpolates the two samples between chroma samples left and right of
// the near row and of the far one, with libwebp's roundings.
func pairWebP(nearLeft, nearRight, farLeft, farRight uint8) (left, right uint32) {
	nl, nr, fl, fr := uint32(nearLeft), uint32(nearRight), uint32(farLeft), uint32(farRight)
	sum := nl + nr + fl + fr + 8
	rising := (sum + 2*(nr+fl)) >> 3
	falling := (sum + 2*(nl+fr)) >> 3
	return (rising + nl) >> 1, (falling + nr) >> 1
}

// yuvWebP is BT.601 of limited range in libwebp's 14-bit constants (src/dsp/yuv.h).
func yuvWebP(dst []uint8, luma uint8, u, v uint32) {
	y := int32(luma) * 19077 >> 8
	cb, cr := int32(u), int32(v)
	dst[0] = clipWebP(y + cr*26149>>8 - 14234)
	dst[1] = clipWebP(y - cb*6419>>8 - cr*13320>>8 + 8708)
	dst[2] = clipWebP(y + cb*33050>>8 - 17685)
}

func clipWebP(v int32) uint8 { return uint8(min(max(v>>6, 0), 255)) }
