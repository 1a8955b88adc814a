package preprocess

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/graphs/array"
)

// pillows is what Pillow makes of one of testdata/pictures; see testdata/make.py.
type pillows struct {
	Mode          string
	Width, Height int
	RGB           string `json:"rgb"`
	ClipBicubic   string `json:"clip-bicubic"`
	ClipBilinear  string `json:"clip-bilinear"`
	SquashBicubic string `json:"squash-bicubic"`
}

func readExpected(t testing.TB) map[string]pillows {
	t.Helper()
	data, err := os.ReadFile("testdata/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var expected map[string]pillows
	if err := json.Unmarshal(data, &expected); err != nil {
		t.Fatal(err)
	}
	return expected
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// square gives the RGB bytes that a transform's pixels come from: with mean 0
// and deviation 1/255 the pixels are the bytes.
func square(t testing.TB, p *Picture, mode, interpolation string) []uint8 {
	t.Helper()
	const side = 24
	transform, err := New(Config{
		Size: side, ResizeMode: mode, Interpolation: interpolation,
		Std: [3]float32{1, 1, 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	pixels := make([]float32, side*side*3)
	transform.Pixels(p, pixels)
	return levels(pixels)
}

// levels are the bytes of pixels of mean 0 and deviation 1.
func levels(pixels []float32) []uint8 {
	out := make([]uint8, len(pixels))
	for i, v := range pixels {
		out[i] = uint8(v*255 + 0.5)
	}
	return out
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// inexact tells where the package's documentation promises a tolerance only.
func inexact(name string) bool {
	return strings.HasSuffix(name, ".jpg") &&
		(jpegDecoder != "libjpeg" || strings.Contains(name, "cmyk") || strings.Contains(name, "ycck"))
}

// tolerance is the largest difference from Pillow's RGB, of 255 levels, where equal
// bits are not promised.
const tolerance = 3

func TestPillow(t *testing.T) {
	arrays, err := array.ReadArchive("testdata/expected.npz")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range readExpected(t) {
		t.Run(name, func(t *testing.T) {
			p, err := Decode(readFile(t, filepath.Join("testdata/pictures", name)), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if p.Mode() != want.Mode || p.Width != want.Width || p.Height != want.Height {
				t.Fatalf("%s, %d x %d; Pillow has %s, %d x %d", p.Mode(), p.Width, p.Height, want.Mode, want.Width, want.Height)
			}
			if inexact(name) {
				largest, share := difference(p.RGB(), arrays[name].Data.([]uint8))
				t.Logf("largest difference %d, %.1f %% of the samples differ", largest, 100*share)
				if largest > tolerance {
					t.Errorf("largest difference from Pillow's RGB: %d", largest)
				}
				return
			}
			for _, c := range []struct {
				step, want string
				got        []uint8
			}{
				{"RGB", want.RGB, p.RGB()},
				{"clip, bicubic", want.ClipBicubic, square(t, p, Clip, Bicubic)},
				{"clip, bilinear", want.ClipBilinear, square(t, p, Clip, Bilinear)},
				{"squash, bicubic", want.SquashBicubic, square(t, p, Squash, Bicubic)},
			} {
				if digest(c.got) != c.want {
					t.Errorf("%s: not equal to Pillow's", c.step)
				}
			}
		})
	}
}

// difference gives the largest difference of two arrays of samples, and the share that differs.
func difference(a, b []uint8) (largest int, share float64) {
	if len(a) != len(b) {
		return 256, 1
	}
	for i := range a {
		d := int(a[i]) - int(b[i])
		if d != 0 {
			share++
		}
		largest = max(largest, d, -d)
	}
	return largest, share / float64(len(a))
}
