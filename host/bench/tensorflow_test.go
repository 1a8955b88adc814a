//go:build tensorflow

package bench_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/clip"
	"github.com/upl-host/upl-host/graphs/export"
	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/backbone"
	"github.com/upl-host/upl-host/host/bench"
)

// small is an architecture that a test has time for.
func small() clip.Architecture {
	return clip.Architecture{
		EmbeddingWidth: 16, ImageSize: 32, ViT: &clip.ViT{Width: 16, Layers: 2, Heads: 2, Patch: 8, MLPWidth: 32},
		Text:      clip.Text{ContextLength: 20, Vocabulary: 49408, Width: 16, Layers: 2, Heads: 2, MLPWidth: 32},
		QuickGELU: true, LayerNormEpsilon: clip.DefaultLayerNormEpsilon,
	}
}

func makeSmall(ctx context.Context, _, dir string) error {
	return export.Write(ctx, dir, export.Random("small", small(), 1), false)
}

func setup(t *testing.T) bench.ModelSetup {
	t.Helper()
	temporary(t)
	s := bench.ModelSetup{Architecture: "small", Make: makeSmall, Device: "cpu"}
	peaks := []float64{2e9, 3e9} // before and behind
	s.Peak = func(ctx context.Context, o graphs.Options) (float64, error) {
		if o != (graphs.Options{Device: "cpu", Threads: 2}) || len(peaks) == 0 {
			t.Errorf("a peak with %+v", o)
		}
		peak := peaks[0]
		peaks = peaks[1:]
		return peak, ctx.Err()
	}
	s.Bounds.Runs, s.Threads = 2, 2
	return s
}

func names(t *testing.T, n int) []string {
	t.Helper()
	names, err := bench.ClassNames(n)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// checkRates sees that a report's numbers belong together.
func checkRates(t *testing.T, r *bench.Report, items int, operations int64) {
	t.Helper()
	if r.Items != items || r.Runs != 2 || r.Threads != 2 || r.Device != "CPU" || r.Model != "small" || !(r.Min > 0) || r.Median < r.Min {
		t.Errorf("%+v", r)
	}
	if r.ItemsPerSecond != float64(items)/r.Median || math.Abs(r.GFLOPS*r.Median*1e9/float64(operations)-1) > 1e-9 {
		t.Errorf("%+v, want %d operations", r, operations)
	}
	if r.PeakGFLOPS != 3 || r.RSS < 1<<20 {
		t.Errorf("a peak of %v GFLOP/s, %d bytes", r.PeakGFLOPS, r.RSS)
	}
}

func prompts(t *testing.T) bench.PromptSetup {
	return bench.PromptSetup{ModelSetup: setup(t), ClassNames: names(t, 7), Batch: 5, ContextLength: 4, Position: "end"}
}

// TestPrompt: all ways to compute a gradient do the same useful operations.
func TestPrompt(t *testing.T) {
	for _, c := range []struct {
		name   string
		path   bench.Path
		change func(*bench.PromptSetup)
	}{
		{"packed", bench.Packed, func(s *bench.PromptSetup) { s.Check = true }},
		{"padded", bench.Padded, func(s *bench.PromptSetup) { s.Padded, s.Check = true, true }},
		{"middle", bench.Packed, func(s *bench.PromptSetup) { s.Position, s.Check = "middle", true }},
		{"class-specific", bench.Packed, func(s *bench.PromptSetup) { s.ClassSpecific, s.Check = true, true }},
		{"seeds", bench.Packed, func(s *bench.PromptSetup) { s.Seeds, s.Check = 3, true }},
		{"parts", bench.Packed, func(s *bench.PromptSetup) { s.Memory, s.Check = 20_000, true }},
		{"unknown tower", bench.Truncated, func(s *bench.PromptSetup) { s.Make = withoutTower }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := prompts(t)
			c.change(&s)
			r, err := bench.Prompt(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			want := bench.Settings{Classes: 7, Batch: 5, ContextLength: 4, Position: s.Position, ClassSpecific: s.ClassSpecific, Path: c.path, Seeds: max(1, s.Seeds), Memory: s.Memory}
			if s.Memory > 0 {
				if want.Parts = r.Parts; r.Parts < 2 {
					t.Errorf("the classes went in %d parts", r.Parts)
				}
			}
			if d := cmp.Diff(want, r.Settings); d != "" {
				t.Error(d)
			}
			if c.path == bench.Truncated {
				if r.GFLOPS != 0 {
					t.Errorf("an unknown tower does %v GFLOP/s", r.GFLOPS)
				}
				return
			}
			checkRates(t, r, want.Seeds, int64(want.Seeds)*operations(t, s))
			if r.EqualWithin == nil || !(*r.EqualWithin < 1e-4) {
				t.Errorf("the gradient is %v from the model's own", r.EqualWithin)
			}
		})
	}
}

// operations are those of a step, as the opened model counts them.
func operations(t *testing.T, s bench.PromptSetup) (n int64) {
	t.Helper()
	withModel(t, func(m *opened) {
		tokens, err := m.Prompts(s.ClassNames, s.ContextLength, s.Position, s.ClassSpecific)
		if err != nil {
			t.Fatal(err)
		}
		n = m.GradientOperations(tokens, s.Batch)
	})
	return n
}

// withoutTower makes a model whose upl.json does not describe its text tower.
func withoutTower(ctx context.Context, architecture, dir string) error {
	if err := makeSmall(ctx, architecture, dir); err != nil {
		return err
	}
	c, err := graphs.ReadConfig(dir)
	if err != nil {
		return err
	}
	c.TextTower = nil
	return graphs.WriteConfig(dir, c)
}

func TestPromptKeys(t *testing.T) {
	s := prompts(t)
	s.Check = true
	r, err := bench.Prompt(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{
		"batch", "benchmark", "classes", "context_length", "device", "equal_within", "gflops", "item", "items", "items_per_s",
		"median_s", "min_s", "model", "path", "peak_gflops", "position", "rss_bytes", "runs", "seeds", "threads",
	}, keys(t, r)); d != "" {
		t.Error(d)
	}
}

func TestText(t *testing.T) {
	templates, err := bench.Templates(3)
	if err != nil {
		t.Fatal(err)
	}
	s := bench.TextSetup{ModelSetup: setup(t), ClassNames: names(t, 7), Templates: templates}
	r, err := bench.Text(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	want := int64(0)
	withModel(t, func(m *opened) {
		tokens, err := m.Templates(templates, s.ClassNames)
		if err != nil {
			t.Fatal(err)
		}
		for _, each := range tokens {
			want += m.TextOperations(each)
		}
	})
	checkRates(t, r, 21, want)
	if r.Classes != 7 || r.Templates != 3 || r.Item != "text" {
		t.Errorf("%+v", r)
	}
}

func TestEncode(t *testing.T) {
	s := bench.EncodeSetup{ModelSetup: setup(t), Pictures: 5, Batch: 2}
	r, err := bench.Encode(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	checkRates(t, r, 5, 5*small().ImageOperations())
	if r.Batch != 2 || r.Skipped != 0 || r.Item != "picture" || !(r.Decode > 0 && r.Tower > 0) {
		t.Errorf("%+v", r)
	}
}

// TestEncodeFiles: what cannot be decoded is not counted.
func TestEncodeFiles(t *testing.T) {
	const pictures = "../../graphs/testdata/golden-small/images/"
	broken := filepath.Join(t.TempDir(), "broken.jpg")
	if err := os.WriteFile(broken, []byte("no picture"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := bench.EncodeSetup{ModelSetup: setup(t), Batch: 4}
	s.Files = []string{pictures + "wide.jpg", broken, pictures + "gray.jpg", pictures + "tall.png"}
	r, err := bench.Encode(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	checkRates(t, r, 3, 3*small().ImageOperations())
	if r.Skipped != 1 {
		t.Errorf("%d pictures are skipped", r.Skipped)
	}
	s.ModelSetup = setup(t)
	s.Files = []string{broken}
	if _, err := bench.Encode(t.Context(), s); err == nil {
		t.Error("no picture can be decoded, and no error")
	}
}

// TestFaults: what is wrong is said, and nothing stays behind.
func TestFaults(t *testing.T) {
	s := prompts(t)
	s.ContextLength = 40
	var wrong *host.UsageError
	if _, err := bench.Prompt(t.Context(), s); !errors.As(err, &wrong) {
		t.Errorf("a context longer than the model takes: %v", err)
	}
	s = prompts(t)
	broken := errors.New("broken")
	s.Make = func(context.Context, string, string) error { return broken }
	if _, err := bench.Prompt(t.Context(), s); !errors.Is(err, broken) {
		t.Errorf("no model can be made: %v", err)
	}
	s = prompts(t)
	s.Model = filepath.Join(t.TempDir(), "nowhere")
	if _, err := bench.Prompt(t.Context(), s); !errors.Is(err, graphs.ErrConfig) {
		t.Errorf("no such model: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s = prompts(t)
	s.Make = func(ctx context.Context, architecture, dir string) error {
		defer cancel()
		return makeSmall(ctx, architecture, dir)
	}
	if _, err := bench.Prompt(ctx, s); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

type opened = backbone.Backbone

// withModel opens a model like those that are measured.
func withModel(t *testing.T, do func(*opened)) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	if err := makeSmall(t.Context(), "", dir); err != nil {
		t.Fatal(err)
	}
	description, err := backbone.Describe(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	m, err := description.Open(graphs.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	do(m)
}
