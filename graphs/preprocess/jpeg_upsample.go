package preprocess

// What libjpeg-turbo does behind the inverse DCT, in its own arithmetic
// (jdsample.c, jdcolor.c), for the pictures that image/jpeg decodes.

// plane is one component of a JPEG; rows without padding.
type plane struct {
	width, height int
	pix           []uint8
}

func newPlane(width, height int) plane {
	return plane{width: width, height: height, pix: make([]uint8, width*height)}
}

func (p plane) row(y int) []uint8 {
	y = min(max(y, 0), p.height-1)
	return p.pix[y*p.width : (y+1)*p.width]
}

// fancy enlarges the plane by h and v to width x height: by triangular weights
// for halved components, by repetition for others, as libjpeg-turbo does.
func (p plane) fancy(h, v, width, height int) plane {
	out := newPlane(width, height)
	sums := make([]int32, p.width)
	smooth := h == 2 && v <= 2 && p.width > 2
	for y := range height {
		near := p.row(y / v)
		switch {
		case h == 1 && v == 1:
			copy(out.row(y), near)
		case h == 1 && v == 2:
			p.smoothColumns(out.row(y), y)
		case smooth && v == 1:
			for x, s := range near {
				sums[x] = int32(s)
			}
			smoothRow(out.row(y), sums, 1, 2, 2)
		case smooth:
			far := p.row(y/2 - 1 + y%2*2)
			for x, s := range near {
				sums[x] = 3*int32(s) + int32(far[x])
			}
			smoothRow(out.row(y), sums, 8, 7, 4)
		default:
			row := out.row(y)
			for x := range row {
				row[x] = near[x/h]
			}
		}
	}
	return out
}

// smoothColumns writes row y of a plane of half the height (h1v2_fancy_upsample).
func (p plane) smoothColumns(dst []uint8, y int) {
	near, far, bias := p.row(y/2), p.row(y/2-1), int32(1)
	if y%2 == 1 {
		far, bias = p.row(y/2+1), 2
	}
	for x := range dst {
		dst[x] = uint8((3*int32(near[x]) + int32(far[x]) + bias) >> 2)
	}
}

// smoothRow doubles a row of samples, which are given times 4 for shift 4 and
// times 1 for shift 2; left and right are the biases of the two new samples.
func smoothRow(dst []uint8, row []int32, left, right int32, shift uint) {
	last := len(row) - 1
	put := func(x int, sum int32) {
		if x < len(dst) {
			dst[x] = uint8(sum >> shift)
		}
	}
	for x, s := range row {
		before, after := row[max(x-1, 0)], row[min(x+1, last)]
		put(2*x, 3*s+before+left)
		put(2*x+1, 3*s+after+right)
	}
}

// yccToRGB is JFIF's conversion in libjpeg's 16-bit constants.
func yccToRGB(dst []uint8, luma, blue, red uint8) {
	const half = 1 << 15
	y, cb, cr := int32(luma), int32(blue)-128, int32(red)-128
	dst[0] = clip8(y + (91881*cr+half)>>16)
	dst[1] = clip8(y + (-22554*cb-46802*cr+half)>>16)
	dst[2] = clip8(y + (116130*cb+half)>>16)
}

func clip8(v int32) uint8 { return uint8(min(max(v, 0), 255)) }
