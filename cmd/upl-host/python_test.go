package main_test

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A SavedModel that Python's TensorFlow wrote, of another architecture and with
// another tokenizer, goes the whole way: check, run with prompt learning, predict.
// UPL_PYTHONPATH says where that TensorFlow is (.ci/test sets it); without it
// there is nothing to test.
func TestPythonModelRuns(t *testing.T) {
	path := os.Getenv("UPL_PYTHONPATH")
	if path == "" {
		return
	}
	folder := t.TempDir()
	model, run := filepath.Join(folder, "model"), filepath.Join(folder, "run")
	exporter := exec.Command("python3", "../../examples/models/export.py", "--classes", filepath.Join(demo, "classes.txt"), "-o", model)
	exporter.Env = append(os.Environ(), "PYTHONPATH="+path, "TF_CPP_MIN_LOG_LEVEL=3", "PYTHONDONTWRITEBYTECODE=1")
	if out, err := exporter.CombinedOutput(); err != nil {
		t.Fatalf("the exporter: %v\n%s", err, out)
	}
	host := func(args ...string) string {
		cmd := exec.Command(program, args...)
		cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(folder, "cache"))
		cmd.Stderr = t.Output()
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("upl-host %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	host("model", "check", model)
	configuration := filepath.Join(folder, "run.json")
	writeJSON(t, configuration, map[string]any{
		"models":  []any{map[string]any{"path": model}},
		"dataset": map[string]any{"path": absolute(t, filepath.Join(demo, "images", "glyphs")), "classes": absolute(t, filepath.Join(demo, "classes.txt")), "unlabeled": "train", "test": "test"},
		"prompt":  map[string]any{"template": "a photo of a {}."},
		"learn":   map[string]any{"seeds": 2, "epochs": 3},
	})
	host("run", "-c", configuration, "--out", run)

	var metrics struct {
		PseudoLabels struct{ Count int } `json:"pseudo_labels"`
		Learned      struct {
			Top1  *float64
			Seeds []struct{ Top1 *float64 }
		}
	}
	data, err := os.ReadFile(filepath.Join(run, "metrics.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &metrics); err != nil {
		t.Fatal(err)
	}
	if metrics.PseudoLabels.Count == 0 || metrics.Learned.Top1 == nil || len(metrics.Learned.Seeds) != 2 {
		t.Errorf("metrics.json has %s", data)
	}
	predicted := filepath.Join(folder, "predicted.csv")
	if err := os.WriteFile(predicted, []byte(host("predict", run, filepath.Join(demo, "images", "glyphs", "test", "bird"))), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(predicted)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) != 12 {
		t.Errorf("%d rows of predictions, want a header and 11: %v", len(rows), err)
	}
}

func writeJSON(t *testing.T, path string, value any) {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
