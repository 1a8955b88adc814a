package preprocess

import (
	"bytes"
	"image/jpeg"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestNewRefuses(t *testing.T) {
	nan := float32(math.NaN())
	for name, spoil := range map[string]func(*Config){
		"size 0":                func(c *Config) { c.Size = 0 },
		"size beyond reason":    func(c *Config) { c.Size = 1 << 20 },
		"unknown resize mode":   func(c *Config) { c.ResizeMode = "longest" },
		"unknown interpolation": func(c *Config) { c.Interpolation = "nearest" },
		"deviation 0":           func(c *Config) { c.Std[1] = 0 },
		"deviation NaN":         func(c *Config) { c.Std[2] = nan },
		"mean NaN":              func(c *Config) { c.Mean[0] = nan },
	} {
		c := openAI(224)
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestKey wants another key for whatever changes pixels.
func TestKey(t *testing.T) {
	keys := map[string]string{}
	for name, change := range map[string]func(*Config){
		"as it is":      func(*Config) {},
		"size":          func(c *Config) { c.Size = 225 },
		"resize mode":   func(c *Config) { c.ResizeMode = Squash },
		"interpolation": func(c *Config) { c.Interpolation = Bilinear },
		"mean":          func(c *Config) { c.Mean[2] = math.Nextafter32(c.Mean[2], 1) },
		"deviation":     func(c *Config) { c.Std[0] = math.Nextafter32(c.Std[0], 1) },
	} {
		c := openAI(224)
		change(&c)
		transform, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		if mode := ResizeModeOf(transform.Key()); mode != c.ResizeMode {
			t.Errorf("%s: the key names the resize mode %q, want %q", name, mode, c.ResizeMode)
		}
		if again, _ := New(c); again.Key() != transform.Key() {
			t.Errorf("%s: the key is not steady", name)
		}
		if other, ok := keys[transform.Key()]; ok {
			t.Errorf("%s and %s have one key", name, other)
		}
		keys[transform.Key()] = name
	}
}

// TestWindow compares with values of torchvision's Resize and CenterCrop.
func TestWindow(t *testing.T) {
	for _, c := range []struct {
		width, height, size int
		want                window
	}{
		{500, 375, 224, window{298, 224, 37, 0, 224, 224}},
		{375, 500, 224, window{224, 298, 0, 37, 224, 224}},
		{333, 500, 224, window{224, 336, 0, 56, 224, 224}},
		{401, 287, 64, window{89, 64, 12, 0, 64, 64}}, // 12.5 rounds to even
		{403, 287, 64, window{89, 64, 12, 0, 64, 64}},
		{150, 333, 64, window{64, 142, 0, 39, 64, 64}},
		{1, 1, 224, window{224, 224, 0, 0, 224, 224}},
		{1, 7, 3, window{3, 21, 0, 9, 3, 3}},
	} {
		if got := openAI(c.size).window(c.width, c.height); got != c.want {
			t.Errorf("%d x %d to %d: %+v, want %+v", c.width, c.height, c.size, got, c.want)
		}
	}
}

// TestFlat wants a picture of one colour to stay so, whatever its size and mode:
// the taps of every output add up to one.
func TestFlat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		side := rapid.IntRange(1, 40).Draw(t, "side")
		width, height := rapid.IntRange(1, 300).Draw(t, "width"), rapid.IntRange(1, 300).Draw(t, "height")
		config := Config{
			Size: side, Std: [3]float32{1, 1, 1},
			ResizeMode:    rapid.SampledFrom([]string{Clip, Squash}).Draw(t, "mode"),
			Interpolation: rapid.SampledFrom([]string{Bicubic, Bilinear}).Draw(t, "interpolation"),
		}
		transform, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		colour := rapid.SliceOfN(rapid.Uint8(), 3, 3).Draw(t, "colour")
		p := newPicture(rgb, width, height)
		for i := range p.pix {
			p.pix[i] = colour[i%3]
		}
		pixels := make([]float32, side*side*3)
		transform.Pixels(p, pixels)
		for i, v := range pixels {
			if want := float32(colour[i%3]) / 255; v != want {
				t.Fatalf("sample %d is %v, want %v", i, v, want)
			}
		}
	})
}

// TestMirrored wants the mirror image of a mirrored picture: the taps are symmetric.
func TestMirrored(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Even sizes where the crop falls on whole pixels on both sides.
		side := 2 * rapid.IntRange(1, 20).Draw(t, "side")
		width, height := rapid.IntRange(1, 60).Draw(t, "width"), rapid.IntRange(1, 60).Draw(t, "height")
		transform, err := New(Config{Size: side, ResizeMode: Squash, Interpolation: Bicubic, Std: [3]float32{1, 1, 1}})
		if err != nil {
			t.Fatal(err)
		}
		p, q := newPicture(grey, width, height), newPicture(grey, width, height)
		copy(p.pix, rapid.SliceOfN(rapid.Uint8(), width*height, width*height).Draw(t, "samples"))
		for y := range height {
			row := q.pix[y*width : (y+1)*width]
			copy(row, p.pix[y*width:])
			slices.Reverse(row)
		}
		a, b := make([]float32, side*side*3), make([]float32, side*side*3)
		transform.Pixels(p, a)
		transform.Pixels(q, b)
		for y := range side {
			for x := range side {
				left, right := a[(y*side+x)*3], b[(y*side+side-1-x)*3]
				if d := math.Abs(float64(left-right)) * 255; d > 1.01 { // the last bit of a tap
					t.Fatalf("row %d, column %d: %v and %v", y, x, left, right)
				}
			}
		}
	})
}

// TestLongPicture resizes what would be 800 million pixels whole; only the
// window may be computed.
func TestLongPicture(t *testing.T) {
	transform, err := New(openAI(224))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []mode{rgb, palette} {
		p := newPicture(m, 1, 16000)
		p.colours = greyRamp()
		pixels := make([]float32, 224*224*3)
		transform.Pixels(p, pixels)
	}
}

func TestThumbnail(t *testing.T) {
	for _, c := range []struct{ width, height, wantWidth, wantHeight int }{
		{200, 100, 64, 32}, {100, 200, 32, 64}, {30, 20, 30, 20}, {1000, 1, 64, 1}, {1, 1, 1, 1},
	} {
		for m := bilevel; m <= grey16; m++ {
			p := newPicture(m, c.width, c.height)
			p.colours = greyRamp()
			data, err := Thumbnail(p, 64)
			if err != nil {
				t.Fatal(err)
			}
			got, err := jpeg.DecodeConfig(bytes.NewReader(data))
			if err != nil || got.Width != c.wantWidth || got.Height != c.wantHeight {
				t.Errorf("%s, %d x %d: %d x %d, %v", m, c.width, c.height, got.Width, got.Height, err)
			}
		}
	}
	if _, err := Thumbnail(newPicture(rgb, 1, 1), 0); err == nil {
		t.Error("no error for a side of 0")
	}
}

func benchmarkPicture() *Picture {
	p := newPicture(rgb, 500, 375)
	for i := range p.pix {
		p.pix[i] = uint8(i * 7)
	}
	return p
}

func BenchmarkPixels(b *testing.B) {
	transform, err := New(openAI(224))
	if err != nil {
		b.Fatal(err)
	}
	p := benchmarkPicture()
	pixels := make([]float32, 224*224*3)
	b.ReportAllocs()
	for b.Loop() {
		transform.Pixels(p, pixels)
	}
}

func BenchmarkDecodeJPEG(b *testing.B) {
	data, err := Thumbnail(benchmarkPicture(), 500)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(data, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
