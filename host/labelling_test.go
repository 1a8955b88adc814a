package host

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/backbone"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/label"
	"github.com/upl-host/upl-host/host/progress"
	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
)

// labelled is a run of three kept pictures, the first two unlabeled, and what the
// stages before select write; and the module of testdata/guest of host/arrays.
func labelled(t *testing.T) (*run, *plugins.Catalogue, string) {
	t.Helper()
	guest := filepath.Join(t.TempDir(), "guest.wasm")
	build := exec.Command("go", "build", "-trimpath", "-buildmode=c-shared", "-o", guest, "./arrays/testdata/guest")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r := pictured(t, map[string]string{picturesName: keptPictures})
	if err := r.readKept(); err != nil {
		t.Fatal(err)
	}
	r.config = &config.Config{}
	r.models = []*backbone.Description{{Name: "vit"}}
	r.display = progress.Silent
	catalogue := plugins.NewCatalogue(plugins.Options{Grants: []string{plugins.GrantFeatures}})
	t.Cleanup(func() {
		if err := catalogue.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, m := range map[string]array.Matrix{
		probabilitiesName("vit"): {Rows: 2, Cols: 2, Data: []float32{0.75, 0.25, 0.5, 0.5}},
		ensembleName:             {Rows: 2, Cols: 2, Data: []float32{0.75, 0.25, 0.5, 0.5}},
		featuresName("vit"):      {Rows: 3, Cols: 2, Data: []float32{0, 1, 1, 0, 9, 9}},
		textFeaturesName("vit"):  {Rows: 2, Cols: 2, Data: []float32{1, 0, 0, 1}},
	} {
		path := r.folder.Join(name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := array.WriteFile(path, m.Array()); err != nil {
			t.Fatal(err)
		}
	}
	return r, catalogue, guest
}

// A policy sees features of the unlabeled pictures where they are granted, and
// the prior; and is refused features where they are not.
func TestSelectByFeatures(t *testing.T) {
	r, catalogue, guest := labelled(t)
	r.prior = []float64{0.25, 0.75}
	var log bytes.Buffer
	r.log = slog.New(slog.NewJSONHandler(&log, nil))
	var err error
	if r.selection, err = label.Open(t.Context(), catalogue, guest+"#texts", nil, sdk.KindSelection); err != nil {
		t.Fatal(err)
	}
	r.selection.Granted = nil
	denied := r.policyInputs(r.selection)()
	if _, err := r.selectLabels(t.Context()); err == nil || !strings.Contains(err.Error(), "denied") {
		t.Errorf("without a grant: %v", err)
	}
	r.selection.Granted = []string{plugins.GrantFeatures}
	if r.policyInputs(r.selection)() == denied {
		t.Error("what it sees is no part of what decides its result")
	}
	if _, err := r.selectLabels(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(r.folder.Join(pseudoLabelsName))
	if err != nil {
		t.Fatal(err)
	}
	want := "path,class,weight,probability\na.png,\"dog, small\",0.75,0.25\nb.png,cat,0.25,0.5\n"
	if d := cmp.Diff(want, string(text)); d != "" {
		t.Error(d)
	}
}

// The lines of a policy's log carry where they were said.
func TestHear(t *testing.T) {
	r, catalogue, guest := labelled(t)
	var log, shown bytes.Buffer
	r.log = slog.New(slog.NewJSONHandler(&log, nil))
	r.display = progress.New(&shown, false)
	var err error
	r.selection, err = label.Open(t.Context(), catalogue, guest+"#kinds", json.RawMessage(`{"kinds": "hard"}`), sdk.KindSelection)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.selectLabels(t.Context()); err != nil {
		t.Fatal(err)
	}
	var lines []map[string]any
	for d := json.NewDecoder(&log); d.More(); {
		var line map[string]any
		if err := d.Decode(&line); err != nil {
			t.Fatal(err)
		}
		delete(line, "time")
		lines = append(lines, line)
	}
	want := []map[string]any{
		{"level": "WARN", "msg": "2 rows", "plugin": "kinds", "round": 0.0, "row": 0.0, "rows": 2.0},
		{"level": "INFO", "msg": "done", "plugin": "kinds", "round": 0.0},
	}
	if d := cmp.Diff(want, lines[:2]); d != "" {
		t.Error(d)
	}
	if text := shown.String(); !strings.Contains(text, "kinds, round 0, rows 0 to 1: warning: 2 rows\nkinds, round 0: done\n") {
		t.Error(text)
	}
}

// A prior is of the classes that there are.
func TestPrior(t *testing.T) {
	p := &plan{config: &config.Config{}, classNames: []string{"cat", "dog"}}
	if err := p.openPrior(); err != nil || p.prior != nil {
		t.Errorf("%v, %v", p.prior, err)
	}
	p.config.Label.Prior.Values = []float64{1, 3}
	if err := p.openPrior(); err != nil || !cmp.Equal(p.prior, []float64{0.25, 0.75}) {
		t.Errorf("%v, %v", p.prior, err)
	}
	for _, wrong := range []config.Prior{{Values: []float64{1}}, {File: "nowhere.csv"}} {
		p.config.Label.Prior = wrong
		if err := p.openPrior(); err == nil || !strings.HasPrefix(err.Error(), "label.prior: ") {
			t.Errorf("%v: %v", wrong, err)
		}
	}
}
