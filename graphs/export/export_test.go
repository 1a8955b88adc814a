//go:build tensorflow

package export_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/check"
	"github.com/upl-host/upl-host/graphs/clip"
	"github.com/upl-host/upl-host/graphs/export"
	"github.com/upl-host/upl-host/graphs/savedmodel"
)

// tiny are architectures with CLIP's vocabulary replaced by what a test has time for.
func tiny() map[string]clip.Architecture {
	text := clip.Text{ContextLength: 12, Vocabulary: 49408, Width: 8, Layers: 1, Heads: 2, MLPWidth: 16}
	return map[string]clip.Architecture{
		"vit": {
			EmbeddingWidth: 8, ImageSize: 20, ViT: &clip.ViT{Width: 16, Layers: 2, Heads: 4, Patch: 10, MLPWidth: 24},
			Text: text, LayerNormEpsilon: clip.DefaultLayerNormEpsilon,
		},
		"resnet": {
			EmbeddingWidth: 8, ImageSize: 32, ResNet: &clip.ResNet{Layers: [4]int{1, 2, 1, 1}, Width: 2, Heads: 4},
			Text: text, QuickGELU: true, LayerNormEpsilon: clip.DefaultLayerNormEpsilon,
		},
	}
}

func TestRandomModels(t *testing.T) {
	for name, a := range tiny() {
		t.Run(name, func(t *testing.T) {
			hashes := make(map[string]uint64)
			for i, seed := range []uint64{1, 1, 2} {
				dir := filepath.Join(t.TempDir(), "model")
				if err := export.Write(t.Context(), dir, export.Random(name, a, seed), false); err != nil {
					t.Fatal(err)
				}
				sum, err := graphs.Hash(dir)
				if err != nil {
					t.Fatal(err)
				}
				if same, ok := hashes[sum]; ok != (i == 1) || ok && same != seed {
					t.Errorf("seed %d gave the bytes of seed %d", seed, same)
				}
				hashes[sum] = seed
				report, err := check.Check(t.Context(), dir, check.Options{})
				if err != nil || !report.OK() {
					t.Errorf("%v: %+v", err, report.Items)
				}
				if report.Config.Tokenizer != (graphs.Tokenizer{Kind: graphs.TokenizerCLIP}) || report.Config.LogitScale < 14 || report.Config.LogitScale > 15 {
					t.Errorf("%+v", report.Config)
				}
			}
		})
	}
}

func TestNewFaults(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	if err := export.New(t.Context(), dir, "ViT-X", 1, false); !errors.Is(err, clip.ErrUnknown) {
		t.Errorf("want ErrUnknown, got %v", err)
	}
	a := tiny()["vit"]
	a.Text.Vocabulary = 100
	if err := export.Write(t.Context(), dir, export.Random("small", a, 1), false); !errors.Is(err, export.ErrNoTokenizer) {
		t.Errorf("want ErrNoTokenizer, got %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a failed export left a model")
	}
}

func TestExportDoesNotOverwrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	write := func(overwrite bool) error { return export.Checkpoint(t.Context(), golden("vit"), dir, overwrite) }
	if err := write(false); err != nil {
		t.Fatal(err)
	}
	first, err := graphs.Hash(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := write(false); !errors.Is(err, savedmodel.ErrExists) {
		t.Errorf("want ErrExists, got %v", err)
	}
	if err := write(true); err != nil {
		t.Fatal(err)
	}
	if second, err := graphs.Hash(dir); err != nil || second != first {
		t.Errorf("equal exports differ: %s, %s, %v", first, second, err)
	}
}
