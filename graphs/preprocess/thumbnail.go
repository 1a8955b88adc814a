package preprocess

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
)

// Thumbnail returns the picture as a JPEG that fits into side x side pixels, in
// its own proportions and never enlarged, for people to look at. Like the model
// it shows what is behind a picture's alpha.
func Thumbnail(p *Picture, side int) ([]byte, error) {
	if side < 1 {
		return nil, fmt.Errorf("thumbnail of %d pixels", side)
	}
	width, height := p.Width, p.Height
	if long := max(width, height); long > side {
		width, height = max(1, width*side/long), max(1, height*side/long)
	}
	w := window{resizedWidth: width, resizedHeight: height, width: width, height: height}
	small := new(scratch).resize(p, kernel{bicubicWeight, 2}, w)
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i, pixel := 0, small.RGB(); i < len(img.Pix); i, pixel = i+4, pixel[3:] {
		copy(img.Pix[i:], pixel[:3])
		img.Pix[i+3] = 255
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 88}); err != nil {
		return nil, fmt.Errorf("encoding a thumbnail: %w", err)
	}
	return out.Bytes(), nil
}
