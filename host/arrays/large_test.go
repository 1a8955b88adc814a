package arrays_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk/sdktest"
	"github.com/upl-host/upl-host/strategies/selection/topk"
)

type matrix struct{ *array.File }

func (m matrix) Classes() int { return m.Cols() }

// BenchmarkLarge selects from 1,000,000 x 1000 probabilities in a file of 4 GB,
// which it makes in the folder UPL_LARGE and removes: by the policy in-process, and
// as the command does, by the module, with everything around it. Without that
// variable it does nothing. Run it with -benchtime 1x.
func BenchmarkLarge(b *testing.B) {
	folder := os.Getenv("UPL_LARGE")
	if folder == "" {
		return
	}
	const rows, classes = 1_000_000, 1000
	path := filepath.Join(folder, "large.npy")
	b.Cleanup(func() { _ = os.Remove(path) })
	writeLarge(b, path, rows, classes)

	native := func() {
		f, err := array.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		in := plugins.Input{Ensemble: matrix{f}, Models: []plugins.Probabilities{matrix{f}}, ClassNames: make([]string, classes)}
		s, err := sdktest.Select(b.Context(), topk.Policy, in)
		if err != nil || len(s.Labels) == 0 {
			b.Fatalf("%d labels: %v", len(s.Labels), err)
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
	command := func() {
		j := job(b, "out.npz", "top-k", "", path)
		if _, err := j.Select(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	// In turn, so that what else the machine does weighs on both.
	var spent [2]time.Duration
	var busy [2]time.Duration
	for b.Loop() {
		for i, do := range []func(){native, command} {
			began, cpu := time.Now(), processor(b)
			do()
			spent[i] += time.Since(began)
			busy[i] += processor(b) - cpu
		}
	}
	each := func(d time.Duration) float64 { return d.Seconds() / float64(b.N) }
	b.ReportMetric(each(spent[0]), "native-s")
	b.ReportMetric(each(spent[1]), "select-s")
	b.ReportMetric(each(busy[0]), "native-cpu-s")
	b.ReportMetric(each(busy[1]), "select-cpu-s")
}

// processor is the time that this process has had of the processors.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// writeLarge makes the file: rows of ever larger confidence in ever another class.
func writeLarge(b *testing.B, path string, rows, classes int) {
	b.Helper()
	w, err := array.Create(path, rows, classes)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Abort()
	row := make([]float32, classes)
	for i := range rows {
		largest := 0.3 + 0.65*float32(i%4096)/4096
		for c := range row {
			row[c] = (1 - largest) / float32(classes-1)
		}
		row[i*7%classes] = largest
		if err := w.Append(row); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}
