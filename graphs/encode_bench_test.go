//go:build tensorflow

package graphs_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/clip"
	"github.com/upl-host/upl-host/graphs/export"
)

// BenchmarkEncodeImage is an image tower of true size alone, without decoding.
// best-pictures/s, of the fastest batch, is what to compare on a machine that does
// other things too.
func BenchmarkEncodeImage(b *testing.B) {
	for _, name := range []string{"RN50", "ViT-B/32"} {
		a, err := clip.Named(name)
		if err != nil {
			b.Fatal(err)
		}
		a.Text.Layers, a.Text.Vocabulary = 1, 49408
		dir := filepath.Join(b.TempDir(), "model")
		if err := export.Write(b.Context(), dir, export.Random(name, a, 1), false); err != nil {
			b.Fatal(err)
		}
		model, err := graphs.Open(dir, graphs.Options{})
		if err != nil {
			b.Fatal(err)
		}
		for _, size := range []int{8, 16, 32, 64} {
			b.Run(fmt.Sprintf("%s/batch=%d", name, size), func(b *testing.B) {
				pixels := make([]float32, size*a.ImageSize*a.ImageSize*3)
				random := rand.New(rand.NewPCG(1, 1))
				for i := range pixels {
					pixels[i] = random.Float32()
				}
				var times []float64
				for b.Loop() {
					began := time.Now()
					if _, err := model.EncodeImage(b.Context(), pixels, size); err != nil {
						b.Fatal(err)
					}
					times = append(times, time.Since(began).Seconds())
				}
				b.ReportMetric(float64(size)/slices.Min(times), "best-pictures/s")
			})
		}
		if err := model.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
