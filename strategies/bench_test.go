package main

import (
	"testing"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk/sdktest"
)

// repeated is a large matrix of which only a block is in memory.
type repeated struct {
	sdktest.Matrix
	rows int
}

func (r repeated) Rows() int { return r.rows }

func (r repeated) Read(first, n int, dst []float32) error {
	for at := 0; at < n; {
		from := (first + at) % r.Matrix.Rows()
		take := min(n-at, r.Matrix.Rows()-from)
		if err := r.Matrix.Read(from, take, dst[at*r.C:(at+take)*r.C]); err != nil {
			return err
		}
		at += take
	}
	return nil
}

// BenchmarkSelection runs each selection natively and as WASM: what the sandbox
// costs, over rows of 1000 classes.
func BenchmarkSelection(b *testing.B) {
	const rows, block, classes = 100_000, 1 << 12, 1000
	p := repeated{confident(block, classes), rows}
	in := plugins.Input{Ensemble: p, Models: []plugins.Probabilities{p}, ClassNames: make([]string, classes)}
	for _, name := range []string{"top-k", "threshold"} {
		b.Run(name+"/native", func(b *testing.B) {
			b.SetBytes(rows * classes * 4)
			for b.Loop() {
				if _, err := sdktest.Select(b.Context(), policyNamed(name), in); err != nil {
					b.Fatal(err)
				}
			}
		})
		policy, err := catalogue.Find(b.Context(), name)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name+"/wasm", func(b *testing.B) {
			b.SetBytes(rows * classes * 4)
			for b.Loop() {
				if _, err := policy.Select(b.Context(), in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
