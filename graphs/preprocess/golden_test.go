package preprocess

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/upl-host/upl-host/graphs/array"
)

// openAI are the values that CLIP's models were trained with.
func openAI(size int) Config {
	return Config{
		Size: size, ResizeMode: Clip, Interpolation: Bicubic,
		Mean: [3]float32{0.48145466, 0.4578275, 0.40821073},
		Std:  [3]float32{0.26862954, 0.26130258, 0.27577711},
	}
}

// TestGolden compares with open_clip's own transform, on pictures of kinds that
// trip decoders up.
func TestGolden(t *testing.T) {
	folders := []string{"../testdata/golden-small"}
	if more := os.Getenv("UPL_GOLDEN"); more != "" {
		folders = append(folders, more)
	}
	for _, folder := range folders {
		compareGolden(t, folder)
	}
}

func compareGolden(t *testing.T, folder string) {
	var cases struct{ Images []string }
	if err := json.Unmarshal(readFile(t, filepath.Join(folder, "cases.json")), &cases); err != nil {
		t.Fatal(err)
	}
	arrays, err := array.ReadArchive(filepath.Join(folder, "vit", "expected.npz"))
	if err != nil {
		t.Fatal(err)
	}
	pixels := arrays["pixels"]
	side := pixels.Shape[2]
	all, err := pixels.Float32()
	if err != nil {
		t.Fatal(err)
	}
	config := openAI(side)
	transform, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float32, side*side*3)
	for i, name := range cases.Images {
		t.Run(filepath.Base(folder)+"/"+name, func(t *testing.T) {
			p, err := Decode(readFile(t, filepath.Join(folder, "images", name)), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			transform.Pixels(p, got)
			want := all[i*len(got) : (i+1)*len(got)] // channel after channel
			var sum, largest, levels float64
			for j, v := range got {
				channel := j % 3
				d := math.Abs(float64(v - want[channel*side*side+j/3]))
				sum += d
				largest = max(largest, d)
				levels = max(levels, d*float64(config.Std[channel])*255)
			}
			t.Logf("mean difference %.2g, largest %.2g, %.0f of 255 levels", sum/float64(len(got)), largest, levels)
			bound := 1e-6 // equal bits, but for the order of a float32's operations
			if inexact(name) {
				bound = 2.0 / 255 / 0.26
			}
			if mean := sum / float64(len(got)); mean > 0.002 || largest > bound {
				t.Errorf("mean difference %v, largest %v", mean, largest)
			}
		})
	}
}
