package main_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/host/evaluate"
)

// few writes six classes of the demo's glyphs as a data set of tables: its training
// pictures, and of its test pictures every third for validation. label may change the
// label of a test picture.
func few(t *testing.T, label func(class int) string) string {
	t.Helper()
	folder, images := t.TempDir(), absolute(t, filepath.Join(demo, "images", "glyphs"))
	tables := map[string][][]string{}
	for class, name := range fewClasses {
		for _, split := range []string{"train", "test"} {
			files, err := filepath.Glob(filepath.Join(images, split, name, "*"))
			if err != nil || len(files) == 0 {
				t.Fatalf("no pictures of %s: %v", name, err)
			}
			for i, file := range files {
				switch {
				case split == "train":
					tables["train"] = append(tables["train"], []string{file, name})
				case i%3 == 0:
					tables["val"] = append(tables["val"], []string{file, name})
				default:
					tables["test"] = append(tables["test"], []string{file, label(class)})
				}
			}
		}
	}
	for split, rows := range tables {
		f, err := os.Create(filepath.Join(folder, split+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		if err := csv.NewWriter(f).WriteAll(append([][]string{{"path", "label"}}, rows...)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

var fewClasses = []string{"bird", "clock", "fruit", "hand", "plant", "vehicle"}

func right(class int) string { return fewClasses[class] }

// baseline is a run of a method on few pictures.
func baseline(t *testing.T, data, cache string, set ...string) job {
	t.Helper()
	arguments := []string{"run", "-c", filepath.Join(demo, "glyphs-alone.yaml")}
	for _, assignment := range append([]string{
		"models=[{path: " + filepath.Join(models(t), "vit") + "}]", "dataset={kind: csv, path: " + data + "}",
		"dataset.unlabeled=" + filepath.Join(data, "train.csv"), "dataset.test=" + filepath.Join(data, "test.csv"),
		"dataset.validation=" + filepath.Join(data, "val.csv"),
		"learn={seeds: 2, shots: 4}", "label.selection={plugin: top-k, params: {k: 4}}", "cache.dir=" + cache,
	}, set...) {
		arguments = append(arguments, "--set", assignment)
	}
	return job{arguments: arguments}.in(t.TempDir())
}

func metricsOf(t *testing.T, run string) evaluate.Metrics {
	t.Helper()
	m, err := evaluate.ReadMetrics(filepath.Join(run, "metrics.json"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestBaselines runs every method on both kinds of labels.
func TestBaselines(t *testing.T) {
	t.Parallel()
	data, cache := few(t, right), t.TempDir()
	for _, c := range []struct {
		method, epochs string
		heads, prompts bool
		deterministic  bool // on pseudo labels
	}{
		{method: "zero-shot"},
		{method: "prompt", epochs: "3", prompts: true},
		{method: "coop", epochs: "3", prompts: true},
		{method: "clip-adapter", heads: true},
		{method: "tip-adapter", heads: true, deterministic: true},
		{method: "tip-adapter-f", heads: true},
		{method: "linear-probe", heads: true, deterministic: true},
	} {
		for _, labels := range []string{"pseudo", "true"} {
			t.Run(c.method+" on "+labels+" labels", func(t *testing.T) {
				j := baseline(t, data, cache, "learn.method="+c.method, "learn.labels="+labels)
				if c.epochs != "" {
					j = j.set("learn.epochs=" + c.epochs)
				}
				p := j.start(t)
				p.succeed(t)
				m := metricsOf(t, j.run())
				if (m.Learned != nil) != (c.heads || c.prompts) {
					t.Fatalf("learned: %+v", m.Learned)
				}
				if m.Learned == nil {
					return
				}
				l := m.Learned
				deterministic, seeds := c.deterministic && labels == "pseudo", 2
				if deterministic {
					seeds = 1
				}
				if l.Method != c.method || l.Labels != labels || l.Deterministic != deterministic || len(l.Seeds) != seeds || l.Top1 == nil {
					t.Errorf("learned by %s from %s labels, deterministic: %v, %d seeds", l.Method, l.Labels, l.Deterministic, len(l.Seeds))
				}
				t.Logf("%s on %s labels: zero-shot %.3f, learnt %.3f, ensemble %.3f", c.method, labels, *m.ZeroShot.Top1, *l.SeedsMean, *l.Top1)
				if labels == "true" {
					checkShots(t, j.run())
					if *l.Top1 < *m.ZeroShot.Top1 && c.heads {
						t.Errorf("true labels made it worse: %.3f, zero-shot %.3f", *l.Top1, *m.ZeroShot.Top1)
					}
				}
				if searches := strings.Contains(p.out.String(), "validation pictures"); searches != (labels == "true" && strings.HasPrefix(c.method, "tip") || labels == "true" && c.method == "linear-probe") {
					t.Errorf("a search is reported: %v\n%s", searches, &p.out)
				}
				checkPredict(t, j.run())
			})
		}
	}
}

// TestThreshold is threshold self-training: every picture above a threshold, however many
// of a class, teaches.
func TestThreshold(t *testing.T) {
	t.Parallel()
	j := baseline(t, few(t, right), t.TempDir(), "label.selection={plugin: threshold, params: {t: 0.4}}", "learn.method=prompt", "learn.epochs=3")
	j.do(t)
	m := metricsOf(t, j.run())
	counts := map[int]bool{}
	for _, class := range m.PseudoLabels.PerClass {
		counts[class.Count] = true
	}
	confident := 0
	for _, row := range table(t, filepath.Join(j.run(), "pseudo_labels.csv")) {
		if p, err := strconv.ParseFloat(row[3], 64); err == nil && p >= 0.4 {
			confident++
		}
	}
	if n := m.PseudoLabels.Count; m.Learned == nil || n == 0 || confident != n || len(counts) < 2 {
		t.Errorf("%d pseudo labels, %d of them above 0.4, %v a class, learned: %v", n, confident, counts, m.Learned)
	}
}

// checkShots holds the table of shots to what was asked for: 4 of each class and seed.
func checkShots(t *testing.T, run string) {
	t.Helper()
	counts := map[string]int{}
	for _, row := range table(t, filepath.Join(run, "shots.csv")) {
		for _, seed := range strings.Fields(row[2]) {
			counts[row[1]+" "+seed]++
		}
	}
	if len(counts) != 2*len(fewClasses) {
		t.Errorf("shots of %v", counts)
	}
	for which, n := range counts {
		if n != 4 {
			t.Errorf("%d shots of %s, want 4", n, which)
		}
	}
}

// checkPredict holds `predict` to the run's own predictions.
func checkPredict(t *testing.T, run string) {
	t.Helper()
	predictions, err := evaluate.ReadPredictions(filepath.Join(run, "predictions.csv"))
	if err != nil {
		t.Fatal(err)
	}
	arguments := []string{"predict", run, "--json"}
	for _, p := range predictions[:5] {
		arguments = append(arguments, p.Path)
	}
	out, err := command(t, arguments...).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 5 {
		t.Fatalf("%d predictions, want 5:\n%s", len(lines), out)
	}
	for i, line := range lines {
		var got struct {
			Class       string
			Probability float64
		}
		decode(t, []byte(line), &got)
		want := predictions[i]
		if got.Class != want.Learned || math.Abs(got.Probability-float64(want.LearnedProbability)) > 1e-3 {
			t.Errorf("%s is %s (%.4f), the run says %s (%.4f)", want.Path, got.Class, got.Probability, want.Learned, want.LearnedProbability)
		}
	}
}

// TestTestLabelsAreUnseen gives the test pictures other labels, or none: until the
// evaluation every file is the same, byte for byte.
func TestTestLabelsAreUnseen(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	variants := map[string]string{
		"right": few(t, right), "wrong": few(t, func(class int) string { return fewClasses[(class+1)%len(fewClasses)] }),
		"none": few(t, func(int) string { return "" }),
	}
	for _, set := range [][]string{
		{"learn.method=coop", "learn.labels=true", "learn.epochs=2"},
		{"learn.method=clip-adapter", "learn.labels=true"},
		{"learn.method=tip-adapter", "learn.labels=true"},
		{"learn.method=tip-adapter-f", "learn.labels=true"},
		{"learn.method=linear-probe", "learn.labels=true"},
		{"learn.method=clip-adapter", "label.rounds=2"},
	} {
		method := set[0]
		before, accuracies := map[string]string(nil), map[string]string{}
		for _, variant := range []string{"right", "wrong", "none"} {
			j := baseline(t, variants[variant], cache, append(set, "learn.views=1", "report.enabled=false")...)
			j.do(t)
			files := results(t, j.run())
			for _, judged := range []string{"metrics.json", "predictions.csv", "confusion.csv", "pictures.csv"} {
				delete(files, judged) // they hold the labels, or are made of them
			}
			for _, row := range table(t, filepath.Join(j.run(), "pictures.csv")) {
				files["picture "+row[0]] = row[1]
			}
			if before == nil {
				before = files
			}
			if diff := cmp.Diff(before, files); diff != "" {
				t.Errorf("%s with %s labels of test pictures:\n%s", method, variant, diff)
			}
			accuracies[variant] = "none"
			if l := metricsOf(t, j.run()).Learned; l.Top1 != nil {
				accuracies[variant] = fmt.Sprint(*l.Top1)
			}
		}
		if accuracies["right"] == accuracies["wrong"] || accuracies["none"] != "none" {
			t.Errorf("%s: accuracies %v: did the labels change?", method, accuracies)
		}
	}
}

// TestHeadsGoOn keeps the seeds that are done, and ends with the same bytes.
func TestHeadsGoOn(t *testing.T) {
	t.Parallel()
	j := baseline(t, few(t, right), t.TempDir(), "learn.method=clip-adapter", "learn.labels=true", "learn.epochs=4")
	j.do(t)
	want := results(t, j.run())
	first := filepath.Join(j.run(), "heads", "seed-1.safetensors")
	before, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"heads/seed-2.safetensors", "contexts/classifier.safetensors", "training/seed-2.csv"} {
		if err := os.Remove(filepath.Join(j.run(), name)); err != nil {
			t.Fatal(err)
		}
	}
	j.do(t)
	if diff := cmp.Diff(want, results(t, j.run())); diff != "" {
		t.Error(diff)
	}
	after, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	if !after.ModTime().Equal(before.ModTime()) {
		t.Error("the seed that was done was learnt again")
	}
	other := j.set("run.threads=1").in(t.TempDir())
	other.do(t)
	if diff := cmp.Diff(want, results(t, other.run())); diff != "" {
		t.Errorf("with one thread: %s", diff)
	}
}

// TestHeadsKilled kills runs while heads train.
func TestHeadsKilled(t *testing.T) {
	t.Parallel()
	data := few(t, right)
	for _, set := range [][]string{
		{"learn.method=clip-adapter", "learn.epochs=3000"},
		{"learn.method=tip-adapter-f", "learn.epochs=3000", "learn.views=2"},
	} {
		set = append(set, "learn.labels=true", "report.enabled=false")
		whole := baseline(t, data, t.TempDir(), set...)
		whole.do(t)
		killed, random, stages := baseline(t, data, t.TempDir(), set...), rand.New(rand.NewPCG(5, 29)), map[string]int{}
		for range 4 {
			stage, ok := strikeWithin(t, killed, random, "learn", 700*time.Millisecond)
			if !ok {
				break
			}
			stages[stage]++
		}
		killed.do(t)
		t.Logf("%s: killed in %v", set[0], stages)
		if stages["learn"] == 0 {
			t.Errorf("%s: no kill came while heads trained: %v", set[0], stages)
		}
		if diff := cmp.Diff(results(t, whole.run()), results(t, killed.run())); diff != "" {
			t.Errorf("%s: after kills the results differ:\n%s", set[0], diff)
		}
	}
}

// TestProbeEqualsPyTorch fits the demo's linear probe, as its recipe does: the mean
// cross-entropy with 1e-3 |W|², which is L2 of 2e-3 times the number of pictures.
func TestProbeEqualsPyTorch(t *testing.T) {
	t.Parallel()
	var expected map[string]map[string]json.RawMessage
	text, err := os.ReadFile(filepath.Join(demo, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var targets map[string]json.RawMessage
	decode(t, text, &targets)
	decode(t, []byte(`{"glyphs":`+string(targets["glyphs"])+`}`), &expected)
	cache := t.TempDir()
	for _, model := range []string{"vit", "rn"} {
		var want struct {
			Probe float64 `json:"linear_probe_test"`
		}
		decode(t, expected["glyphs"][model], &want)
		out := filepath.Join(t.TempDir(), "run")
		succeed(t, "run", "-c", filepath.Join(demo, "glyphs-alone.yaml"), "--out", out, "--set", "models=[{path: "+filepath.Join(models(t), model)+"}]",
			"--set", "cache.dir="+cache, "--set", "learn={method: linear-probe, labels: true, shots: 0, probe: {l2: 0.958}}")
		got := *metricsOf(t, out).Learned.Top1
		t.Logf("%s: %.4f, PyTorch %.4f", model, got, want.Probe)
		if math.Abs(got-want.Probe) > 0.005 { // two of 471 pictures
			t.Errorf("%s: the probe has %.4f, PyTorch's %.4f", model, got, want.Probe)
		}
	}
}
