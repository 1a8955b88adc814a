package main_test

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pythonCommand runs a script on Python's own TensorFlow; nil where there is none:
// see TestPythonModelRuns.
func pythonCommand(t *testing.T, script string, arguments ...string) *exec.Cmd {
	path := os.Getenv("UPL_PYTHONPATH")
	if path == "" {
		return nil
	}
	cmd := exec.CommandContext(t.Context(), "python3", append([]string{script}, arguments...)...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+path, "TF_CPP_MIN_LOG_LEVEL=3", "PYTHONDONTWRITEBYTECODE=1")
	return cmd
}

var filipTemplates = []string{"a photo of a {}.", "a drawing of a {}."}

// demoNames are the class names of the demo.
func demoNames(t *testing.T) (names []string) {
	t.Helper()
	f, err := os.Open(filepath.Join(demo, "classes.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		_, name, _ := strings.Cut(lines.Text(), "\t")
		names = append(names, name)
	}
	return names
}

// TestSimilarity runs a model that compares pictures and texts itself, and has Python
// compute anew what the run says: probabilities, predictions, accuracies, the gradient.
func TestSimilarity(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	model := filepath.Join(folder, "filip")
	arguments := []string{"--kind", "filip", "--classes", filepath.Join(demo, "classes.txt"), "--context-vectors", "4", "-o", model}
	for _, template := range filipTemplates {
		arguments = append(arguments, "--template", template)
	}
	exporter := pythonCommand(t, "../../examples/models/export.py", arguments...)
	if exporter == nil {
		return
	}
	if out, err := exporter.CombinedOutput(); err != nil {
		t.Fatalf("the exporter: %v\n%s", err, out)
	}
	filled, mixed := map[string][]string{}, map[string][]string{}
	for i, name := range demoNames(t) {
		for _, template := range filipTemplates {
			filled[name] = append(filled[name], strings.ReplaceAll(template, "{}", name))
		}
		mixed[name] = filled[name][i%2 : 1+i%2] // one text
		if i%3 == 0 {
			mixed[name] = filled[name]
		}
	}
	own := filepath.Join(folder, "own.json")
	writeJSON(t, own, mixed)
	templates := filepath.Join(folder, "filled.json")
	writeJSON(t, templates, filled)
	base := filipJob(t, "{path: "+model+"}")

	plain := base.in(filepath.Join(folder, "templates")).set("prompt.templates=" + jsonText(t, filipTemplates))
	plain.do(t)
	asPython(t, plain.run(), model, templates)
	t.Run("curve", func(t *testing.T) { lossFalls(t, plain.run()) })
	t.Run("predict", func(t *testing.T) { predictsTheSame(t, plain.run()) })
	t.Run("again", func(t *testing.T) {
		again := plain.in(t.TempDir()).set("run.threads=1")
		again.do(t)
		sameFiles(t, again.run(), plain.run(), "probabilities/filip.npy", "texts/filip.npy", "texts/seed-2.npy", "contexts/classifier.safetensors", "predictions.csv")
		cached := again.in(t.TempDir()).set("cache.dir=" + again.cache())
		cached.do(t)
		sameFiles(t, cached.run(), plain.run(), "probabilities/filip.npy", "contexts/classifier.safetensors")
		log, err := os.ReadFile(filepath.Join(cached.run(), "log.jsonl"))
		if err != nil || !strings.Contains(string(log), `"lists":0,"cached":2`) {
			t.Errorf("the texts are not from the cache: %v\n%s", err, log)
		}
	})
	t.Run("prompts of the classes' own, in two rounds", func(t *testing.T) {
		j := base.in(filepath.Join(folder, "own")).set("prompt.class_prompts=" + own).set("label.rounds=2")
		j.do(t)
		asPython(t, j.run(), model, own)
	})
	t.Run("beside a model of inner products", func(t *testing.T) {
		vit := "{path: " + filepath.Join(models(t), "vit") + "}"
		for _, list := range []string{"{path: " + model + "}, " + vit, vit + ", {path: " + model + "}"} {
			j := filipJob(t, list).in(t.TempDir()).set("prompt.templates=" + jsonText(t, filipTemplates)).set("label.ensemble={plugin: mean}")
			j.do(t)
			sameFiles(t, j.run(), plain.run(), "probabilities/filip.npy")
		}
	})
	t.Run("refused", func(t *testing.T) { refused(t, plain, filepath.Join(folder, "served")) })
}

func filipJob(t *testing.T, list string) job {
	t.Helper()
	configuration := filepath.Join(t.TempDir(), "run.json")
	writeJSON(t, configuration, map[string]any{
		"dataset": map[string]any{
			"path": absolute(t, filepath.Join(demo, "images", "glyphs")), "classes": absolute(t, filepath.Join(demo, "classes.txt")),
			"unlabeled": "train", "test": "test",
		},
		"learn": map[string]any{"context_length": 4, "seeds": 3, "epochs": 6},
	})
	return job{arguments: []string{"run", "-c", configuration, "--set", "models=[" + list + "]"}}
}

func jsonText(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// asPython holds a run against Python's own computation.
func asPython(t *testing.T, run, model, prompts string) {
	t.Helper()
	cmd := pythonCommand(t, "testdata/filip.py", run, model, prompts)
	var faults strings.Builder
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, faults.String())
	}
	var off map[string]float64
	if err := json.Unmarshal(out, &off); err != nil {
		t.Fatal(err)
	}
	for what, most := range map[string]float64{
		"probabilities": 1e-5, "zero-shot predictions": 1e-5, "learned predictions": 1e-5,
		"accuracy of seeds": 1e-9, "accuracy of ensembles": 1e-9, "loss": 1e-5, "gradient": 1e-4,
	} {
		got, there := off[what]
		if !there || !(got <= most) {
			t.Errorf("%s: off by %g, at most %g", what, got, most)
		}
		t.Logf("%s: off by %.2g", what, got)
	}
}

// lossFalls checks that the loss of each seed falls.
func lossFalls(t *testing.T, run string) {
	for _, seed := range []string{"1", "2", "3"} {
		rows := csvRows(t, filepath.Join(run, "training", "seed-"+seed+".csv"))
		first, err := strconv.ParseFloat(rows[1][2], 64)
		if err != nil {
			t.Fatal(err)
		}
		last, err := strconv.ParseFloat(rows[len(rows)-1][2], 64)
		if err != nil {
			t.Fatal(err)
		}
		if !(last < first) {
			t.Errorf("seed %s: the loss goes from %g to %g", seed, first, last)
		}
	}
}

// predictsTheSame has predict classify test pictures of a run, fewer at a time.
func predictsTheSame(t *testing.T, run string) {
	pictures := filepath.Join(demo, "images", "glyphs", "test", "bird")
	lines := strings.NewReader(succeed(t, "predict", run, pictures))
	got, err := csv.NewReader(lines).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	evaluated := map[string][]string{}
	for _, row := range csvRows(t, filepath.Join(run, "predictions.csv")) {
		evaluated[filepath.Base(row[0])] = row
	}
	if len(got) != 12 {
		t.Fatalf("%d rows, want a header and 11", len(got))
	}
	for _, row := range got[1:] {
		want := evaluated[filepath.Base(row[0])]
		if row[1] != want[4] || row[3] != want[2] || !near(t, row[2], want[5]) || !near(t, row[4], want[3]) {
			t.Errorf("predict says %v, the run %v", row, want)
		}
	}
}

func near(t *testing.T, a, b string) bool {
	t.Helper()
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if errX != nil || errY != nil {
		t.Fatalf("%q and %q are no numbers", a, b)
	}
	return x-y < 1e-5 && y-x < 1e-5
}

func csvRows(t *testing.T, path string) [][]string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(data))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func sameFiles(t *testing.T, got, want string, names ...string) {
	t.Helper()
	for _, name := range names {
		a, errA := os.ReadFile(filepath.Join(got, filepath.FromSlash(name)))
		b, errB := os.ReadFile(filepath.Join(want, filepath.FromSlash(name)))
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if !slices.Equal(a, b) {
			t.Errorf("%s differs", name)
		}
	}
}

// refused tries what wants features that inner products compare.
func refused(t *testing.T, plain job, out string) {
	for _, method := range []string{"clip-adapter", "tip-adapter", "tip-adapter-f", "linear-probe"} {
		j := plain.in(t.TempDir()).set("learn.method=" + method)
		p := j.start(t)
		p.fail(t, 2)
		if said := p.out.String(); !strings.Contains(said, "learn.method: "+method) || !strings.Contains(said, "model filip compares pictures and texts") {
			t.Errorf("%s: %s", method, said)
		}
		if _, err := os.Stat(j.run()); err == nil {
			t.Errorf("%s: the run began", method)
		}
	}
	cmd := command(t, "export-classifier", plain.run(), "-o", out)
	said, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(said), "upl-host predict") {
		t.Errorf("export-classifier: %v: %s", err, said)
	}
	// Policies look for class features, which such a run has none of.
	for _, name := range []string{"text_features/filip.npy", ".compared.npy"} {
		if _, err := os.Stat(filepath.Join(plain.run(), name)); err == nil {
			t.Errorf("%s is there", name)
		}
	}
}
