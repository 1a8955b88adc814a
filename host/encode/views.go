package encode

import (
	"encoding/binary"

	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/host/random"
)

// View is what Model.View takes for an augmented view of each picture. Which part
// of a picture it shows depends on the picture's content, the seed and the view's
// number alone.
func View(t *preprocess.Transform, a preprocess.Augmentation, seed uint64, number int) func(p *preprocess.Picture, key Key, dst []float32) {
	return func(p *preprocess.Picture, key Key, dst []float32) {
		name := make([]uint64, 0, len(key)/8+2)
		for rest := key[:]; len(rest) > 0; rest = rest[8:] {
			name = append(name, binary.BigEndian.Uint64(rest))
		}
		draws := random.New("augment", append(name, seed, uint64(number))...)
		t.ViewPixels(p, a.Draw(p.Width, p.Height, draws), dst)
	}
}
