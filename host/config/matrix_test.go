package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/host/config"
)

// expand loads a matrix that has one.
func expand(t *testing.T, s config.Source) *config.Matrix {
	t.Helper()
	m, err := config.LoadMatrix(s)
	if err != nil {
		t.Fatal(err)
	}
	if m == nil {
		t.Fatalf("%s has no matrix", s.File)
	}
	return m
}

// Each run of the matrix, and what it has that the first has not.
func TestMatrix(t *testing.T) {
	home(t)
	for _, file := range files(t, "matrix") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			m := expand(t, config.Source{File: file})
			var b strings.Builder
			fmt.Fprintf(&b, "%s in %s, %d runs\n", m.Name, m.Out, len(m.Runs))
			for _, r := range m.Runs {
				fmt.Fprintf(&b, "\n%s: %+v\n  out %s\n", r.Name, r.Coordinates, r.Config.Run.Out)
				for _, d := range config.Diff(m.Runs[0].Config, r.Config) {
					if d.Results {
						fmt.Fprintf(&b, "  %s: %s\n", d.Key, d.B)
					}
				}
			}
			fmt.Fprintf(&b, "\n%s", m.Runs[0].Config.Effective(""))
			golden(t, filepath.Join("matrix", filepath.Base(file)+".golden"), b.String())
		})
	}
}

// A fault of a matrix is found before its first run, where it stands.
func TestBadMatrix(t *testing.T) {
	home(t)
	for _, file := range files(t, "matrix-bad") {
		if filepath.Ext(file) != ".yaml" {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			s := config.Source{File: file}
			m, err := config.LoadMatrix(s)
			if m == nil && err == nil {
				_, err = config.Load(s)
			}
			var faults *config.Error
			if !errors.As(err, &faults) {
				t.Fatalf("error %v, want a config.Error", err)
			}
			golden(t, filepath.Join("matrix-bad", filepath.Base(file)+".golden"), err.Error()+"\n")
		})
	}
}

// Every run keeps a configuration of its own, which loads as the same run from its
// folder, wherever that was moved with what it names.
func TestMatrixRunsLoadAgain(t *testing.T) {
	home(t)
	for _, file := range files(t, "matrix") {
		for _, r := range expand(t, config.Source{File: file, Set: []string{"run.out=/elsewhere"}}).Runs {
			if want := filepath.Join("/elsewhere/runs", r.Name); r.Config.Run.Out != want {
				t.Errorf("out %s, want %s", r.Config.Run.Out, want)
			}
			written := r.Config.Effective(r.Config.Run.Out)
			again, err := config.Load(config.Source{File: filepath.Join(r.Config.Run.Out, "run.yaml"), Text: written})
			if err != nil {
				t.Fatalf("%s: %v\n%s", r.Name, err, written)
			}
			if d := config.Diff(r.Config, again); d != nil {
				t.Errorf("%s: loaded again it differs: %v", r.Name, d)
			}
		}
	}
}

// The environment and --set go over the cells; models change places with their paths.
func TestMatrixPrecedence(t *testing.T) {
	home(t)
	m := expand(t, config.Source{
		File: "testdata/matrix/demo.yaml", Environ: []string{"UPL_LEARN_EPOCHS=3"}, Set: []string{"learn.momentum=0.25"},
	})
	for _, r := range m.Runs {
		if r.Config.Learn.Epochs != 3 || r.Config.Learn.Momentum != 0.25 {
			t.Fatalf("%s: epochs %d, momentum %v", r.Name, r.Config.Learn.Epochs, r.Config.Learn.Momentum)
		}
	}
	for _, r := range m.Runs {
		if r.Model != "rn" || r.Method != "upl*" {
			continue
		}
		want := []string{"- path: /opt/rn", "- path: ../../../models/vit"}
		text := string(r.Config.Effective(filepath.Join(m.Out, "..", "..", "a", "b", "c")))
		for _, line := range want {
			if !strings.Contains(text, line) {
				t.Errorf("%s: no %q in\n%s", r.Name, line, text)
			}
		}
	}
}

// One run is wanted where a file describes several, and the other way round.
func TestMatrixOrRun(t *testing.T) {
	home(t)
	_, err := config.Load(config.Source{File: "testdata/matrix/demo.yaml"})
	var faults *config.Error
	if !errors.As(err, &faults) || faults.Faults[0].Line != 6 || !strings.Contains(err.Error(), "several runs") {
		t.Errorf("Load of a matrix: %v", err)
	}
	if m, err := config.LoadMatrix(config.Source{File: "testdata/good/glyphs.yaml"}); m != nil || err != nil {
		t.Errorf("LoadMatrix without a matrix: %v, %v", m, err)
	}
}

// What is extended comes first, each file from its own folder.
func TestExtends(t *testing.T) {
	home(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"lib/base.yaml":    "name: base\nlearn: {epochs: 7, momentum: 0.5}\nmodels: [{path: vit}]\n",
		"lib/data.toml":    "[dataset]\npath = \"images\"\n[learn]\nmomentum = 0.25\n",
		"study.yaml":       "extends: [lib/base.yaml, lib/data.toml]\nlearn: {epochs: 8}\n",
		"deep/deeper.yaml": "extends: ../study.yaml\nlabel: {selection: {params: {k: 2}}}\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := load(t, config.Source{File: filepath.Join(dir, "deep/deeper.yaml")})
	got := []any{c.Name, c.Learn.Epochs, c.Learn.Momentum, c.Models[0].Path, c.Dataset.Path, c.Run.Out, c.Label.Selection.Params["k"]}
	want := []any{"base", 8, 0.25, filepath.Join(dir, "lib/vit"), filepath.Join(dir, "lib/images"), filepath.Join(dir, "deep/runs/base"), int64(2)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// What is known by name is what the configuration has.
func TestKnownMethods(t *testing.T) {
	home(t)
	for _, m := range config.KnownMethods() {
		text := fmt.Sprintf("models: [{path: a}, {path: b}]\ndataset: {path: images}\nmatrix: {methods: [%q], k: [4]}\n", m[0])
		matrix := expand(t, config.Source{File: "/study/x.yaml", Text: []byte(text)})
		c := matrix.Runs[0].Config
		if all := strings.HasSuffix(m[0], "*"); len(c.Models) == 2 != all || (c.Label.Ensemble.Plugin == "mean") != all {
			t.Errorf("%s: %d models, ensemble %s", m[0], len(c.Models), c.Label.Ensemble.Plugin)
		}
		if matrix.Runs[0].Known != m[0] || m[1] == "" {
			t.Errorf("%q is known as %q: %s", m[0], matrix.Runs[0].Known, m[1])
		}
	}
}
