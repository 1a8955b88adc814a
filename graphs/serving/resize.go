package serving

import "github.com/upl-host/upl-host/graphs"

// picture is the body of a function of one picture: of its decoded pixels
// uint8 [H, W, channels] the square that the model sees, whole levels [S, S, 3].
type picture struct {
	*nodes
	graphs.Config
	resampling string // kernel of ScaleAndTranslate
}

func (p picture) size() int32 { return int32(p.ImageSize) }

func (p picture) opaque(image tensor) tensor { return p.resampled(image, 3) }

// transparent resizes colours weighed with their alpha, and drops it.
func (p picture) transparent(image tensor) tensor {
	colours, alpha := p.channels(p.cast(image, float), 0, 3), p.channels(p.cast(image, float), 3, 1)
	full, half := p.constant(scalar[float32](255)), p.constant(scalar[float32](0.5))
	weighed := p.unary("Floor", p.binary("AddV2", p.binary("RealDiv", p.binary("Mul", colours, alpha), full), half))
	square := p.resampled(p.concat(weighed, alpha, 2), 4)
	colours, alpha = p.channels(square, 0, 3), p.channels(square, 3, 1)
	unweighed := p.unary("Floor", p.op("DivNoNan", "z", float, attributes{"T": float}, p.binary("Mul", colours, full), alpha))
	visible := p.op("Greater", "z", boolean, attributes{"T": float}, alpha, p.constant(scalar[float32](0)))
	return p.op("SelectV2", "output", float, attributes{"T": float}, visible, p.binary("Minimum", unweighed, full), colours)
}

// indexed takes the nearest pixels, as of colours that cannot be averaged.
func (p picture) indexed(image tensor) tensor {
	sides := p.sides(image)
	w := p.window(sides)
	for axis := range int32(2) {
		image = p.op("GatherV2", "output", image.kind, attributes{"Tparams": image.kind, "Tindices": int32s, "Taxis": int32s},
			image, p.nearest(sides, w, axis), p.constant(scalar(axis)))
	}
	return image
}

// nearest lists the S pixels along an axis that a window's are nearest to.
// Pillow adds the step up, and so does Range: its rounding decides about halves.
func (p picture) nearest(sides tensor, w window, axis int32) tensor {
	at := p.constant(scalar(axis))
	side, resized := p.gather(sides, at), p.gather(w.resized, at)
	step := p.binary("RealDiv", side, resized)
	start := p.binary("Mul", step, p.constant(scalar(0.5)))
	end := p.binary("Mul", step, p.binary("AddV2", resized, p.constant(scalar(0.25)))) // start + (resized - 1/4) steps
	centres := p.op("Range", "output", double, attributes{"Tidx": double}, start, end, step)
	shown := p.op("Slice", "output", double, attributes{"T": double, "Index": int32s},
		centres, p.cast(p.slice(w.margin, axis, 1), int32s), p.constant(vector(p.size())))
	last := p.binary("Sub", side, p.constant(scalar(1.0)))
	return p.cast(p.binary("Minimum", p.unary("Floor", shown), last), int32s)
}

// resampled resizes a picture and takes its centre.
func (p picture) resampled(image tensor, channels int32) tensor {
	sides, size := p.sides(image), p.constant(vector(p.size()))
	w := p.window(sides)
	order := p.order(sides, w)
	axes := p.slice(order, 0, 2)
	ordered := func(x tensor, to kind) tensor { return p.cast(p.gather(x, axes), to) }
	scale := ordered(p.binary("RealDiv", w.resized, sides), float)
	shift := ordered(p.unary("Neg", w.margin), float)
	one, zero := p.constant(vector[float32](1)), p.constant(vector[float32](0))
	// Each pass shortens the first axis, as ScaleAndTranslate does before the
	// second: what it keeps in between in float32 is then small.
	first := p.scaled(p.expand(p.transpose(image, order), 0),
		p.concat(size, p.slice(ordered(sides, int32s), 1, 1), 0),
		p.concat(p.slice(scale, 0, 1), one, 0), p.concat(p.slice(shift, 0, 1), zero, 0))
	swap := p.constant(vector[int32](0, 2, 1, 3))
	second := p.scaled(p.transpose(first, swap), p.concat(size, size, 0),
		p.concat(p.slice(scale, 1, 1), one, 0), p.concat(p.slice(shift, 1, 1), zero, 0))
	square := p.reshape(p.transpose(second, swap), p.size(), p.size(), channels)
	return p.transpose(square, order) // exchanging two axes undoes itself
}

// order is that of the axes [3]: the one that is resized first, the other, the
// colours. As in Pillow, the height comes first if it shrinks more than twice as
// much as the width; the order shows in the rounding.
func (p picture) order(sides tensor, w window) tensor {
	shrinks := p.binary("Sub", sides, w.resized)
	bar := p.binary("Maximum", p.binary("Mul", p.slice(shrinks, 1, 1), p.constant(scalar(2.0))), p.constant(scalar(0.0)))
	heightFirst := p.op("Greater", "z", boolean, attributes{"T": double}, p.slice(shrinks, 0, 1), bar)
	return p.op("SelectV2", "output", int32s, attributes{"T": int32s}, heightFirst,
		p.constant(vector[int32](0, 1, 2)), p.constant(vector[int32](1, 0, 2)))
}

// scaled resamples a picture [1, H, W, channels] to the size [2] and rounds it
// to levels, as Pillow does after each pass.
func (p picture) scaled(image, size, scale, shift tensor) tensor {
	exact := p.op("ScaleAndTranslate", "resized_images", float,
		attributes{"T": image.kind, "kernel_type": p.resampling, "antialias": true}, image, size, scale, shift)
	rounded := p.unary("Floor", p.binary("AddV2", exact, p.constant(scalar[float32](0.5))))
	return p.op("ClipByValue", "output", float, attributes{"T": float}, rounded,
		p.constant(scalar[float32](0)), p.constant(scalar[float32](255)))
}

// sides are a picture's height and width [2], as float64.
func (p picture) sides(image tensor) tensor {
	whole := p.op("Shape", "output", int32s, attributes{"T": image.kind, "out_type": int32s}, image)
	return p.cast(p.slice(whole, 0, 2), double)
}

// window is the part of the resized picture that the model sees: S pixels of
// each resized side [2], behind the margin [2].
type window struct{ resized, margin tensor }

// window computes a window from the sides [2] of a picture. As in torchvision,
// Resize cuts the longer side off below the point and CenterCrop rounds halves to
// even.
func (p picture) window(sides tensor) window {
	size := p.constant(vector(float64(p.ImageSize), float64(p.ImageSize)))
	resized := size
	if p.ResizeMode == graphs.ResizeCLIP {
		shorter := p.op("Min", "output", double, attributes{"T": double, "Tidx": int32s}, sides, p.constant(vector(int32(0))))
		resized = p.unary("Floor", p.binary("RealDiv", p.binary("Mul", sides, size), shorter))
	}
	beyond := p.binary("Sub", resized, size)
	return window{resized: resized, margin: p.unary("Round", p.binary("Mul", beyond, p.constant(scalar(0.5))))}
}

// channels takes n channels of a picture [H, W, ...].
func (p picture) channels(image tensor, from, n int32) tensor {
	const all = -1
	return p.op("Slice", "output", image.kind, attributes{"T": image.kind, "Index": int32s},
		image, p.constant(vector(0, 0, from)), p.constant(vector(all, all, n)))
}
