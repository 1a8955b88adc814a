package preprocess

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestViewPixels compares parts of pictures of all kinds with Pillow's crop,
// resize and transpose; see testdata/make_views.py.
func TestViewPixels(t *testing.T) {
	var expected map[string][]struct {
		Part     [4]int
		Mirrored bool
		RGB      string `json:"rgb"`
	}
	if err := json.Unmarshal(readFile(t, "testdata/views.json"), &expected); err != nil {
		t.Fatal(err)
	}
	const side = 24
	transform, err := New(Config{Size: side, ResizeMode: Clip, Interpolation: Bicubic, Std: [3]float32{1, 1, 1}})
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for name, views := range expected {
		if inexact(name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			p, err := Decode(readFile(t, filepath.Join("testdata/pictures", name)), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			for _, view := range views {
				v := View{Left: view.Part[0], Top: view.Part[1], Width: view.Part[2], Height: view.Part[3], Mirrored: view.Mirrored}
				pixels := make([]float32, side*side*3)
				transform.ViewPixels(p, v, pixels)
				if digest(levels(pixels)) != view.RGB {
					t.Errorf("%+v of %d x %d: not equal to Pillow's", v, p.Width, p.Height)
				}
				compared++
			}
		})
	}
	if compared < 400 {
		t.Errorf("%d views were compared", compared)
	}
}

// A view of the whole picture is what squashing makes of it.
func TestWholeView(t *testing.T) {
	p := benchmarkPicture()
	config := openAI(64)
	config.ResizeMode = Squash
	transform, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	squashed, whole := make([]float32, 64*64*3), make([]float32, 64*64*3)
	transform.Pixels(p, squashed)
	transform.ViewPixels(p, View{Width: p.Width, Height: p.Height}, whole)
	if !slices.Equal(squashed, whole) {
		t.Error("a view of the whole picture is not the picture")
	}
}

// scripted are draws that a test knows; the last are drawn again and again.
type scripted struct {
	uniform []float64
	below   []int
}

func (s *scripted) Uniform() float64 {
	u := s.uniform[0]
	if len(s.uniform) > 1 {
		s.uniform = s.uniform[1:]
	}
	return u
}

func (s *scripted) Below(n int) int {
	k := s.below[0]
	if len(s.below) > 1 {
		s.below = s.below[1:]
	}
	return min(k, n-1)
}

// Values worked out by hand from RandomResizedCrop's definition: area uniform in
// [0.08, 1], ratio log-uniform in [3/4, 4/3], top before left; a middle part where
// ten tries fit nowhere.
func TestDraw(t *testing.T) {
	for _, c := range []struct {
		name          string
		width, height int
		draws         scripted
		want          View
	}{
		{"half of a square", 100, 100, scripted{[]float64{0.5, 0.5, 1}, []int{3, 20}}, View{20, 3, 73, 73, false}}, // sqrt(5400) = 73.5
		{"mirrored", 100, 100, scripted{[]float64{0.5, 0.5, 0.5}, []int{0, 99}}, View{27, 0, 73, 73, true}},        // 100 - 73
		{"widest", 100, 100, scripted{[]float64{0.5, 1, 1}, []int{0}}, View{0, 0, 85, 64, false}},                  // sqrt(7200), sqrt(4050)
		{"a second try", 100, 100, scripted{[]float64{1, 1, 0.5, 1, 1}, []int{0}}, View{0, 0, 85, 64, false}},      // the first is 115 wide
		{"too tall", 10, 1000, scripted{[]float64{0.5}, []int{0}}, View{0, 493, 10, 13, true}},                     // 10 / (3/4) = 13.3
		{"too wide", 1000, 10, scripted{[]float64{0.75}, []int{0}}, View{493, 0, 13, 10, false}},                   // 10 * 4/3
		{"a column of one", 1, 500, scripted{[]float64{1}, []int{0}}, View{0, 249, 1, 1, false}},                   // 1.3 rounds to 1
		{"one pixel", 1, 1, scripted{[]float64{1}, []int{0}}, View{0, 0, 1, 1, false}},
	} {
		if got := TrainingAugmentation.Draw(c.width, c.height, &c.draws); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// Halves are rounded to even, as Python does: a side of 4.5 is 4.
func TestDrawRounds(t *testing.T) {
	squares := Augmentation{MaxArea: 1, MinRatio: 1, MaxRatio: 1}
	got := squares.Draw(8, 8, &scripted{[]float64{81.0 / 256, 1}, []int{0}}) // of 64 pixels 20.25
	if want := (View{Width: 4, Height: 4}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// noise are draws of a test.
type noise struct{ t *rapid.T }

func (n noise) Uniform() float64 { return 1 - rapid.Float64Range(0, 1-1e-9).Draw(n.t, "uniform") }
func (n noise) Below(k int) int  { return rapid.IntRange(0, k-1).Draw(n.t, "below") }

// Whatever is drawn lies within the picture, within the bounds of area and ratio
// as far as whole pixels allow.
func TestDrawWithin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width, height := rapid.IntRange(1, 400).Draw(t, "width"), rapid.IntRange(1, 400).Draw(t, "height")
		v := TrainingAugmentation.Draw(width, height, noise{t})
		if v.Left < 0 || v.Top < 0 || v.Width < 1 || v.Height < 1 || v.Left+v.Width > width || v.Top+v.Height > height {
			t.Fatalf("%+v is not within %d x %d", v, width, height)
		}
		// Half a pixel either way.
		w, h := float64(v.Width), float64(v.Height)
		if (w+0.5)/(h-0.5) < 0.749 || (w-0.5)/(h+0.5) > 1.334 {
			t.Fatalf("%+v has a ratio of %v", v, w/h)
		}
		side := 8
		transform, err := New(Config{Size: side, ResizeMode: Squash, Interpolation: Bicubic, Std: [3]float32{1, 1, 1}})
		if err != nil {
			t.Fatal(err)
		}
		p := newPicture(rgb, width, height)
		for i := range p.pix {
			p.pix[i] = 77
		}
		pixels := make([]float32, side*side*3)
		transform.ViewPixels(p, v, pixels)
		for i, x := range pixels {
			if math.Abs(float64(x)*255-77) > 1e-3 {
				t.Fatalf("sample %d of a picture of one colour is %v", i, x*255)
			}
		}
	})
}

func TestAugmentationKey(t *testing.T) {
	seen := map[string]bool{}
	for i, a := range []Augmentation{
		TrainingAugmentation,
		{0.5, 1, 3.0 / 4, 4.0 / 3, 0.5},
		{0.08, 0.9, 3.0 / 4, 4.0 / 3, 0.5},
		{0.08, 1, 1, 4.0 / 3, 0.5},
		{0.08, 1, 3.0 / 4, 1, 0.5},
		{0.08, 1, 3.0 / 4, 4.0 / 3, 0},
	} {
		if seen[a.Key()] {
			t.Error(fmt.Sprint(i, " has the key of another: ", a.Key()))
		}
		seen[a.Key()] = true
	}
}
