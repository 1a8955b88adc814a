//go:build tensorflow

package predict_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/export"
	"github.com/upl-host/upl-host/graphs/savedmodel"
	"github.com/upl-host/upl-host/graphs/serving"
	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/learn"
	"github.com/upl-host/upl-host/host/predict"
)

// TestExportClassifier: a run's classifier is served as it is: the mean of the
// prompts, not normalised again, and zero-shot where nothing was learnt.
func TestExportClassifier(t *testing.T) {
	t.Parallel()
	model := demoModel(t, "vit")
	c := classifier(t, model)
	zeroShot := c
	zeroShot.Learned, zeroShot.Prompts = array.Matrix{}, 0
	for name, c := range map[string]struct {
		classifier learn.Classifier
		features   array.Matrix
	}{"learnt": {c, c.Learned}, "zero-shot": {zeroShot, c.ZeroShot}} {
		// The run made pictures square in another way than is the model's own.
		c.classifier.Preprocessing = "preprocess/1 size=64 resize=squash"
		folder := t.TempDir()
		got, want := filepath.Join(folder, "got"), filepath.Join(folder, "want")
		if err := predict.ExportClassifier(t.Context(), writeRun(t, model, c.classifier), "", got, false); err != nil {
			t.Fatal(err)
		}
		err := serving.Write(t.Context(), model, want, serving.Classifier{
			ClassFeatures: c.features, LogitScale: 28, ClassNames: []string{"cat", "dog"}, ResizeMode: graphs.ResizeSquash,
			Origin: serving.Origin{
				Run: "pets", Model: "vit", ModelHash: c.classifier.ModelHash, Prompts: c.classifier.Prompts,
				Templates: []string{"a photo of a {}."}, Software: "1.0",
			},
		}, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{"saved_model.pb", serving.DescriptionFile} {
			if !bytes.Equal(content(t, got, file), content(t, want, file)) {
				t.Errorf("%s: %s is not the classifier's", name, file)
			}
		}
	}
}

// TestExportClassifierElsewhere: a model that was moved, one that is another, no
// run, a folder that is there.
func TestExportClassifierElsewhere(t *testing.T) {
	t.Parallel()
	model, other := demoModel(t, "vit"), demoModel(t, "rn")
	run := writeRun(t, model, classifier(t, model))
	out := filepath.Join(t.TempDir(), "served")
	if err := predict.ExportClassifier(t.Context(), run, other, out, false); !errors.Is(err, host.ErrIntegrity) {
		t.Errorf("another model: %v", err)
	}
	if _, err := predict.Open(run, predict.Options{Model: other}); !errors.Is(err, host.ErrIntegrity) {
		t.Errorf("another model, to predict: %v", err)
	}
	moved := filepath.Join(t.TempDir(), "moved")
	if err := os.Rename(model, moved); err != nil {
		t.Fatal(err)
	}
	var usage *host.UsageError
	if err := predict.ExportClassifier(t.Context(), run, "", out, false); !errors.As(err, &usage) || !strings.Contains(err.Error(), "--model") {
		t.Errorf("without the model: %v", err)
	}
	if err := predict.ExportClassifier(t.Context(), run, moved, out, false); err != nil {
		t.Errorf("a model that was moved: %v", err)
	}
	if err := predict.ExportClassifier(t.Context(), run, moved, out, false); !errors.Is(err, savedmodel.ErrExists) {
		t.Errorf("a folder that is there: %v", err)
	}
	if err := predict.ExportClassifier(t.Context(), run, moved, out, true); err != nil {
		t.Errorf("a folder to be replaced: %v", err)
	}
	if err := predict.ExportClassifier(t.Context(), t.TempDir(), moved, out, true); !errors.As(err, &usage) {
		t.Errorf("no run: %v", err)
	}
}

func demoModel(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := export.Checkpoint(t.Context(), filepath.Join("..", "..", "examples", "demo", "models", name), dir, false); err != nil {
		t.Fatal(err)
	}
	return dir
}

func classifier(t *testing.T, model string) learn.Classifier {
	t.Helper()
	hash, err := graphs.Hash(model)
	if err != nil {
		t.Fatal(err)
	}
	c := learn.Classifier{
		Learned: array.NewMatrix(2, 128), ZeroShot: array.NewMatrix(2, 128), Prompts: 4,
		ClassNames: []string{"cat", "dog"}, Templates: []string{"a photo of a {}."}, LogitScale: 28,
		Model: "vit", ModelHash: hash, Software: "1.0",
	}
	for i := range c.Learned.Data {
		c.Learned.Data[i], c.ZeroShot.Data[i] = float32(i%5)/50, float32(i%3)/20
	}
	return c
}

// writeRun writes as much of a run folder as predict reads.
func writeRun(t *testing.T, model string, c learn.Classifier) string {
	t.Helper()
	run := t.TempDir()
	raw, err := json.Marshal(host.Manifest{Schema: 1, Name: "pets", Status: "done", Models: []host.ModelRecord{{Name: "vit", Path: model}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(run, "manifest.json"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	path := host.ClassifierPath(run)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := c.Write(path); err != nil {
		t.Fatal(err)
	}
	return run
}

func content(t *testing.T, folder, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
