package bench

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
)

// The size and quality of the pictures that are made.
const (
	pictureWidth   = 500
	pictureHeight  = 375
	pictureQuality = 90
	pictureCell    = 32 // pixels from one of the colours to the next
	pictureNoise   = 8  // levels up and down
)

// picture is a JPEG: colours that flow into each other, with noise, so that a file
// is as long, and as slow to decode, as a photograph is.
func picture(seed uint64) ([]byte, error) {
	random := rand.New(rand.NewPCG(randomSeed, seed))
	const columns, rows = pictureWidth/pictureCell + 2, pictureHeight/pictureCell + 2
	var grid [rows][columns][3]float32
	for y := range grid {
		for x := range grid[y] {
			for c := range 3 {
				grid[y][x][c] = float32(pictureNoise + random.IntN(256-2*pictureNoise))
			}
		}
	}
	m := image.NewRGBA(image.Rect(0, 0, pictureWidth, pictureHeight))
	for y := range pictureHeight {
		above, below, fy := &grid[y/pictureCell], &grid[y/pictureCell+1], float32(y%pictureCell)/pictureCell
		for x := range pictureWidth {
			i, fx := x/pictureCell, float32(x%pictureCell)/pictureCell
			noise := float32(random.IntN(2*pictureNoise) - pictureNoise)
			var v [3]uint8
			for c := range v {
				top := above[i][c] + fx*(above[i+1][c]-above[i][c])
				bottom := below[i][c] + fx*(below[i+1][c]-below[i][c])
				v[c] = uint8(top + fy*(bottom-top) + noise)
			}
			m.SetRGBA(x, y, color.RGBA{v[0], v[1], v[2], 255})
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, m, &jpeg.Options{Quality: pictureQuality}); err != nil {
		return nil, fmt.Errorf("making a picture: %w", err)
	}
	return out.Bytes(), nil
}
