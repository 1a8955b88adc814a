//go:build tensorflow

package serving_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/savedmodel"
	"github.com/upl-host/upl-host/graphs/serving"
)

// TestWriting: equal inputs give equal folders; one that is there is replaced
// only where that was asked for, and whole; the model is left as it was.
func TestWriting(t *testing.T) {
	t.Parallel()
	model, c := exported(t, "vit"), learnt(t, "vit")
	before := hash(t, model)
	first := write(t, model, c)
	if hash(t, first) != hash(t, write(t, model, c)) {
		t.Error("the same classifier twice is not the same bytes")
	}
	written := hash(t, first)

	other := c
	other.LogitScale = 1
	if err := serving.Write(t.Context(), model, first, other, false); !errors.Is(err, savedmodel.ErrExists) {
		t.Errorf("without overwrite: %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := serving.Write(cancelled, model, first, other, true); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if hash(t, first) != written {
		t.Error("what was refused has changed the folder")
	}
	if err := serving.Write(t.Context(), model, first, other, true); err != nil {
		t.Fatal(err)
	}
	if hash(t, first) == written {
		t.Error("the folder is not replaced")
	}
	if err := serving.Write(t.Context(), model, model, c, true); !errors.Is(err, savedmodel.ErrExists) {
		t.Errorf("over the model itself: %v", err)
	}
	notes := t.TempDir()
	if err := os.WriteFile(filepath.Join(notes, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := serving.Write(t.Context(), model, notes, c, true); !errors.Is(err, savedmodel.ErrExists) {
		t.Errorf("over a folder of notes: %v", err)
	}
	if hash(t, model) != before {
		t.Error("the model has changed")
	}
	left, err := os.ReadDir(filepath.Dir(first))
	if err != nil || len(left) != 1 {
		t.Errorf("beside the classifier lie %v, %v", left, err)
	}
}

func hash(t *testing.T, dir string) string {
	t.Helper()
	h, err := graphs.Hash(dir)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestDescription(t *testing.T) {
	t.Parallel()
	c := learnt(t, "rn")
	raw, err := os.ReadFile(filepath.Join(write(t, exported(t, "rn"), c), "assets.extra", "upl-classifier.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got, want map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	names := make([]any, len(c.ClassNames))
	for i, name := range c.ClassNames {
		names[i] = name
	}
	want = map[string]any{
		"format": "upl-host served classifier", "format_version": 1.0, "class_names": names, "logit_scale": 28.0,
		"image_size": 64.0, "run": "glyphs", "model": "rn", "model_hash": "h1:=", "prompts": 4.0,
		"templates": []any{"a photo of a {}."}, "software": "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("upl-classifier.json (-want +got):\n%s", diff)
	}
}

// TestRefusals: what cannot be put together is said, and nothing is written.
func TestRefusals(t *testing.T) {
	t.Parallel()
	model := exported(t, "vit")
	config, err := graphs.ReadConfig(model)
	if err != nil {
		t.Fatal(err)
	}
	valid := learnt(t, "vit")
	for name, c := range map[string]struct {
		change func(*serving.Classifier, *graphs.Config)
		want   string
	}{
		"no classes":      {func(c *serving.Classifier, _ *graphs.Config) { *c = serving.Classifier{LogitScale: 1} }, "without classes"},
		"a class too few": {func(c *serving.Classifier, _ *graphs.Config) { c.ClassNames = c.ClassNames[1:] }, "24 x 128 for 23 classes"},
		"another width":   {func(c *serving.Classifier, _ *graphs.Config) { c.ClassFeatures = array.NewMatrix(24, 64) }, "24 x 64"},
		"cut features":    {func(c *serving.Classifier, _ *graphs.Config) { c.ClassFeatures.Data = c.ClassFeatures.Data[1:] }, "class features"},
		"NaN": {func(c *serving.Classifier, _ *graphs.Config) {
			c.ClassFeatures = c.ClassFeatures.Clone()
			c.ClassFeatures.Data[130] = float32(math.NaN())
		}, "row 1, column 2 is NaN"},
		"no scale":        {func(c *serving.Classifier, _ *graphs.Config) { c.LogitScale = 0 }, "logit scale is 0"},
		"nearest":         {func(_ *serving.Classifier, m *graphs.Config) { m.Interpolation = "nearest" }, `interpolation "nearest"`},
		"another picture": {func(_ *serving.Classifier, m *graphs.Config) { m.ImageSize = 32 }, "breaks the contract"},
	} {
		classifier, changed := valid, config
		c.change(&classifier, &changed)
		if err := graphs.WriteConfig(model, changed); err != nil {
			t.Fatal(err)
		}
		parent := t.TempDir()
		err := serving.Write(t.Context(), model, filepath.Join(parent, "served"), classifier, false)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: want an error with %q, got %v", name, c.want, err)
		}
		if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
			t.Errorf("%s: left behind %v, %v", name, left, err)
		}
	}
	if err := serving.Write(t.Context(), t.TempDir(), filepath.Join(t.TempDir(), "served"), valid, false); !errors.Is(err, graphs.ErrConfig) {
		t.Errorf("a folder that is no model: %v", err)
	}
}
