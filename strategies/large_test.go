package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk/sdktest"
)

// BenchmarkLarge selects from 1,000,000 x 1000 probabilities in a memory-mapped
// file of 4 GB, which it makes in the folder UPL_LARGE and removes; without that
// variable it does nothing. Run it with -benchtime 1x.
func BenchmarkLarge(b *testing.B) {
	folder := os.Getenv("UPL_LARGE")
	if folder == "" {
		return
	}
	const rows, classes = 1_000_000, 1000
	path := filepath.Join(folder, "large.npy")
	b.Cleanup(func() { _ = os.Remove(path) })
	if err := write(path, rows, classes); err != nil {
		b.Fatal(err)
	}
	p, err := array.Map(path)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	values := sdktest.Matrix{Values: p.Data, C: classes}
	in := plugins.Input{Ensemble: values, Models: []plugins.Probabilities{values}, ClassNames: make([]string, classes)}
	for _, name := range []string{"top-k", "threshold"} {
		policy, err := catalogue.Find(b.Context(), name)
		if err != nil {
			b.Fatal(err)
		}
		for _, run := range []struct {
			carrier  string
			selected func() (plugins.Selection, error)
		}{
			{"native", func() (plugins.Selection, error) { return sdktest.Select(b.Context(), policyNamed(name), in) }},
			{"wasm", func() (plugins.Selection, error) { return policy.Select(b.Context(), in) }},
		} {
			b.Run(name+"/"+run.carrier, func(b *testing.B) {
				b.SetBytes(rows * classes * 4)
				peak := watch(b)
				for b.Loop() {
					s, err := run.selected()
					if err != nil || len(s.Labels) == 0 {
						b.Fatalf("%d labels: %v", len(s.Labels), err)
					}
				}
				b.ReportMetric(float64(peak())/(1<<20), "MiB-anonymous")
			})
		}
	}
}

// write makes the file, a block of rows at a time.
func write(path string, rows, classes int) error {
	w, err := array.Create(path, rows, classes)
	if err != nil {
		return err
	}
	defer w.Abort()
	block := confident(1<<12, classes)
	for first := 0; first < rows; {
		n := min(block.Rows(), rows-first)
		if err := w.Append(block.Values[:n*classes]); err != nil {
			return err
		}
		first += n
	}
	return w.Close()
}

// confident are rows of ever larger confidence in ever another class.
func confident(rows, classes int) sdktest.Matrix {
	p := sdktest.Matrix{Values: make([]float32, rows*classes), C: classes}
	for i := range rows {
		row := p.Values[i*classes : (i+1)*classes]
		largest := 0.3 + 0.65*float32(i)/float32(rows)
		for c := range row {
			row[c] = (1 - largest) / float32(classes-1)
		}
		row[i*7%classes] = largest
	}
	return p
}

// watch looks at this process's anonymous resident memory until it is asked for
// the most that it has seen, in bytes. What is mapped from the file, the kernel can
// drop at any time.
func watch(b *testing.B) (peak func() int64) {
	b.Helper()
	var most atomic.Int64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			most.Store(max(most.Load(), anonymous()))
			select {
			case <-time.After(20 * time.Millisecond):
			case <-done:
				return
			}
		}
	}()
	return func() int64 {
		close(done)
		<-ended
		return most.Load()
	}
}

func anonymous() (bytes int64) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(status), "RssAnon:")
	_, _ = fmt.Sscan(after, &bytes) // KiB
	return bytes << 10
}

// BenchmarkLoad loads the module, compiling it, and from the folder of compiled
// code.
func BenchmarkLoad(b *testing.B) {
	module, err := catalogue.Find(b.Context(), "top-k")
	if err != nil {
		b.Fatal(err)
	}
	cache := filepath.Join(b.TempDir(), "cache")
	for _, c := range []struct{ name, cache string }{{"cold", ""}, {"warming", cache}, {"warm", cache}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				fresh := plugins.NewCatalogue(plugins.Options{CacheDir: c.cache})
				if _, err := fresh.Find(b.Context(), module.Path+"#top-k"); err != nil {
					b.Fatal(err)
				}
				if err := fresh.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
