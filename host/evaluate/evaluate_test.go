package evaluate_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/evaluate"
)

// drawn is a made-up set of predictions with labels, some of them unknown.
type drawn struct {
	p      array.Matrix
	labels []int
}

func draw(t *rapid.T) drawn {
	rows, classes := rapid.IntRange(0, 30).Draw(t, "rows"), rapid.IntRange(1, 8).Draw(t, "classes")
	d := drawn{p: array.NewMatrix(rows, classes), labels: make([]int, rows)}
	for i := range rows {
		var sum float32
		for c := range classes {
			// Few levels, so that classes tie.
			d.p.Row(i)[c] = float32(rapid.IntRange(0, 4).Draw(t, "p"))
			sum += d.p.Row(i)[c]
		}
		for c := range classes {
			if sum == 0 {
				d.p.Row(i)[c] = 1 / float32(classes)
			} else {
				d.p.Row(i)[c] /= sum
			}
		}
		d.labels[i] = rapid.IntRange(-1, classes-1).Draw(t, "label")
	}
	return d
}

func TestMeasuresHoldTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		m, err := evaluate.Classify(d.p, d.labels, names(d.p.Cols))
		if err != nil {
			t.Fatal(err)
		}
		var labelled, correct, predicted, count int
		for i, label := range d.labels {
			if label >= 0 {
				labelled++
				if evaluate.Argmax(d.p.Row(i)) == label {
					correct++
				}
			}
		}
		for _, class := range m.PerClass {
			predicted += class.Predicted
			if (class.Count == nil) != (labelled == 0) {
				t.Fatalf("%d labelled pictures, but count is %v", labelled, class.Count)
			}
			if class.Count != nil {
				count += *class.Count
			}
		}
		if predicted != d.p.Rows || count != labelled {
			t.Fatalf("classes hold %d predictions and %d labels of %d and %d", predicted, count, d.p.Rows, labelled)
		}
		if labelled == 0 {
			if m.Top1 != nil || m.ECE != nil || m.NLL != nil || m.Brier != nil || m.MacroF1 != nil {
				t.Fatal("a measure that needs labels is there without them")
			}
			return
		}
		if want := float64(correct) / float64(labelled); *m.Top1 != want {
			t.Fatalf("top1 = %v, want %v", *m.Top1, want)
		}
		if *m.Top5 < *m.Top1 || *m.Top5 > 1 || (d.p.Cols <= 5 && *m.Top5 != 1) {
			t.Fatalf("top5 = %v, top1 = %v, %d classes", *m.Top5, *m.Top1, d.p.Cols)
		}
		if *m.ECE < 0 || *m.ECE > 1 || *m.Brier < 0 || *m.Brier > 2 || *m.NLL < 0 {
			t.Fatalf("out of range: ECE %v, Brier %v, NLL %v", *m.ECE, *m.Brier, *m.NLL)
		}
		if h := *m.MeanPredictionEntropy; h < -1e-9 || h > math.Log(float64(d.p.Cols))+1e-6 {
			t.Fatalf("entropy of the mean = %v nats over %d classes", h, d.p.Cols)
		}
	})
}

// A prediction is a matter of one row: their order changes no count and, but
// for rounding, no mean; and rows without a label change no measure that needs
// one.
func TestMeasuresDoNotDependOnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		order := rapid.Permutation(indices(d.p.Rows)).Draw(t, "order")
		shuffled := drawn{p: array.NewMatrix(d.p.Rows, d.p.Cols), labels: make([]int, d.p.Rows)}
		known := drawn{p: array.Matrix{Cols: d.p.Cols}}
		for i, from := range order {
			copy(shuffled.p.Row(i), d.p.Row(from))
			shuffled.labels[i] = d.labels[from]
			if d.labels[from] >= 0 {
				known.p.Rows++
				known.p.Data = append(known.p.Data, d.p.Row(from)...)
				known.labels = append(known.labels, d.labels[from])
			}
		}
		first, _ := evaluate.Classify(d.p, d.labels, names(d.p.Cols))
		second, _ := evaluate.Classify(shuffled.p, shuffled.labels, names(d.p.Cols))
		near := cmpopts.EquateApprox(0, 1e-12)
		if diff := cmp.Diff(first, second, near); diff != "" {
			t.Fatal(diff)
		}
		third, _ := evaluate.Classify(known.p, known.labels, names(d.p.Cols))
		labelFree := cmpopts.IgnoreFields(evaluate.Measures{}, "MeanConfidence", "MeanPredictionEntropy", "Coverage")
		predicted := cmpopts.IgnoreFields(evaluate.ClassMeasures{}, "Predicted")
		if diff := cmp.Diff(first, third, near, labelFree, predicted); diff != "" {
			t.Fatal(diff)
		}
	})
}

func indices(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func TestRefused(t *testing.T) {
	nan := float32(math.NaN())
	for name, test := range map[string]struct {
		row   []float32
		label int
		want  string
	}{
		"width":         {[]float32{1}, 0, "1 probabilities for 2 classes"},
		"label":         {[]float32{1, 0}, 2, "label 2 of 2 classes"},
		"not a number":  {[]float32{0.5, nan}, 0, "class 1 is NaN"},
		"infinite":      {[]float32{float32(math.Inf(1)), 0}, -1, "class 0 is +Inf"},
		"no more width": {nil, -1, "0 probabilities"},
	} {
		t.Run(name, func(t *testing.T) {
			c := evaluate.NewClassification(names(2), evaluate.CalibrationBins)
			err := c.Add(test.row, test.label)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if m := c.Measures(); m.MeanConfidence != nil || m.PerClass[0].Predicted != 0 {
				t.Error("the refused row was counted")
			}
		})
	}
	for name, pick := range map[string]evaluate.Pick{
		"row": {Row: 3}, "class": {Class: 2}, "probability": {Probability: nan},
	} {
		if _, err := evaluate.PseudoLabels([]evaluate.Pick{pick}, []int{0, 1}, names(2), 10); err == nil {
			t.Errorf("a pick with a bad %s was counted", name)
		}
	}
}

// Of the interval for one share and for a difference: the values that the
// formulas give by hand, and that they enclose what was observed.
func TestIntervals(t *testing.T) {
	got := evaluate.Proportion(81, 263) // Newcombe 1998, table I
	if math.Abs(got.From-0.2553) > 5e-5 || math.Abs(got.To-0.3662) > 5e-5 {
		t.Errorf("Wilson's interval of 81/263 = %v, want 0.2553 to 0.3662", got)
	}
	if got := evaluate.Proportion(0, 0); got != (evaluate.Interval{From: 0, To: 1}) {
		t.Errorf("without pictures: %v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 1000).Draw(t, "pictures")
		a := rapid.IntRange(0, n).Draw(t, "first only")
		b := rapid.IntRange(0, n-a).Draw(t, "second only")
		c := evaluate.Comparison{Pictures: n, FirstOnly: a, SecondOnly: b}
		back := evaluate.Comparison{Pictures: n, FirstOnly: b, SecondOnly: a}
		in, mirrored := c.Interval(), back.Interval()
		if in.From > in.To || in.From < -1 || in.To > 1 {
			t.Fatalf("interval %v", in)
		}
		if math.Abs(in.From+mirrored.To) > 1e-12 || math.Abs(c.McNemar()-back.McNemar()) > 1e-12 {
			t.Fatal("exchanging the two changes more than the sign")
		}
		if p := c.McNemar(); p <= 0 || p > 1 || (a == b && p != 1) {
			t.Fatalf("p = %v for %d against %d", p, a, b)
		}
		w := evaluate.Proportion(b, n)
		if share := float64(b) / float64(n); share < w.From-1e-12 || share > w.To+1e-12 {
			t.Fatalf("%v does not hold %v", w, share)
		}
	})
}

func TestSeeds(t *testing.T) {
	v := func(x float64) *float64 { return &x }
	learned := evaluate.NewLearned(evaluate.Measures{}, []evaluate.Seed{{1, v(0.2)}, {2, v(0.4)}, {3, v(0.6)}})
	if math.Abs(*learned.SeedsMean-0.4) > 1e-12 || math.Abs(*learned.SeedsDeviation-0.2) > 1e-12 {
		t.Errorf("mean %v, deviation %v, want 0.4 and 0.2", *learned.SeedsMean, *learned.SeedsDeviation)
	}
	one := evaluate.NewLearned(evaluate.Measures{}, []evaluate.Seed{{1, v(0.2)}})
	if *one.SeedsMean != 0.2 || one.SeedsDeviation != nil {
		t.Errorf("one seed: mean %v, deviation %v, want 0.2 and none", *one.SeedsMean, one.SeedsDeviation)
	}
	none := evaluate.NewLearned(evaluate.Measures{}, []evaluate.Seed{{Seed: 1}})
	if none.SeedsMean != nil {
		t.Errorf("without labels the mean is %v", *none.SeedsMean)
	}
}

func TestMetricsFile(t *testing.T) {
	g := readGolden(t)
	p := g.probabilities("main", 0)
	for name, labels := range map[string][]int{"labels": g.labels("main", ""), "no labels": g.labels("main", "")} {
		t.Run(name, func(t *testing.T) {
			if name == "no labels" {
				for i := range labels {
					labels[i] = -1
				}
			}
			m, err := evaluate.Classify(p, labels, names(p.Cols))
			if err != nil {
				t.Fatal(err)
			}
			picks := []evaluate.Pick{{Row: 3, Class: 1, Probability: 0.9}, {Row: 5, Class: 2, Probability: 0.3}}
			pseudo, err := evaluate.PseudoLabels(picks, labels, names(p.Cols), evaluate.ConfidenceBins)
			if err != nil {
				t.Fatal(err)
			}
			want := evaluate.Metrics{
				Labels: name == "labels", Pictures: evaluate.Pictures{Unlabeled: 600, Test: 600},
				ZeroShot: m, Learned: evaluate.NewLearned(m, []evaluate.Seed{{1, m.Top1}, {2, m.Top1}}), PseudoLabels: &pseudo,
			}
			path := filepath.Join(t.TempDir(), "metrics.json")
			if err := evaluate.WriteMetrics(path, want); err != nil {
				t.Fatal(err)
			}
			got, err := evaluate.ReadMetrics(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			checkKeys(t, path, want.Labels)
		})
	}
}

// A run that was done is evaluated anew where metrics.json has other keys now: see Format.
func TestFormat(t *testing.T) {
	hash := sha256.New()
	for _, key := range keysOf(reflect.TypeFor[evaluate.Metrics](), "") {
		fmt.Fprintln(hash, key)
	}
	got := fmt.Sprintf("%s %x", evaluate.Format, hash.Sum(nil)[:8])
	if want := "evaluation/2 200a03a945e977e5"; got != want {
		t.Errorf("the keys of metrics.json are %q, not %q: where they changed, count Format up, and write both here", got, want)
	}
}

// keysOf are the keys of a value in JSON, each with those around it.
func keysOf(t reflect.Type, around string) (keys []string) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return keysOf(t.Elem(), around)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name != "" {
				name = around + "." + name
				keys = append(keys, name)
			} else if name = around; !f.Anonymous {
				panic(f.Name + " has no key")
			}
			keys = append(keys, keysOf(f.Type, name)...)
		}
	}
	return keys
}

// checkKeys reads metrics.json as a script would.
func checkKeys(t *testing.T, path string, labels bool) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		ZeroShot map[string]any `json:"zero_shot"`
		Learned  struct {
			Top1  *float64         `json:"top1"`
			Seeds []map[string]any `json:"seeds"`
		} `json:"learned"`
		PseudoLabels map[string]any `json:"pseudo_labels"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"top1", "top5", "mean_per_class_recall", "macro_f1", "ece", "brier", "nll"} {
		if _, ok := file.ZeroShot[key]; ok != labels {
			t.Errorf("zero_shot.%s is there: %v, want %v", key, ok, labels)
		}
	}
	if _, ok := file.PseudoLabels["accuracy"]; ok != labels {
		t.Errorf("pseudo_labels.accuracy is there: %v, want %v", ok, labels)
	}
	if (file.Learned.Top1 != nil) != labels || len(file.Learned.Seeds) != 2 {
		t.Errorf("learned = %+v", file.Learned)
	}
	if file.ZeroShot["mean_confidence"] == nil || file.PseudoLabels["count"] != 2.0 {
		t.Error("what needs no labels is missing")
	}
}

func TestTablesKeepEveryValue(t *testing.T) {
	dir := t.TempDir()
	// encoding/csv reads CR LF within a field as LF.
	text := rapid.String().Filter(func(s string) bool { return !strings.Contains(s, "\r") })
	name := text.Filter(func(s string) bool { return s != "" })
	rapid.Check(t, func(t *rapid.T) {
		predictions := rapid.SliceOf(rapid.Custom(func(t *rapid.T) evaluate.Prediction {
			p := evaluate.Prediction{
				Path: name.Draw(t, "path"), Label: text.Draw(t, "label"),
				ZeroShot: name.Draw(t, "zero-shot"), ZeroShotProbability: rapid.Float32Range(0, 1).Draw(t, "p"),
			}
			if rapid.Bool().Draw(t, "learnt") {
				p.Learned, p.LearnedProbability = name.Draw(t, "learned"), rapid.Float32Range(0, 1).Draw(t, "q")
			}
			return p
		})).Draw(t, "predictions")
		path := filepath.Join(dir, "predictions.csv")
		if err := evaluate.WritePredictions(path, predictions); err != nil {
			t.Fatal(err)
		}
		got, err := evaluate.ReadPredictions(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(predictions, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}

		labels := rapid.SliceOf(rapid.Custom(func(t *rapid.T) evaluate.PseudoLabel {
			return evaluate.PseudoLabel{
				Path: name.Draw(t, "path"), Class: name.Draw(t, "class"),
				Weight: rapid.Float32().Draw(t, "weight"), Probability: rapid.Float32Range(0, 1).Draw(t, "p"),
			}
		})).Draw(t, "pseudo labels")
		path = filepath.Join(dir, "pseudo_labels.csv")
		if err := evaluate.WritePseudoLabels(path, labels); err != nil {
			t.Fatal(err)
		}
		again, err := evaluate.ReadPseudoLabels(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(labels, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Whatever is in the file: rows that can be written and read again, or a fault
// that names its line.
func FuzzReadPredictions(f *testing.F) {
	const header = "path,label,zero_shot,zero_shot_probability,learned,learned_probability\n"
	for _, seed := range []string{"", header, header + "a,b,c,0.5,d,1e-9\n", header + "\"a\nb\",,c,NaN,,\n", "\xff\xfe" + header} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "predictions.csv")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		first, err := evaluate.ReadPredictions(path)
		if err != nil {
			var fault *evaluate.TableError
			if !errors.As(err, &fault) || fault.Line < 1 {
				t.Fatalf("error %v without a line", err)
			}
			return
		}
		if err := evaluate.WritePredictions(path, first); err != nil {
			t.Fatal(err)
		}
		second, err := evaluate.ReadPredictions(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, second, cmpopts.EquateNaNs()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestTableFaults(t *testing.T) {
	const header = "path,label,zero_shot,zero_shot_probability,learned,learned_probability\n"
	for name, test := range map[string]struct {
		content string
		line    int
		want    string
	}{
		"empty":        {"", 1, "empty"},
		"columns":      {"path,class\n", 1, "the columns are path,class"},
		"short row":    {header + "a,b,c,0.5,d,0.5\na,b\n", 3, "wrong number of fields"},
		"no number":    {header + "a,b,c,high,d,0.5\n", 2, "zero_shot_probability"},
		"no number II": {header + "a,b,c,0.5,d,\n", 2, "learned_probability"},
		"quote":        {header + "a,\"b,c,0.5,d,0.5\n", 2, "extraneous or missing"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "predictions.csv")
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := evaluate.ReadPredictions(path)
			var fault *evaluate.TableError
			if !errors.As(err, &fault) || fault.Line != test.line || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want line %d and %q", err, test.line, test.want)
			}
		})
	}
}

// A candidate set is right where it holds the label; its classes are none of those
// without a pseudo label.
func TestPseudoLabelSets(t *testing.T) {
	picks := []evaluate.Pick{
		{Row: 0, Class: 0, Set: []int{0, 2}}, // right, though not by its first class
		{Row: 1, Class: 1, Set: []int{1, 2, 3}},
		{Row: 2, Class: 1, Soft: true},
		{Row: 3, Class: 0, Set: []int{0}}, // no label
	}
	m, err := evaluate.PseudoLabels(picks, []int{2, 0, 1, -1}, []string{"a", "b", "c", "d", "e"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if m.Count != 4 || m.Soft != 1 || *m.Accuracy != 2.0/3 || *m.Recall != 2.0/3 {
		t.Errorf("%+v", m)
	}
	if s := m.Sets; s.Count != 3 || s.MeanSize != 2 || *s.Coverage != 0.5 {
		t.Errorf("%+v", s)
	}
	if !slices.Equal(m.EmptyClasses, []string{"e"}) || m.PerClass[0].Count != 2 || *m.PerClass[0].Correct != 1 {
		t.Errorf("%+v", m)
	}
	if m, err := evaluate.PseudoLabels(picks[3:], []int{2, 0, 1, -1}, []string{"a"}, 0); err != nil || m.Sets.Coverage != nil {
		t.Errorf("without labels: %+v, %v", m.Sets, err)
	}
	for _, wrong := range [][]int{{0, 5}, {-1}} {
		picks := []evaluate.Pick{{Set: wrong}}
		if _, err := evaluate.PseudoLabels(picks, []int{0}, []string{"a", "b"}, 0); err == nil {
			t.Errorf("candidates %v of two classes were taken", wrong)
		}
	}
}
