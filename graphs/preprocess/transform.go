package preprocess

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
)

// Resize modes and interpolations of Config.
const (
	// Clip resizes the shorter side to the size and crops the centre: open_clip's
	// "shortest", and torchvision's Resize and CenterCrop.
	Clip = "clip"
	// Squash resizes both sides to the size, whatever becomes of the proportions.
	Squash = "squash"

	Bicubic  = "bicubic"
	Bilinear = "bilinear"
)

// Config says what a model expects of its pictures.
type Config struct {
	Size          int    // side of the square that the model sees, in pixels
	ResizeMode    string // Clip or Squash
	Interpolation string // Bicubic or Bilinear, both antialiased
	// Mean and Std of red, green and blue, of samples in [0, 1].
	Mean, Std [3]float32
}

const maxSize = 1 << 14

// Transform turns decoded pictures into a model's input. It is safe for
// concurrent use.
type Transform struct {
	config  Config
	kernel  kernel
	levels  [3][256]float32 // normalised value of each level of each channel
	scratch sync.Pool       // of *scratch
}

// New checks a configuration and prepares its transform.
func New(c Config) (*Transform, error) {
	if c.Size < 1 || c.Size > maxSize {
		return nil, fmt.Errorf("preprocessing: picture size %d is not between 1 and %d", c.Size, maxSize)
	}
	if c.ResizeMode != Clip && c.ResizeMode != Squash {
		return nil, fmt.Errorf("preprocessing: resize mode %q is not known; it is %s or %s", c.ResizeMode, Clip, Squash)
	}
	t := &Transform{config: c}
	switch c.Interpolation {
	case Bicubic:
		t.kernel = kernel{bicubicWeight, 2}
	case Bilinear:
		t.kernel = kernel{bilinearWeight, 1}
	default:
		return nil, fmt.Errorf("preprocessing: interpolation %q is not known; it is %s or %s", c.Interpolation, Bicubic, Bilinear)
	}
	for channel, std := range c.Std {
		mean := c.Mean[channel]
		if !(std > 0) || math.IsInf(float64(std), 0) || math.IsNaN(float64(mean)) || math.IsInf(float64(mean), 0) {
			return nil, fmt.Errorf("preprocessing: mean %v and deviation %v of channel %d", mean, std, channel)
		}
		for level := range t.levels[channel] {
			t.levels[channel][level] = (float32(level)/255 - mean) / std
		}
	}
	t.scratch.New = func() any { return new(scratch) }
	return t, nil
}

// Size is the side of the transform's square, in pixels.
func (t *Transform) Size() int { return t.config.Size }

// Key names everything that decides about a picture's pixels, for keys of
// caches: equal keys and equal files give equal pixels.
func (t *Transform) Key() string { return t.Settings() + " jpeg=" + jpegDecoder }

// Settings is Key without the decoder of JPEG, which is this build's: what a build
// that encodes nothing can compare.
func (t *Transform) Settings() string {
	c := t.config
	number := func(values [3]float32) string {
		var texts [3]string
		for i, v := range values {
			texts[i] = strconv.FormatFloat(float64(v), 'g', -1, 32)
		}
		return strings.Join(texts[:], " ")
	}
	// The first word changes whenever the arithmetic of this package does.
	return fmt.Sprintf("preprocess/1 size=%d resize=%s interpolation=%s mean=%s std=%s",
		c.Size, c.ResizeMode, c.Interpolation, number(c.Mean), number(c.Std))
}

// ResizeModeOf is the resize mode that a Key names; empty where it names none.
func ResizeModeOf(key string) string {
	for _, word := range strings.Fields(key) {
		if mode, found := strings.CutPrefix(word, "resize="); found {
			return mode
		}
	}
	return ""
}

// Pixels writes a picture as the model sees it: Size x Size x 3 values, red,
// green and blue beside each other, normalised. dst has room for them.
func (t *Transform) Pixels(p *Picture, dst []float32) {
	s := t.scratch.Get().(*scratch)
	defer t.scratch.Put(s)
	square := s.resize(p, t.kernel, t.config.window(p.Width, p.Height))
	s.rgb = square.appendRGB(s.rgb[:0])
	t.normalise(s.rgb, dst)
}

// normalise makes a square's RGB bytes into what the model sees.
func (t *Transform) normalise(rgb []uint8, dst []float32) {
	dst = dst[:t.config.Size*t.config.Size*3]
	for i := 0; i < len(dst); i += 3 {
		dst[i] = t.levels[0][rgb[i]]
		dst[i+1] = t.levels[1][rgb[i+1]]
		dst[i+2] = t.levels[2][rgb[i+2]]
	}
}
