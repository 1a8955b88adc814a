//go:build tensorflow

package serving_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/serving"
)

// python runs a script on Python's own TensorFlow and returns what it prints.
// Where the Makefile has not said where that is, there is nothing to run.
func python(t *testing.T, args ...string) (stdout string, ran bool) {
	t.Helper()
	path := os.Getenv("UPL_PYTHONPATH")
	if path == "" {
		return "", false
	}
	interpreter := os.Getenv("UPL_PYTHON")
	if interpreter == "" {
		interpreter = "python3"
	}
	var errors strings.Builder
	cmd := exec.CommandContext(t.Context(), interpreter, args...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+path, "PYTHONDONTWRITEBYTECODE=1", "TF_CPP_MIN_LOG_LEVEL=3")
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%.200q: %v\n%s", cmd.Args, err, errors.String())
	}
	return string(out), true
}

// TestPythonClassifies loads served classifiers of three models, one of them
// written by Python, into one Python process, and compares with Go.
func TestPythonClassifies(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	third := filepath.Join(folder, "third-party-model")
	if _, ok := python(t, filepath.Join("..", "..", "examples", "models", "export.py"), "--classes", demo("classes.txt"), "--output", third); !ok {
		return
	}
	models := map[string]string{"vit": exported(t, "vit"), "rn": exported(t, "rn"), "third": third}
	classifiers := map[string]serving.Classifier{"vit": learnt(t, "vit"), "rn": learnt(t, "rn"), "third": invented(t, third)}
	var served []string
	for name, dir := range models {
		out := filepath.Join(folder, name)
		if err := serving.Write(t.Context(), dir, out, classifiers[name], false); err != nil {
			t.Fatal(err)
		}
		served = append(served, name+"="+out)
	}
	pictures := append(some(t, "glyphs", 20), kinds("wide.jpg", "palette.gif", "alpha.png", "photo.webp")...)
	results := filepath.Join(folder, "results.npz")
	python(t, append([]string{filepath.Join("testdata", "classify.py"), results, strings.Join(served, ",")}, pictures...)...)
	got, err := array.ReadArchive(results)
	if err != nil {
		t.Fatal(err)
	}
	files := read(t, pictures...)
	for name, dir := range models {
		s, c := load(t, filepath.Join(folder, name)), classifiers[name]
		theirs, err := got[name+"/probabilities"].Matrix()
		if err != nil {
			t.Fatal(err)
		}
		rows := make([][]float32, theirs.Rows)
		for i := range rows {
			rows[i] = theirs.Row(i)
		}
		ours := s.probabilities(t, files...)
		if largest, _ := difference(t, rows, ours); !(largest <= 1e-5) {
			t.Errorf("%s: Python's largest difference from Go's is %g", name, largest)
		}
		largest, others := difference(t, ours, open(t, dir).probabilities(t, c, files...))
		t.Logf("%s: largest difference from our own way %.2g", name, largest)
		if !(largest <= 0.01) || others > 0 {
			t.Errorf("%s: largest difference from our own way %g, %d with another class", name, largest, others)
		}
		classes := got[name+"/class"].Data.([]string)
		for i, row := range ours {
			if want := c.ClassNames[argmax(row)]; classes[i] != want {
				t.Errorf("%s: %s is %q in Python, %q in Go", name, pictures[i], classes[i], want)
			}
		}
		if diff := cmp.Diff(c.ClassNames, got[name+"/classes"].Data); diff != "" {
			t.Errorf("%s: class names (-want +got):\n%s", name, diff)
		}
	}
}

// invented is a classifier of a model with other features.
func invented(t *testing.T, model string) serving.Classifier {
	t.Helper()
	config, err := graphs.ReadConfig(model)
	if err != nil {
		t.Fatal(err)
	}
	c := serving.Classifier{ClassFeatures: array.NewMatrix(3, config.EmbeddingWidth), LogitScale: 5, ClassNames: []string{"a", "naïve", "ç"}}
	for i := range c.ClassFeatures.Data {
		c.ClassFeatures.Data[i] = float32(i%7)/20 - float32(i%3)/15
	}
	return c
}

// TestPythonsCommandClassifies: saved_model_cli runs the signature on a picture.
func TestPythonsCommandClassifies(t *testing.T) {
	t.Parallel()
	if os.Getenv("UPL_PYTHONPATH") == "" {
		return
	}
	c := learnt(t, "vit")
	dir := write(t, exported(t, "vit"), c)
	file := read(t, some(t, "glyphs", 1)...)[0]
	literal := "image_bytes=[b'"
	for _, b := range []byte(file) {
		literal += fmt.Sprintf(`\x%02x`, b)
	}
	out, _ := python(t, "-m", "tensorflow.python.tools.saved_model_cli", "run", "--dir", dir,
		"--tag_set", "serve", "--signature_def", "serving_default", "--input_exprs", literal+"']")
	want := fmt.Sprintf("Result for output key class:\n[b'%s']", c.ClassNames[argmax(load(t, dir).probabilities(t, file)[0])])
	if !strings.Contains(out, want) || !strings.Contains(out, "Result for output key probabilities:") {
		t.Errorf("saved_model_cli does not print %q:\n%s", want, out)
	}
}
