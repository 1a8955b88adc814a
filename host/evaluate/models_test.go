package evaluate_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/host/evaluate"
)

func count(n int) *int { return &n }

func TestModelClassesFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "models.csv")
	want := []evaluate.ModelClass{
		{Model: "vit", Class: "a, b", Pictures: count(3), Predicted: 4, Correct: count(2), Confident: 1, ConfidentLabelled: count(1), ConfidentCorrect: count(0)},
		{Model: "vit", Class: "no labels", Predicted: 4, Confident: 1},
	}
	if err := evaluate.WriteModelClasses(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := evaluate.ReadModelClasses(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	const header = "model,class,pictures,predicted,correct,confident,confident_labelled,confident_correct\n"
	for row, fault := range map[string]string{
		"vit,a,many,1,,1,,\n": `pictures: "many" is no count`, "vit,a,,,,1,,\n": "predicted: there is no count", "vit,a,,-1,,1,,\n": "predicted",
	} {
		if err := os.WriteFile(path, []byte(header+row), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := evaluate.ReadModelClasses(path)
		var table *evaluate.TableError
		if !errors.As(err, &table) || table.Line != 2 || !strings.Contains(err.Error(), fault) {
			t.Errorf("%q: error %v, want line 2 and %q", row, err, fault)
		}
	}
}

func TestTallyRefuses(t *testing.T) {
	tally := evaluate.NewTally("m", names(2))
	for _, test := range []struct {
		row   []float32
		label int
	}{{[]float32{1}, 0}, {[]float32{1, 0}, 2}, {nil, -1}} {
		if _, err := tally.Add(test.row, test.label); err == nil {
			t.Errorf("%v with label %d was taken in", test.row, test.label)
		}
	}
	if m := tally.Measures(); m.MeanConfidence != nil || m.Coverage != nil {
		t.Error("a refused row was counted")
	}
}

func TestConfusionFile(t *testing.T) {
	c := evaluate.NewClassification([]string{"cat", "dog"}, evaluate.CalibrationBins)
	for _, row := range []struct {
		p     []float32
		label int
	}{{[]float32{0.9, 0.1}, 1}, {[]float32{0.6, 0.4}, 1}, {[]float32{0.7, 0.3}, 0}, {[]float32{0.7, 0.3}, -1}} {
		if err := c.Add(row.p, row.label); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "confusion.csv")
	if err := evaluate.WriteConfusions(path, c.Confusions("zero-shot")); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := "classifier,label,predicted,pictures\nzero-shot,cat,cat,1\nzero-shot,dog,cat,2\n"
	if string(got) != want {
		t.Errorf("confusion.csv is\n%s, want\n%s", got, want)
	}
}
