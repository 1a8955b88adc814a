package plugins_test

import (
	"math/rand/v2"
	"testing"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/plugins/internal/witness"
	"github.com/upl-host/upl-host/sdk/sdktest"
)

// repeated is a block of rows, over and over: more than fits in memory.
type repeated struct {
	block sdktest.Matrix
	rows  int
}

func (r repeated) Rows() int    { return r.rows }
func (r repeated) Classes() int { return r.block.C }

func (r repeated) Read(first, n int, dst []float32) error {
	c, block := r.block.C, r.block.Rows()
	for n > 0 {
		at := first % block
		k := min(n, block-at)
		copy(dst[:k*c], r.block.Values[at*c:(at+k)*c])
		first, n, dst = first+k, n-k, dst[k*c:]
	}
	return nil
}

// BenchmarkRows shows every probability of 1,000,000 x 1000 to a policy, on each
// carrier: 4 GB. Run it with -benchtime 1x.
func BenchmarkRows(b *testing.B) {
	const rows, classes = 1_000_000, 1000
	p := repeated{matrix(rand.New(rand.NewPCG(1, 2)), 1<<12, classes), rows}
	in := plugins.Input{Ensemble: p, Models: []plugins.Probabilities{p}, ClassNames: make([]string, classes)}
	scans := witness.Policies[2]
	for name, carrier := range carriers(b, "./internal/witness/plugin") {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(rows * classes * 4)
			for b.Loop() {
				if o := runOn(b, carrier, scans, in); o.Error != "" {
					b.Fatal(o.Error)
				}
			}
		})
	}
}
