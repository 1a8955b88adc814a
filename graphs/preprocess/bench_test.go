package preprocess

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"testing"
)

// BenchmarkPicture is what a picture of a data set takes before a tower sees it,
// on one core: a JPEG of 500 x 375, decoded, then resized to 224.
func BenchmarkPicture(b *testing.B) {
	var file bytes.Buffer
	if err := jpeg.Encode(&file, smooth(500, 375), &jpeg.Options{Quality: 90}); err != nil {
		b.Fatal(err)
	}
	transform, err := New(Config{Size: 224, ResizeMode: Clip, Interpolation: Bicubic, Std: [3]float32{1, 1, 1}})
	if err != nil {
		b.Fatal(err)
	}
	picture, err := Decode(file.Bytes(), Limits{})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			if _, err := Decode(file.Bytes(), Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("resize", func(b *testing.B) {
		dst := make([]float32, 224*224*3)
		for b.Loop() {
			transform.Pixels(picture, dst)
		}
	})
}

// smooth is a picture with structure of several sizes, as photographs have it.
func smooth(width, height int) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			wave := func(period, phase float64) uint8 {
				v := math.Sin(float64(x)/period+phase) + math.Sin(float64(y)/(period/3)-phase) + math.Sin(float64(x*y)/900)
				return uint8(128 + 40*v)
			}
			m.Set(x, y, color.RGBA{wave(31, 0), wave(47, 1), wave(17, 2), 255})
		}
	}
	return m
}
