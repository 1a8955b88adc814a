package trial

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/plugins"
)

// built has the modules that the tests need, made once.
var built string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if built, err = os.MkdirTemp("", "trial"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(built) }()
	for name, source := range map[string]string{"strategies": "../../strategies", "bad": "../../plugins/conformance/testdata/bad"} {
		command := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-o", filepath.Join(built, name+".wasm"), ".")
		command.Dir, command.Env = source, append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
		if out, err := command.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
			return 1
		}
	}
	return m.Run()
}

func policy(t *testing.T, name string) *plugins.Policy {
	t.Helper()
	catalogue := plugins.NewCatalogue(plugins.Options{Trial: true, CacheDir: filepath.Join(built, ".cache")})
	t.Cleanup(func() {
		if err := catalogue.Close(); err != nil {
			t.Error(err)
		}
	})
	module, policy, _ := strings.Cut(name, "#")
	p, err := catalogue.Find(t.Context(), filepath.Join(built, module+".wasm")+"#"+policy)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// folder writes a run of six unlabeled pictures, the fourth without a label, and
// two test pictures.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	a := []float32{
		0.8, 0.1, 0.1,
		0.6, 0.3, 0.1,
		0.2, 0.7, 0.1,
		0.1, 0.5, 0.4,
		0.1, 0.45, 0.45,
		0.9, 0.05, 0.05,
	}
	b := slices.Clone(a)
	copy(b[4*3:], []float32{0.1, 0.3, 0.6})
	for name, m := range map[string]array.Matrix{
		"probabilities/a.npy": {Rows: 6, Cols: 3, Data: a}, "probabilities/b.npy": {Rows: 6, Cols: 3, Data: b},
		"probabilities/ensemble.npy": {Rows: 6, Cols: 3, Data: a},
		"features/a.npy":             {Rows: 8, Cols: 2, Data: []float32{0, 1, 10, 11, 20, 21, 30, 31, 40, 41, 50, 51, 60, 61, 70, 71}},
		"features/b.npy":             {Rows: 6, Cols: 1, Data: []float32{0, 1, 2, 3, 4, 5}},
		"text_features/a.npy":        {Rows: 3, Cols: 2, Data: make([]float32, 6)}, "text_features/b.npy": {Rows: 3, Cols: 1, Data: make([]float32, 3)},
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), array.WriteFile(file, m.Array())); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, "classes.csv", "folder,name\nc,cat\nd,dog\nh,hen\n")
	write(t, dir, "pictures.csv", "path,split,label\n0,unlabeled,cat\n1,both,dog\n1t,test,cat\n2,unlabeled,dog\n3,unlabeled,\n4,unlabeled,hen\n5,unlabeled,cat\n6t,test,\n")
	write(t, dir, "manifest.json", `{"schema": 1, "seed": 7, "models": [{"name": "a", "logit_scale": 100}, {"name": "b", "logit_scale": 50}]}`)
	err := evaluate.WritePseudoLabels(filepath.Join(dir, "pseudo_labels.csv"), []evaluate.PseudoLabel{
		{Path: "0", Class: "cat", Weight: 1, Probability: 0.8}, {Path: "2", Class: "cat", Weight: 1, Probability: 0.2}, {Path: "4", Class: "hen", Weight: 1, Probability: 0.45},
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) *Run {
	t.Helper()
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestSelection(t *testing.T) {
	got, err := open(t, folder(t)).Try(t.Context(), policy(t, "strategies#top-k"), []byte(`{"k": 2}`))
	if err != nil {
		t.Fatal(err)
	}
	s := got.Selection
	if s.Count != 4 || *s.Accuracy != 1 || *s.Recall != 3.0/5 || !slices.Equal(s.EmptyClasses, []string{"hen"}) {
		t.Errorf("%+v", s.PseudoLabelMeasures)
	}
	if d := cmp.Diff(&Overlap{Same: 1, OtherClass: 1, OnlyHere: 2, OnlyRun: 1}, s.Overlap); d != "" {
		t.Error(d)
	}
	if c := s.PerClass[1]; c.Count != 2 || c.Known() != 1 || *c.Correct != 1 {
		t.Errorf("%+v", c)
	}
	if got.Rows != 6 || got.Classes != 3 || !slices.Equal(got.Models, []string{"a", "b"}) || got.Rounds != 1 || got.Seconds <= 0 || *got.PerMillionRows <= got.Seconds {
		t.Errorf("%+v", got)
	}
}

// TestSoft counts soft labels as their most probable class.
func TestSoft(t *testing.T) {
	got, err := open(t, folder(t)).Try(t.Context(), policy(t, "bad#soft"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if s := got.Selection; s.Count != 6 || s.Soft != 6 || *s.Accuracy != 3.0/5 {
		t.Errorf("%+v", s)
	}
}

func TestEnsemble(t *testing.T) {
	got, err := open(t, folder(t)).Try(t.Context(), policy(t, "strategies#single"), []byte(`{"model": "b", "calibrate": 0.7}`))
	if err != nil {
		t.Fatal(err)
	}
	e := got.Ensemble
	if *e.Top1 != 4.0/5 || *e.Changed != 1 || *e.Models[0].Top1 != 3.0/5 || *e.Models[1].Top1 != 4.0/5 || e.PerClass[0].Predicted != 3 {
		t.Errorf("%+v", e)
	}
	if got.Rounds < 2 || len(got.Metrics) == 0 {
		t.Errorf("%+v", got)
	}
}

// TestFeatures gives a policy the features of the rows alone, where there are any.
func TestFeatures(t *testing.T) {
	dir := folder(t)
	r := open(t, dir)
	got := make([]float32, 4)
	if err := r.images[0].Read(1, 2, got); err != nil || !slices.Equal(got, []float32{10, 11, 30, 31}) {
		t.Errorf("%v: %v", got, err)
	}
	if r.images[0].Rows() != 6 || r.images[1].Rows() != 6 || r.texts[0].Width() != 2 {
		t.Error("features of another size")
	}
	needs := policy(t, "bad#ungranted")
	if _, err := r.Try(t.Context(), needs, nil); err != nil {
		t.Error(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "features")); err != nil {
		t.Fatal(err)
	}
	var guest *plugins.GuestError
	if _, err := open(t, dir).Try(t.Context(), needs, nil); !errors.As(err, &guest) {
		t.Error(err)
	}
}

// TestUnlabeled measures nothing that needs labels, and compares with nothing that
// there is not.
func TestUnlabeled(t *testing.T) {
	dir := folder(t)
	write(t, dir, "pictures.csv", "path,split,label\n0,both,\n1,both,\n2,both,\n3,both,\n4,both,\n5,both,\n")
	if err := errors.Join(os.Remove(filepath.Join(dir, "pseudo_labels.csv")), os.RemoveAll(filepath.Join(dir, "features"))); err != nil {
		t.Fatal(err)
	}
	r := open(t, dir)
	got, err := r.Try(t.Context(), policy(t, "strategies#top-k"), nil)
	if err != nil || got.Selection.Accuracy != nil || got.Selection.Overlap != nil || got.Selection.Count != 6 {
		t.Errorf("%+v: %v", got, err)
	}
	if err := os.Remove(filepath.Join(dir, "probabilities", "ensemble.npy")); err != nil {
		t.Fatal(err)
	}
	r = open(t, dir)
	if _, err := r.Try(t.Context(), policy(t, "strategies#top-k"), nil); !errors.Is(err, ErrUnfinished) {
		t.Error(err)
	}
	if got, err := r.Try(t.Context(), policy(t, "strategies#mean"), nil); err != nil || got.Ensemble.Top1 != nil || got.Ensemble.Changed != nil {
		t.Errorf("%+v: %v", got, err)
	}
}

// TestPrior gives a policy the prior of the run's configuration, a list or a file.
func TestPrior(t *testing.T) {
	dir := folder(t)
	for configuration, want := range map[string][]float64{
		"label: {prior: [2, 1, 1]}":      {0.5, 0.25, 0.25},
		"label: {prior: counts.csv}":     {0.25, 0.5, 0.25},
		"label: {prior: gone/prior.npy}": nil,
		"name: a run":                    nil,
	} {
		write(t, dir, "run.yaml", configuration)
		write(t, dir, "counts.csv", "dog,2\ncat,1\nhen,1\n")
		r := open(t, dir)
		if !slices.Equal(r.prior, want) || (len(r.notes) > 0) != strings.Contains(configuration, "gone") {
			t.Errorf("%s: %v, %v", configuration, r.prior, r.notes)
		}
	}
	write(t, dir, "run.yaml", "label: {prior: [1, 2, 3]}")
	if _, err := open(t, dir).Try(t.Context(), policy(t, "bad#wants-prior"), nil); err != nil {
		t.Error(err)
	}
	write(t, dir, "run.yaml", "label: {prior: [1]}")
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "1 values for 3 classes") {
		t.Error(err)
	}
}

func TestOpenFaults(t *testing.T) {
	if _, err := Open(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for name, c := range map[string]struct{ file, text, says string }{
		"no models":         {"manifest.json", "{}", "names no model"},
		"no JSON":           {"manifest.json", "seed", "manifest.json"},
		"no matrix":         {"probabilities/a.npy", "none", "a.npy"},
		"other pictures":    {"pictures.csv", "path,split,label\n0,both,cat\n", "is 6 x 3, not 1 x 3"},
		"other columns":     {"pictures.csv", "path,label\n0,cat\n", "no column split"},
		"pictures not here": {"pseudo_labels.csv", "path,class,weight,probability\n9,cat,1,1\n", `9 as "cat": no such unlabeled picture or class`},
	} {
		dir := folder(t)
		write(t, dir, c.file, c.text)
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v does not say %q", name, err, c.says)
		}
	}
	dir := folder(t)
	if err := os.Remove(filepath.Join(dir, "probabilities", "b.npy")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "no probabilities of b yet") {
		t.Error(err)
	}
}
