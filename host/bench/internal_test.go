package bench

import (
	"bytes"
	"context"
	"errors"
	"image/jpeg"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upl-host/upl-host/graphs/array"
)

func TestTiming(t *testing.T) {
	for _, c := range []struct {
		t           timing
		median, min float64
	}{
		{timing{2}, 2, 2},
		{timing{5, 1}, 3, 1},
		{timing{9, 2, 4}, 4, 2},
		{timing{4, 8, 1, 2}, 3, 1},
	} {
		if c.t.median() != c.median || c.t.min() != c.min {
			t.Errorf("%v: median %v, least %v", c.t, c.t.median(), c.t.min())
		}
	}
}

func TestBounds(t *testing.T) {
	for _, c := range []struct {
		bounds Bounds
		one    time.Duration
		want   int
	}{
		{Bounds{}, time.Second, 10},
		{Bounds{}, time.Minute, fewestRuns},
		{Bounds{}, 0, mostRuns},
		{Bounds{Duration: 4 * time.Second}, time.Second, 4},
		{Bounds{Runs: 2, Duration: time.Hour}, time.Second, 2},
	} {
		if got := c.bounds.runs(c.one); got != c.want {
			t.Errorf("%+v, %v each: %d runs, want %d", c.bounds, c.one, got, c.want)
		}
	}
}

func TestMeasure(t *testing.T) {
	s := Setup{Bounds: Bounds{Runs: 4}}
	calls := 0
	got, err := s.measure(t.Context(), "test", func() error { calls++; return nil })
	if err != nil || len(got) != 4 || calls != 5 {
		t.Errorf("%d calls, %d timed, %v", calls, len(got), err)
	}
	for fails := 1; fails <= 5; fails++ {
		calls, broken := 0, errors.New("broken")
		if _, err := s.measure(t.Context(), "test", func() error {
			if calls++; calls == fails {
				return broken
			}
			return nil
		}); !errors.Is(err, broken) || calls != fails {
			t.Errorf("call %d fails: %d calls, %v", fails, calls, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	calls = 0
	if _, err := s.measure(ctx, "test", func() error {
		if calls++; calls == 3 {
			cancel()
		}
		return nil
	}); !errors.Is(err, context.Canceled) || calls != 3 {
		t.Errorf("interrupted: %d calls, %v", calls, err)
	}
}

// TestPeakMemory: what was used before is not counted, what is used since is.
func TestPeakMemory(t *testing.T) {
	if peakMemory() == 0 {
		t.Skip("no /proc/self/status")
	}
	const size = 256 << 20
	touch := func() {
		block := make([]byte, size)
		for i := 0; i < size; i += 4096 {
			block[i] = 1
		}
		runtime.KeepAlive(block)
	}
	if os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) != nil {
		t.Skip("the peak cannot be reset here")
	}
	touch()
	before := peakMemory()
	forgetPeak()
	after := peakMemory()
	if before-after < size/2 {
		t.Errorf("the peak was %d MB and is %d MB after it was reset", before>>20, after>>20)
	}
	touch()
	if again := peakMemory(); again-after < size/2 {
		t.Errorf("the peak is %d MB, and %d MB after 256 MB were used", after>>20, again>>20)
	}
}

func TestClassNames(t *testing.T) {
	names, err := ClassNames(1000)
	if err != nil {
		t.Fatal(err)
	}
	words := map[int]int{}
	for _, name := range names {
		words[len(strings.Fields(name))]++
	}
	if len(words) != 3 || words[1] < 100 || words[2] < 500 || words[3] < 100 {
		t.Errorf("names by their words: %v", words)
	}
	fewer, err := ClassNames(37)
	if err != nil || !slices.Equal(fewer, names[:37]) {
		t.Errorf("37 names are not the first of 1000: %v, %v", fewer, err)
	}
	most := 0
	for n := 1; ; n *= 2 {
		names, err := ClassNames(n)
		if err != nil {
			break
		}
		most = n
		if different := len(slices.Compact(slices.Sorted(slices.Values(names)))); different != n {
			t.Errorf("%d of %d names differ", different, n)
		}
	}
	if most < 10_000 {
		t.Errorf("no more than %d names", most)
	}
	if _, err := ClassNames(0); err == nil {
		t.Error("no names, and no error")
	}
}

func TestTemplates(t *testing.T) {
	templates, err := Templates(80)
	if err != nil {
		t.Fatal(err)
	}
	if templates[0] != "a photo of a {}." || len(slices.Compact(slices.Sorted(slices.Values(templates)))) != 80 {
		t.Errorf("%q", templates)
	}
	for _, n := range []int{0, 81} {
		if _, err := Templates(n); err == nil {
			t.Errorf("%d templates, and no error", n)
		}
	}
}

func TestPicture(t *testing.T) {
	one, err := picture(1)
	if err != nil {
		t.Fatal(err)
	}
	same, _ := picture(1)
	other, _ := picture(2)
	if !bytes.Equal(one, same) || bytes.Equal(one, other) {
		t.Error("pictures do not go by their number")
	}
	c, err := jpeg.DecodeConfig(bytes.NewReader(one))
	if err != nil || c.Width != 500 || c.Height != 375 || len(one) < 40<<10 || len(one) > 200<<10 {
		t.Errorf("%d x %d in %d bytes, %v", c.Width, c.Height, len(one), err)
	}
}

// TestProbabilities: rows are softmax outputs, models differ, and agree more often
// than by chance on the class.
func TestProbabilities(t *testing.T) {
	s := SelectSetup{Rows: 300, Classes: 20, Models: 2}
	files, err := s.writeProbabilities(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var models []array.Matrix
	for _, file := range files {
		a, err := array.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := a.Matrix()
		if err != nil || m.Rows != 300 || m.Cols != 20 {
			t.Fatalf("%d x %d, %v", m.Rows, m.Cols, err)
		}
		models = append(models, m)
	}
	agree := 0
	for n := range s.Rows {
		for _, m := range models {
			sum := 0.0
			for _, p := range m.Row(n) {
				sum += float64(p)
			}
			if math.Abs(sum-1) > 1e-5 || slices.Min(m.Row(n)) < 0 {
				t.Fatalf("row %d sums to %v: %v", n, sum, m.Row(n))
			}
		}
		if slices.Equal(models[0].Row(n), models[1].Row(n)) {
			t.Fatalf("row %d is the same in both models", n)
		}
		if best(models[0].Row(n)) == best(models[1].Row(n)) {
			agree++
		}
	}
	if agree < 60 || agree > 280 {
		t.Errorf("the models agree on %d of 300 rows", agree)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.writeProbabilities(ended, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func best(row []float32) int { return slices.Index(row, slices.Max(row)) }
