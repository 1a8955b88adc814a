package evaluate_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/evaluate"
)

// golden holds the reference values of strategies/testdata/README.md.
type golden struct {
	t                *testing.T
	inputs, expected map[string]array.Array
	cases            map[string]goldenCase
}

type goldenCase struct {
	Name, Policy, Inputs, Expected string
	Model                          int
	Params                         struct {
		Model, A, B, Bins, First int
		Labels, Of               string
	}
}

func readGolden(t *testing.T) golden {
	t.Helper()
	g := golden{t: t, cases: map[string]goldenCase{}}
	var err error
	if g.inputs, err = array.ReadArchive("../../strategies/testdata/inputs.npz"); err != nil {
		t.Fatal(err)
	}
	if g.expected, err = array.ReadArchive("../../strategies/testdata/expected.npz"); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("../../strategies/testdata/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		var c goldenCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		g.cases[c.Name] = c
	}
	return g
}

func (g golden) input(set, key string) array.Array {
	g.t.Helper()
	name := key
	if set != "main" && !strings.Contains(key, "/") {
		name = set + "/" + key
	}
	a, ok := g.inputs[name]
	if !ok {
		g.t.Fatalf("no input %s", name)
	}
	return a
}

// probabilities returns a model's matrix; -1 is the mean of all, summed in
// float64 and rounded to float32.
func (g golden) probabilities(set string, model int) array.Matrix {
	g.t.Helper()
	all := g.input(set, "probabilities")
	data, err := all.Float32()
	if err != nil {
		g.t.Fatal(err)
	}
	models, rows, columns := all.Shape[0], all.Shape[1], all.Shape[2]
	m := array.NewMatrix(rows, columns)
	if model >= 0 {
		copy(m.Data, data[model*rows*columns:])
		return m
	}
	for i := range m.Data {
		var sum float64
		for k := range models {
			sum += float64(data[k*rows*columns+i])
		}
		m.Data[i] = float32(sum / float64(models))
	}
	return m
}

func (g golden) labels(set, key string) []int {
	g.t.Helper()
	if key == "" {
		key = "labels"
	}
	labels, err := g.input(set, key).Int()
	if err != nil {
		g.t.Fatal(err)
	}
	return labels
}

func (g golden) ints(c goldenCase, output string) []int {
	g.t.Helper()
	v, err := g.expected[c.Expected+"/"+output].Int()
	if err != nil {
		g.t.Fatalf("%s/%s: %v", c.Expected, output, err)
	}
	return v
}

func (g golden) floats(c goldenCase, output string) []float64 {
	g.t.Helper()
	v, ok := g.expected[c.Expected+"/"+output].Data.([]float64)
	if !ok {
		g.t.Fatalf("no %s/%s", c.Expected, output)
	}
	return v
}

// near compares with the tolerance of the reference values; NaN stands for an
// absent measure.
func near(t *testing.T, what string, got *float64, want float64) {
	t.Helper()
	switch {
	case math.IsNaN(want) && got != nil:
		t.Errorf("%s is %v, want none", what, *got)
	case !math.IsNaN(want) && got == nil:
		t.Errorf("%s is absent, want %v", what, want)
	case got != nil && math.Abs(*got-want) > 1e-9:
		t.Errorf("%s is %v, want %v", what, *got, want)
	}
}

func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("class %d", i)
	}
	return list
}

func TestGolden(t *testing.T) {
	g := readGolden(t)
	seen := 0
	for name, c := range g.cases {
		check := map[string]func(*testing.T, golden, goldenCase){
			"classification": checkClassification, "pseudo-labels": checkPseudoLabels,
			"unlabelled": checkUnlabelled, "mcnemar": checkMcNemar,
		}[c.Policy]
		if check == nil {
			continue // of another kind
		}
		seen++
		t.Run(name, func(t *testing.T) { check(t, g, c) })
	}
	if seen != 18 {
		t.Errorf("%d cases were compared, want 18", seen)
	}
}

func classify(t *testing.T, p array.Matrix, labels []int, bins int) *evaluate.Classification {
	t.Helper()
	c := evaluate.NewClassification(names(p.Cols), bins)
	for i := range p.Rows {
		if err := c.Add(p.Row(i), labels[i]); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func checkClassification(t *testing.T, g golden, c goldenCase) {
	p := g.probabilities(c.Inputs, c.Params.Model)
	result := classify(t, p, g.labels(c.Inputs, c.Params.Labels), evaluate.CalibrationBins)
	m := result.Measures()
	for what, got := range map[string]*float64{
		"top1": m.Top1, "top5": m.Top5, "mean_recall": m.MeanPerClassRecall, "macro_f1": m.MacroF1,
		"ece": m.ECE, "brier": m.Brier, "nll": m.NLL,
	} {
		near(t, what, got, g.floats(c, what)[0])
	}
	confusion := make([]int, p.Cols*p.Cols)
	for pair, n := range result.Confusion() {
		confusion[pair.Label*p.Cols+pair.Predicted] = n
	}
	for i, want := range g.ints(c, "confusion") {
		if confusion[i] != want {
			t.Errorf("confusion[%d, %d] = %d, want %d", i/p.Cols, i%p.Cols, confusion[i], want)
		}
	}
	for i, want := range g.floats(c, "recall") {
		near(t, fmt.Sprintf("recall of class %d", i), m.PerClass[i].Recall, want)
	}
	counts, accuracy, confidence := g.ints(c, "ece_count"), g.floats(c, "ece_accuracy"), g.floats(c, "ece_confidence")
	for i, bin := range result.Calibration() {
		if bin.Count != counts[i] {
			t.Errorf("bin %d holds %d, want %d", i, bin.Count, counts[i])
		}
		if bin.Count > 0 {
			near(t, "accuracy of a bin", ratioOf(float64(bin.Correct), bin.Count), accuracy[i])
			near(t, "confidence of a bin", ratioOf(bin.Confidence, bin.Count), confidence[i])
		}
	}
}

func ratioOf(sum float64, n int) *float64 {
	v := sum / float64(n)
	if n == 0 {
		return nil
	}
	return &v
}

func checkPseudoLabels(t *testing.T, g golden, c goldenCase) {
	of := g.cases[c.Params.Of]
	p := g.probabilities(c.Inputs, of.Model)
	rows, classes := g.ints(of, "rows"), g.ints(of, "classes")
	picks := make([]evaluate.Pick, len(rows))
	for i, row := range rows {
		picks[i] = evaluate.Pick{Row: row, Class: classes[i], Probability: p.Row(row)[classes[i]]}
	}
	bins := evaluate.ConfidenceBins
	if c.Params.Bins > 0 {
		bins = c.Params.Bins
	}
	labels := g.labels(c.Inputs, c.Params.Labels)
	m, err := evaluate.PseudoLabels(picks, labels, names(p.Cols), bins)
	if err != nil {
		t.Fatal(err)
	}
	if want := g.ints(c, "total")[0]; m.Count != want {
		t.Errorf("count = %d, want %d", m.Count, want)
	}
	if want := g.ints(c, "empty")[0]; len(m.EmptyClasses) != want {
		t.Errorf("empty classes = %v, want %d", m.EmptyClasses, want)
	}
	near(t, "accuracy", m.Accuracy, g.floats(c, "precision_all")[0])
	counts, precision, recall := g.ints(c, "count"), g.floats(c, "precision"), g.floats(c, "recall")
	for i, class := range m.PerClass {
		if class.Count != counts[i] {
			t.Errorf("class %d has %d, want %d", i, class.Count, counts[i])
		}
		near(t, "precision of a class", class.Precision, precision[i])
		near(t, "recall of a class", class.Recall, recall[i])
	}
	binCounts, binPrecision := g.ints(c, "bin_count"), g.floats(c, "bin_precision")
	for i, bin := range m.ByConfidence {
		if bin.Known() != binCounts[i] {
			t.Errorf("bin %d holds %d, want %d", i, bin.Known(), binCounts[i])
		}
		near(t, "precision of a bin", bin.Precision, binPrecision[i])
	}
}

func checkUnlabelled(t *testing.T, g golden, c goldenCase) {
	p := g.probabilities(c.Inputs, c.Params.Model)
	unknown := make([]int, p.Rows)
	for i := range unknown {
		unknown[i] = -1
	}
	result := classify(t, p, unknown, evaluate.CalibrationBins)
	m := result.Measures()
	if m.Top1 != nil || m.PerClass[0].Count != nil {
		t.Error("measures that need labels are there without them")
	}
	entropy := result.MeanEntropy()
	models := make([][]int, g.input(c.Inputs, "probabilities").Shape[0])
	for k := range models {
		models[k] = predictions(g.probabilities(c.Inputs, k))
	}
	disagreement := evaluate.Disagreement(models...)
	near(t, "mean_confidence", m.MeanConfidence, g.floats(c, "mean_confidence")[0])
	near(t, "entropy_of_mean", m.MeanPredictionEntropy, g.floats(c, "entropy_of_mean")[0])
	near(t, "mean_entropy", &entropy, g.floats(c, "mean_entropy")[0])
	near(t, "coverage", m.Coverage, g.floats(c, "coverage")[0])
	near(t, "disagreement", &disagreement, g.floats(c, "disagreement")[0])
	checkTally(t, p, m, g.labels(c.Inputs, ""))
}

func predictions(p array.Matrix) []int {
	list := make([]int, p.Rows)
	for i := range list {
		list[i] = evaluate.Argmax(p.Row(i))
	}
	return list
}

func checkMcNemar(t *testing.T, g golden, c goldenCase) {
	a, b := predictions(g.probabilities(c.Inputs, c.Params.A)), predictions(g.probabilities(c.Inputs, c.Params.B))
	labels := g.labels(c.Inputs, c.Params.Labels)
	if n := c.Params.First; n > 0 {
		a, b, labels = a[:n], b[:n], labels[:n]
	}
	comparison, err := evaluate.Compare(a, b, labels)
	if err != nil {
		t.Fatal(err)
	}
	if want := g.ints(c, "n10")[0]; comparison.FirstOnly != want {
		t.Errorf("n10 = %d, want %d", comparison.FirstOnly, want)
	}
	if want := g.ints(c, "n01")[0]; comparison.SecondOnly != want {
		t.Errorf("n01 = %d, want %d", comparison.SecondOnly, want)
	}
	p := comparison.McNemar()
	near(t, "p", &p, g.floats(c, "p")[0])
}

// checkTally holds the tally of the unlabeled pictures to the measures that the
// reference values are for, without labels and with some.
func checkTally(t *testing.T, p array.Matrix, unlabelled evaluate.Measures, labels []int) {
	t.Helper()
	without, with := evaluate.NewTally("m", names(p.Cols)), evaluate.NewTally("m", names(p.Cols))
	picks := make([]evaluate.Pick, p.Rows)
	confident := 0
	for i := range p.Rows {
		if i%7 == 0 {
			labels[i] = -1
		}
		for tally, label := range map[*evaluate.Tally]int{without: -1, with: labels[i]} {
			y, err := tally.Add(p.Row(i), label)
			if err != nil || y != evaluate.Argmax(p.Row(i)) {
				t.Fatalf("picture %d is predicted as %d, error %v", i, y, err)
			}
			picks[i] = evaluate.Pick{Row: i, Class: y, Probability: p.Row(i)[y]}
		}
		if picks[i].Probability > evaluate.Confident {
			confident++
		}
	}
	got := without.Measures()
	if got.Top1 != nil || got.MeanPerClassRecall != nil {
		t.Error("a tally without labels has measures that need them")
	}
	for what, pair := range map[string][2]*float64{
		"mean confidence": {got.MeanConfidence, unlabelled.MeanConfidence}, "coverage": {got.Coverage, unlabelled.Coverage},
		"entropy of the mean": {got.MeanPredictionEntropy, unlabelled.MeanPredictionEntropy},
	} {
		if diff := cmp.Diff(pair[1], pair[0]); diff != "" {
			t.Errorf("%s of a tally: %s", what, diff)
		}
	}
	want, err := evaluate.Classify(p, labels, names(p.Cols))
	if err != nil {
		t.Fatal(err)
	}
	all, err := evaluate.PseudoLabels(picks, labels, names(p.Cols), evaluate.ConfidenceBins)
	if err != nil {
		t.Fatal(err)
	}
	got = with.Measures()
	if diff := cmp.Diff([]any{want.Top1, want.MeanPerClassRecall, all.ByConfidence}, []any{got.Top1, got.MeanPerClassRecall, got.ByConfidence}); diff != "" {
		t.Errorf("a tally with labels: %s", diff)
	}
	for i, class := range with.Classes() {
		if *class.Correct != *want.PerClass[i].Correct || *class.Pictures != *want.PerClass[i].Count || class.Predicted != want.PerClass[i].Predicted {
			t.Errorf("class %d of a tally is %+v, want %+v", i, class, want.PerClass[i])
		}
		confident -= class.Confident
	}
	if confident != 0 {
		t.Errorf("the classes hold %d confident pictures too few", confident)
	}
}
