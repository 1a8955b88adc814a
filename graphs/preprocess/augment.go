package preprocess

import (
	"fmt"
	"math"
)

// Augmentation says how views of a picture are drawn for training, as CoOp and
// UPL do: torchvision's RandomResizedCrop, then RandomHorizontalFlip.
type Augmentation struct {
	// MinArea and MaxArea bound the share of the picture's area that a view shows.
	MinArea, MaxArea float64
	// MinRatio and MaxRatio bound its width over its height.
	MinRatio, MaxRatio float64
	// Flip is the probability of the mirror image.
	Flip float64
}

// TrainingAugmentation has the values of CoOp and UPL, which are torchvision's.
var TrainingAugmentation = Augmentation{MinArea: 0.08, MaxArea: 1, MinRatio: 3.0 / 4, MaxRatio: 4.0 / 3, Flip: 0.5}

// CacheAugmentation has the values of Tip-Adapter, for its cache's keys.
var CacheAugmentation = Augmentation{MinArea: 0.5, MaxArea: 1, MinRatio: 3.0 / 4, MaxRatio: 4.0 / 3, Flip: 0.5}

// Key names everything that decides about what is drawn from given numbers, for
// keys of caches.
func (a Augmentation) Key() string {
	// The first word changes whenever the arithmetic of drawing does.
	return fmt.Sprintf("augment/1 area=%g..%g ratio=%g..%g flip=%g", a.MinArea, a.MaxArea, a.MinRatio, a.MaxRatio, a.Flip)
}

// Draws is where randomness comes from.
type Draws interface {
	Uniform() float64 // in (0, 1]
	Below(n int) int  // 0 to n - 1
}

// View is the part of a picture that is resized to the model's square.
type View struct {
	Left, Top, Width, Height int
	Mirrored                 bool
}

// Draw draws a view of a picture of that size: ten tries at an area and a ratio
// that fit into it, then its largest middle part of a ratio within the bounds
// (torchvision's RandomResizedCrop.get_params).
func (a Augmentation) Draw(width, height int, from Draws) View {
	v := a.crop(width, height, from)
	v.Mirrored = from.Uniform() <= a.Flip
	return v
}

func (a Augmentation) crop(width, height int, from Draws) View {
	const tries = 10
	low, high := math.Log(a.MinRatio), math.Log(a.MaxRatio)
	for range tries {
		area := float64(width) * float64(height) * between(a.MinArea, a.MaxArea, from)
		ratio := math.Exp(between(low, high, from))
		w := int(math.RoundToEven(math.Sqrt(area * ratio)))
		h := int(math.RoundToEven(math.Sqrt(area / ratio)))
		if w > 0 && w <= width && h > 0 && h <= height {
			top := from.Below(height - h + 1)
			return View{Left: from.Below(width - w + 1), Top: top, Width: w, Height: h}
		}
	}
	return a.middle(width, height)
}

func between(low, high float64, from Draws) float64 {
	return low + float64((high-low)*from.Uniform())
}

// middle is what is shown of pictures that are too long for a crop.
func (a Augmentation) middle(width, height int) View {
	w, h := width, height
	switch ratio := float64(width) / float64(height); {
	case ratio < a.MinRatio:
		h = int(math.RoundToEven(float64(w) / a.MinRatio))
	case ratio > a.MaxRatio:
		w = int(math.RoundToEven(float64(h) * a.MaxRatio))
	}
	// A picture of a pixel or two may round to less, or to more than there is.
	w, h = min(max(w, 1), width), min(max(h, 1), height)
	return View{Left: (width - w) / 2, Top: (height - h) / 2, Width: w, Height: h}
}

// ViewPixels is Pixels of a view, which lies within the picture: cut out, resized
// in the picture's own mode, mirrored where it is to be, and converted.
func (t *Transform) ViewPixels(p *Picture, v View, dst []float32) {
	s := t.scratch.Get().(*scratch)
	defer t.scratch.Put(s)
	part := s.cut(p, v)
	side := t.config.Size
	square := s.resize(part, t.kernel, window{resizedWidth: side, resizedHeight: side, width: side, height: side})
	s.rgb = square.appendRGB(s.rgb[:0])
	if v.Mirrored {
		mirror(s.rgb, side)
	}
	t.normalise(s.rgb, dst)
}

// cut copies a part of a picture, as Pillow's crop does: what is outside must not
// be seen by the resizing.
func (s *scratch) cut(p *Picture, v View) *Picture {
	q := &s.part
	q.Width, q.Height, q.mode, q.colours = v.Width, v.Height, p.mode, p.colours
	q.pix = resized(q.pix, v.Width*v.Height*p.mode.bands())
	q.crop(p, window{left: v.Left, top: v.Top})
	return q
}

// mirror turns rows of RGB around.
func mirror(rgb []uint8, side int) {
	for row := range side {
		line := rgb[row*side*3:][:side*3]
		for left, right := 0, len(line)-3; left < right; left, right = left+3, right-3 {
			for band := range 3 {
				line[left+band], line[right+band] = line[right+band], line[left+band]
			}
		}
	}
}
