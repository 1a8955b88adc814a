package bench_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/bench"
	"github.com/upl-host/upl-host/plugins"
)

// policies builds those that ship.
func policies(t *testing.T) *plugins.Catalogue {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "strategies")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildmode=c-shared", "-o", filepath.Join(folder, "strategies.wasm"), "../../strategies")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	manifest, err := os.ReadFile(filepath.Join("../../strategies", plugins.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, plugins.ManifestName), manifest, 0o644); err != nil {
		t.Fatal(err)
	}
	c := plugins.NewCatalogue(plugins.Options{Folders: []string{filepath.Dir(folder)}})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// temporary is where what a benchmark makes must not stay.
func temporary(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	t.Cleanup(func() {
		left, err := os.ReadDir(folder)
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
	return folder
}

// keys are those of a report in JSON.
func keys(t *testing.T, r *bench.Report) []string {
	t.Helper()
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := json.Unmarshal(raw, &values); err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(values))
}

func TestSelect(t *testing.T) {
	s := bench.SelectSetup{Rows: 400, Classes: 10, Models: 3, Policy: "top-k", Catalogue: policies(t)}
	s.Bounds.Runs, s.Threads = 2, 2
	temporary(t)
	r, err := bench.Select(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	want := bench.Settings{Classes: 10, Rows: 400, Models: 3, Policy: "top-k"}
	if d := cmp.Diff(want, r.Settings); d != "" || r.Items != 400 || r.Runs != 2 || r.Threads != 2 || r.Item != "row" {
		t.Errorf("%s\n%+v", d, r)
	}
	if r.Median < r.Min || r.Min <= 0 || r.ItemsPerSecond != 400/r.Median || r.Ensemble <= 0 || r.Selection <= 0 || r.Ensemble+r.Selection > 2*r.Median {
		t.Errorf("%+v", r)
	}
	if bytes := r.GBPerSecond * r.Median * 1e9; bytes < 3*400*10*4 || bytes > 3*(400*10*4+1000) {
		t.Errorf("%v bytes are read", bytes)
	}
	if d := cmp.Diff([]string{
		"benchmark", "classes", "device", "ensemble_s", "gb_per_s", "item", "items", "items_per_s", "median_s", "min_s",
		"model", "models", "policy", "rows", "rss_bytes", "runs", "select_s", "threads",
	}, keys(t, r)); d != "" {
		t.Error(d)
	}
}

// TestSelectOfFiles: one model's rows are selected from as they are.
func TestSelectOfFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p.npy")
	if err := array.WriteFile(file, array.Array{Shape: []int{3, 2}, Data: []float32{0.75, 0.25, 0.5, 0.5, 0.125, 0.875}}); err != nil {
		t.Fatal(err)
	}
	s := bench.SelectSetup{Files: []string{file}, Policy: "top-k", Catalogue: policies(t)}
	s.Bounds.Runs = 1
	temporary(t)
	r, err := bench.Select(t.Context(), s)
	if err != nil || r.Rows != 3 || r.Classes != 2 || r.Models != 1 || r.Model != "p" || r.Ensemble != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	s.Files = append(s.Files, "nowhere.npy")
	if _, err := bench.Select(t.Context(), s); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such file: %v", err)
	}
	s.Files = s.Files[:1]
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := bench.Select(ended, s); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	s.Policy = "nothing"
	var missing *plugins.NotFoundError
	if _, err := bench.Select(t.Context(), s); !errors.As(err, &missing) {
		t.Errorf("no such policy: %v", err)
	}
}
