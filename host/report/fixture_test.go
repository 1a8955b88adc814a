package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/host/evaluate"
)

// demo is where the demo's pictures are.
const demo = "../../examples/demo"

// fixture says what a made-up run is like.
type fixture struct {
	name    string
	classes []string // nil: the demo's
	// gain is what learning adds to the logit of the right class.
	gain    float64
	seeds   int
	labels  bool
	learned bool
	rounds  int
	method  string // empty: prompts
	// pictures per class and split, where the classes are made up.
	perClass int
	root     string
}

type picture struct {
	path, split string
	label       int
}

// build writes the folder of a run with numbers as a run has them, from a fixed
// source of chance.
func (f fixture) build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	names, pictures := f.pictures(t)
	chance := rand.New(rand.NewPCG(7, uint64(len(names))))
	bias := make([]float64, len(names))
	for c := range bias {
		bias[c] = chance.NormFloat64() * 0.6
	}
	metrics := evaluate.Metrics{Labels: f.labels, Pictures: evaluate.Pictures{Skipped: 3}}
	zero := evaluate.NewClassification(names, evaluate.CalibrationBins)
	learned := evaluate.NewClassification(names, evaluate.CalibrationBins)
	seeds, firsts := make([]*evaluate.Classification, f.seeds), make([]*evaluate.Classification, f.seeds)
	tallies := []*evaluate.Tally{evaluate.NewTally("vit", names), evaluate.NewTally("rn", names), evaluate.NewTally("ensemble", names)}
	differ := 0
	for i := range seeds {
		firsts[i] = evaluate.NewClassification(names, evaluate.CalibrationBins)
		seeds[i] = evaluate.NewClassification(names, evaluate.CalibrationBins)
	}
	var predictions []evaluate.Prediction
	var unlabeled []int
	type candidate struct {
		path        string
		row, class  int
		probability float32
	}
	var candidates []candidate
	rows := [][]string{{"path", "split", "label"}}
	for _, p := range pictures {
		label, text := p.label, names[p.label]
		if !f.labels {
			label, text = -1, ""
		}
		rows = append(rows, []string{p.path, p.split, text})
		logits := make([]float64, len(names))
		for c := range logits {
			logits[c] = bias[c] + chance.NormFloat64()*1.1
		}
		logits[p.label] += 1.1
		before := softmax(logits)
		if p.split == "unlabeled" {
			if f.tally(t, tallies, logits, label, chance) {
				differ++
			}
			class := evaluate.Argmax(before)
			candidates = append(candidates, candidate{p.path, len(unlabeled), class, before[class]})
			unlabeled = append(unlabeled, label)
			continue
		}
		mean := make([]float64, len(names))
		for i := range seeds {
			one := make([]float64, len(names))
			for c := range one {
				one[c] = logits[c] - bias[c]*min(1, f.gain) + chance.NormFloat64()*0.4
				if c == p.label {
					one[c] += f.gain
				}
				mean[c] += one[c] / float64(f.seeds)
			}
			must(t, seeds[i].Add(softmax(one), label))
			sum := make([]float64, len(names))
			for c := range sum {
				sum[c] = mean[c] * float64(f.seeds) / float64(i+1)
			}
			must(t, firsts[i].Add(softmax(sum), label))
		}
		after := softmax(mean)
		must(t, zero.Add(before, label))
		must(t, learned.Add(after, label))
		y, z := evaluate.Argmax(before), evaluate.Argmax(after)
		row := evaluate.Prediction{Path: p.path, Label: text, ZeroShot: names[y], ZeroShotProbability: before[y]}
		if f.learned {
			row.Learned, row.LearnedProbability = names[z], after[z]
		}
		predictions = append(predictions, row)
	}
	metrics.Pictures.Unlabeled, metrics.Pictures.Test = len(unlabeled), len(predictions)
	metrics.ZeroShot = zero.Measures()
	if f.learned {
		list := make([]evaluate.Seed, len(seeds))
		for i, s := range seeds {
			list[i] = evaluate.Seed{Seed: uint64(i + 1), Top1: s.Measures().Top1}
		}
		metrics.Learned = evaluate.NewLearned(learned.Measures(), list)
		if f.method != "" {
			metrics.Learned.Method, metrics.Learned.Labels = f.method, "true"
		}
		for i, first := range firsts {
			if f.labels {
				metrics.Learned.Ensembles = append(metrics.Learned.Ensembles, evaluate.Ensemble{Size: i + 1, Top1: first.Measures().Top1})
			}
		}
		f.writeTraining(t, dir, chance)
	}

	sort.SliceStable(candidates, func(i, j int) bool { return candidates[i].probability > candidates[j].probability })
	var picks []evaluate.Pick
	var pseudo []evaluate.PseudoLabel
	taken := make([]int, len(names))
	for _, c := range candidates {
		if taken[c.class]++; taken[c.class] > 16 {
			continue
		}
		picks = append(picks, evaluate.Pick{Row: c.row, Class: c.class, Probability: c.probability})
		pseudo = append(pseudo, evaluate.PseudoLabel{Path: c.path, Class: names[c.class], Weight: 1, Probability: c.probability})
	}
	measures, err := evaluate.PseudoLabels(picks, unlabeled, names, evaluate.ConfidenceBins)
	must(t, err)
	metrics.PseudoLabels = &measures
	f.writeModels(t, dir, &metrics, tallies, differ)

	classes := make([][]string, 0, len(names)+1)
	classes = append(classes, []string{"folder", "name"})
	for i, name := range names {
		classes = append(classes, []string{fmt.Sprintf("folder-%d", i), name})
	}
	must(t, evaluate.WriteMetrics(filepath.Join(dir, "metrics.json"), metrics))
	must(t, evaluate.WritePredictions(filepath.Join(dir, "predictions.csv"), predictions))
	must(t, evaluate.WritePseudoLabels(filepath.Join(dir, "pseudo_labels.csv"), pseudo))
	writeRows(t, filepath.Join(dir, "classes.csv"), classes)
	writeRows(t, filepath.Join(dir, "pictures.csv"), rows)
	writeRows(t, filepath.Join(dir, "skipped.csv"), [][]string{
		{"path", "reason"},
		{"train/hand/broken.jpg", "decoding: unexpected end of data"},
		{"train/hand/empty.png", "the file is empty"},
		{"train/<b>huge</b>.png", "400000000 pixels, more than the limit of 89478485"},
	})
	f.writeManifest(t, dir, len(names), metrics.Pictures)
	return dir
}

// tally shows a picture to two models, one of which is another, and their mean;
// and tells whether the two differ.
func (f fixture) tally(t *testing.T, tallies []*evaluate.Tally, logits []float64, label int, chance *rand.Rand) bool {
	t.Helper()
	other := make([]float64, len(logits))
	for c := range other {
		other[c] = 1.5*logits[c] + chance.NormFloat64()
	}
	first, second := softmax(logits), softmax(other)
	mean := make([]float32, len(logits))
	for c := range mean {
		mean[c] = (first[c] + second[c]) / 2
	}
	var predicted []int
	for i, p := range [][]float32{first, second, mean} {
		y, err := tallies[i].Add(p, label)
		must(t, err)
		predicted = append(predicted, y)
	}
	return predicted[0] != predicted[1]
}

// writeModels writes models.csv, and adds rounds that got better.
func (f fixture) writeModels(t *testing.T, dir string, metrics *evaluate.Metrics, tallies []*evaluate.Tally, differ int) {
	t.Helper()
	share := float64(differ) / float64(metrics.Pictures.Unlabeled)
	metrics.Unlabeled = &evaluate.Unlabeled{Disagreement: &share}
	var rows []evaluate.ModelClass
	for _, tally := range tallies {
		metrics.Unlabeled.Models = append(metrics.Unlabeled.Models, tally.Measures())
		rows = append(rows, tally.Classes()...)
	}
	must(t, evaluate.WriteModelClasses(filepath.Join(dir, "models.csv"), rows))
	for round := 1; round <= f.rounds; round++ {
		learned := metrics.Learned.Measures
		worse := *learned.Top1 - 0.02*float64(f.rounds-round)
		learned.Top1 = &worse
		metrics.Rounds = append(metrics.Rounds, evaluate.Round{Round: round, PseudoLabels: metrics.PseudoLabels, Learned: learned})
	}
}

// pictures are the demo's, or made up ones that do not exist.
func (f fixture) pictures(t *testing.T) (names []string, pictures []picture) {
	t.Helper()
	if f.classes != nil {
		for c := range f.classes {
			for i := range f.perClass {
				for _, split := range []string{"unlabeled", "test"} {
					pictures = append(pictures, picture{fmt.Sprintf("%s/%d/%d.png", split, c, i), split, c})
				}
			}
		}
		return f.classes, pictures
	}
	lines, err := os.ReadFile(filepath.Join(demo, "classes.txt"))
	must(t, err)
	for _, line := range strings.Split(strings.TrimSpace(string(lines)), "\n") {
		folder, name, _ := strings.Cut(line, "\t")
		for dir, split := range map[string]string{"train": "unlabeled", "test": "test"} {
			files, err := filepath.Glob(filepath.Join(demo, "images/glyphs", dir, folder, "*"))
			must(t, err)
			for _, file := range files {
				pictures = append(pictures, picture{dir + "/" + folder + "/" + filepath.Base(file), split, len(names)})
			}
		}
		names = append(names, name)
	}
	sort.Slice(pictures, func(i, j int) bool { return pictures[i].path < pictures[j].path })
	return names, pictures
}

func (f fixture) writeTraining(t *testing.T, dir string, chance *rand.Rand) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Join(dir, "training"), 0o755))
	for seed := range f.seeds {
		rows := make([][]string, 0, 51)
		rows = append(rows, []string{"epoch", "learning_rate", "loss", "accuracy"})
		for epoch := range 50 {
			loss := 1.1 + 2.1*math.Exp(-float64(epoch)/9) + chance.NormFloat64()*0.03
			right := 0.74 - 0.6*math.Exp(-float64(epoch)/8) + chance.NormFloat64()*0.012
			rows = append(rows, []string{strconv.Itoa(epoch), "0.002", fmt.Sprintf("%.5f", loss), fmt.Sprintf("%.4f", right)})
		}
		writeRows(t, filepath.Join(dir, "training", fmt.Sprintf("seed-%d.csv", seed+1)), rows)
	}
}

func (f fixture) writeManifest(t *testing.T, dir string, classes int, pictures evaluate.Pictures) {
	t.Helper()
	root := f.root
	if root == "" {
		abs, err := filepath.Abs(filepath.Join(demo, "images/glyphs"))
		must(t, err)
		root = abs
	}
	manifest := map[string]any{
		"schema": 1, "name": f.name, "status": "running", "started": "2026-03-01T12:00:00Z",
		"configuration": strings.Repeat("a3", 32), "seed": 1, "seeds": []int{1, 2, 3, 4},
		"software": map[string]any{"version": "v0.1.0", "go": "go1.26.0", "tensorflow": "2.21.0"},
		"machine":  map[string]any{"system": "linux/amd64", "cpus": 2, "device": "cpu"},
		"models": []any{
			map[string]any{"name": "vit", "path": "models/vit", "hash": strings.Repeat("1f", 32), "logit_scale": 28.1},
			map[string]any{"name": "rn", "path": "models/rn", "hash": strings.Repeat("b7", 32), "logit_scale": 22.4},
		},
		"dataset": map[string]any{"root": root, "classes": classes, "unlabeled": pictures.Unlabeled, "test": pictures.Test, "labels": f.labels},
		"plugins": []any{
			map[string]any{"role": "ensemble", "name": "mean", "version": "1.0.0", "hash": strings.Repeat("c0", 32)},
			map[string]any{"role": "selection", "name": "top-k", "version": "1.0.0", "hash": strings.Repeat("d4", 32), "params": map[string]any{"k": 16}},
		},
		"stages": []any{
			map[string]any{"name": "encode", "seconds": 12.4, "reused": false},
			map[string]any{"name": "classify", "seconds": 0.04, "reused": false},
			map[string]any{"name": "learn", "seconds": 83.2, "reused": false},
			map[string]any{"name": "evaluate", "seconds": 0.3, "reused": false},
		},
		"peak_memory_bytes": 1234567890,
	}
	data, err := json.Marshal(manifest)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "manifest.json"), data, 0o600))
	configuration := "name: " + strconv.Quote(f.name) + "\nseed: 1\nmodels:\n  - path: models/vit\n  - path: models/rn\n" +
		"dataset:\n  kind: folder\n  path: images/glyphs\nlabel:\n  ensemble: {plugin: mean}\n  selection:\n    plugin: top-k\n    params: {k: 16}\n" +
		"learn:\n  method: prompt\n  context_length: 16\n  seeds: " + strconv.Itoa(f.seeds) + "\n"
	must(t, os.WriteFile(filepath.Join(dir, "run.yaml"), []byte(configuration), 0o600))
}

func softmax(logits []float64) []float32 {
	sum := 0.0
	for _, l := range logits {
		sum += math.Exp(l)
	}
	p := make([]float32, len(logits))
	for i, l := range logits {
		p[i] = float32(math.Exp(l) / sum)
	}
	return p
}

func writeRows(t *testing.T, path string, rows [][]string) {
	t.Helper()
	var out bytes.Buffer
	must(t, csv.NewWriter(&out).WriteAll(rows))
	must(t, os.WriteFile(path, out.Bytes(), 0o600))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
