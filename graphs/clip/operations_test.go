package clip_test

import (
	"testing"

	"github.com/upl-host/upl-host/graphs/clip"
)

// TestImageOperationsByHand counts two tiny towers on paper.
func TestImageOperationsByHand(t *testing.T) {
	vit := clip.Architecture{ImageSize: 4, EmbeddingWidth: 5, ViT: &clip.ViT{Width: 6, Layers: 2, Heads: 2, Patch: 2, MLPWidth: 7}}
	patches := 4 * 12 * 6
	block := 5*(3*36+36+2*42) + 2*5*5*6
	last := 3*36 + 2*5*6 + 36 + 2*42
	if got, want := vit.ImageOperations(), int64(2*(patches+block+last+6*5)); got != want {
		t.Errorf("ViT: %d operations, by hand %d", got, want)
	}
	resnet := clip.Architecture{ImageSize: 32, EmbeddingWidth: 5, ResNet: &clip.ResNet{Layers: [4]int{1, 1, 1, 2}, Width: 2, Heads: 1}}
	// A 3 x 3 kernel sees 3 n - 2 positions along a side of n, every second time
	// 3 n / 2 - 1: not the zeros outside.
	stem := 47*47*3*1 + 46*46*1*1 + 46*46*1*2
	stage1 := 8*8*2*2 + 22*22*2*2 + 8*8*2*8 + 8*8*2*8 // its last: the shortcut
	stage2 := 8*8*8*4 + 22*22*4*4 + 4*4*4*16 + 4*4*8*16
	stage3 := 4*4*16*8 + 10*10*8*8 + 2*2*8*32 + 2*2*16*32
	stage4 := 2*2*32*16 + 4*4*16*16 + 16*64 + 32*64
	stage4 += 64*16 + 16*16 + 16*64 // of 1 x 1, where a 3 x 3 kernel sees one position
	pool := 3*64*64 + 2*2*64 + 64*5
	if got, want := resnet.ImageOperations(), int64(2*(stem+stage1+stage2+stage3+stage4+pool)); got != want {
		t.Errorf("ResNet: %d operations, by hand %d", got, want)
	}
}

// TestImageOperationsAsPublished compares with open_clip's docs/model_profile.csv,
// column image_gflops, which counts the zeros around a picture, the rows that
// nothing depends on, and all keys and values of a ResNet's attention pooling.
func TestImageOperationsAsPublished(t *testing.T) {
	for name, published := range map[string]float64{
		"RN50": 12.22, "RN101": 19.54, "RN50x4": 42.56, "RN50x16": 149.39, "RN50x64": 529.11,
		"ViT-B/32": 8.82, "ViT-B/16": 35.13, "ViT-L/14": 162.03, "ViT-L/14-336": 381.92,
	} {
		a, err := clip.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := float64(a.ImageOperations()) / 1e9; got < 0.84*published || got > 0.97*published {
			t.Errorf("%s: %.2f G operations, published %.2f", name, got, published)
		}
	}
}

// TestImageTower: the variables of a model of ours tell its operations.
func TestImageTower(t *testing.T) {
	for _, name := range clip.ArchitectureNames() {
		a, err := clip.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		shapes := map[string][]int{}
		for _, v := range a.Variables() {
			shapes[v.Name] = v.Shape
		}
		got, ok := clip.ImageTower(shapes)
		if !ok || got.ImageOperations() != a.ImageOperations() {
			t.Errorf("%s: told %v: %+v", name, ok, got)
		}
		delete(shapes, "visual.conv1.weight")
		delete(shapes, "visual.conv3.weight")
		if _, ok := clip.ImageTower(shapes); ok {
			t.Errorf("%s: told without its first convolution", name)
		}
	}
	if _, ok := clip.ImageTower(nil); ok {
		t.Error("an image tower is told by nothing")
	}
}
