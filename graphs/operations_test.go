//go:build tensorflow

package graphs_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/checkpoint"
	"github.com/upl-host/upl-host/graphs/export"
	"github.com/upl-host/upl-host/graphs/prompt"
)

// TestOperations: a model's folder tells as much as its architecture does.
func TestOperations(t *testing.T) {
	for _, name := range []string{"vit", "resnet"} {
		folder, dir := filepath.Join("testdata/golden-small", name), filepath.Join(t.TempDir(), name)
		if err := export.Checkpoint(t.Context(), folder, dir, false); err != nil {
			t.Fatal(err)
		}
		source, err := checkpoint.Open(folder)
		if err != nil {
			t.Fatal(err)
		}
		defer source.Close()
		a, m := source.Architecture, open(t, dir, graphs.Options{Device: "cpu"})
		got, err := m.ImageOperations()
		if err != nil {
			t.Fatal(err)
		}
		if want := a.ImageOperations(); got != want {
			t.Errorf("%s: a picture takes %d operations, its architecture says %d", name, got, want)
		}
		tower := prompt.Sizes{Width: a.Text.Width, Layers: a.Text.Layers, MLPWidth: a.Text.MLPWidth, EmbeddingWidth: a.EmbeddingWidth}
		_, tokens := prompts()
		rows := [][]int32{tokens.Row(0), tokens.Row(1)}
		if got, want := m.TextOperations(tokens), tower.FeatureOperations(rows); got != want {
			t.Errorf("%s: texts take %d operations, their tower says %d", name, got, want)
		}
		if got, want := m.GradientOperations(tokens, 3), tower.GradientOperations(rows, 3); got != want {
			t.Errorf("%s: a gradient takes %d operations, its tower says %d", name, got, want)
		}
	}
}

func TestMatMulPeak(t *testing.T) {
	rate, err := graphs.MatMulPeak(t.Context(), graphs.Options{Device: "cpu", Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	if rate < 1e8 || rate > 1e16 {
		t.Errorf("%g operations a second", rate)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := graphs.MatMulPeak(ended, graphs.Options{Device: "cpu"}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if _, err := graphs.MatMulPeak(t.Context(), graphs.Options{Device: "tpu"}); err == nil {
		t.Error("a device that there is none of has a rate")
	}
}
