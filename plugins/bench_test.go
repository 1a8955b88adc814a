package plugins_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/plugins/internal/witness"
	"github.com/upl-host/upl-host/plugins/process"
	"github.com/upl-host/upl-host/sdk/sdktest"
	"github.com/upl-host/upl-host/sdk/session"
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
	all := carriers(b, "./internal/witness/plugin")
	if python := pythonCarrier(b); python != nil {
		all["python"] = python
	}
	for name, carrier := range all {
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

// pythonCarrier is the same policy in Python, on the packages of the example's
// virtual environment; nil where that has not been made.
func pythonCarrier(b *testing.B) session.Carrier {
	b.Helper()
	venv, err := filepath.Abs("../examples/plugins/python-label-propagation/.venv/bin")
	if err != nil {
		b.Fatal(err)
	}
	if !exists(venv) {
		b.Log("no Python: run make in examples/plugins/python-label-propagation")
		return nil
	}
	b.Setenv("PATH", venv+string(filepath.ListSeparator)+os.Getenv("PATH"))
	folder := b.TempDir()
	if err := os.CopyFS(filepath.Join(folder, "upl_plugin"), os.DirFS("../sdk/python/upl_plugin")); err != nil {
		b.Fatal(err)
	}
	text, err := os.ReadFile("testdata/scans.py")
	if err != nil {
		b.Fatal(err)
	}
	program := filepath.Join(folder, "scans.py")
	if err := os.WriteFile(program, text, 0o755); err != nil {
		b.Fatal(err)
	}
	p := process.Open([]string{program}, process.Options{Dir: folder})
	b.Cleanup(func() { _ = p.Close() }) // ends a process
	return p
}
