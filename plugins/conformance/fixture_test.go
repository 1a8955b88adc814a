package conformance

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
)

// TestFixtures holds all data that the kit makes to what it says of them: rows that
// are probabilities, and what each is to show.
func TestFixtures(t *testing.T) {
	for name, f := range map[string]fixture{
		"ordinary": ordinary(ordinaryRows, ordinaryClasses, ordinaryModels), "no rows": noRows(), "one row": oneRow(), "one class": oneClass(),
		"one model": oneModel(), "many models": manyModels(), "ties": ties(), "one-hot": oneHot(), "uniform": uniform(),
		"half precision": halfPrecision(), "few rows": fewRows(), "starved class": starvedClass(), "names": oddNames(), "bare": bare(), "prior": withPrior(),
	} {
		for _, m := range append(slices.Clone(f.models), f.ensemble) {
			for i := range m.rows {
				distribution(t, name, m.row(i), 1e-3)
			}
			if m.columns != len(f.classNames) || m.rows != f.images[0].rows || len(f.texts[0].values) != m.columns*featureWidth {
				t.Errorf("%s: %d x %d, %d names", name, m.rows, m.columns, len(f.classNames))
			}
		}
	}
	for i, row := 0, starvedClass(); i < row.ensemble.rows; i++ {
		if row.ensemble.row(i)[4] != 0 {
			t.Errorf("row %d has a starved class", i)
		}
	}
	if a, b := ordinary(50, 3, 2), ordinary(50, 3, 2); !slices.Equal(a.ensemble.values, b.ensemble.values) {
		t.Error("the same size gives other data")
	}
}

func distribution(t *testing.T, name string, row []float32, tolerance float64) {
	t.Helper()
	var sum float64
	for _, p := range row {
		if !(p >= 0 && p <= 1) {
			t.Fatalf("%s: a probability of %v", name, p)
		}
		sum += float64(p)
	}
	if math.Abs(sum-1) > tolerance {
		t.Fatalf("%s: a row sums to %v", name, sum)
	}
}

// TestGenerated reads rows in pieces of any size.
func TestGenerated(t *testing.T) {
	g := generated{1000, 10, 3}
	all, some := make([]float32, 1000*10), make([]float32, 7*10)
	_, _ = g.Read(0, 1000, all), g.Read(500, 7, some)
	if !slices.Equal(all[5000:5070], some) {
		t.Error("a row depends on how it is read")
	}
	first := make([]int, 10)
	for i := range 1000 {
		row := all[i*10 : (i+1)*10]
		distribution(t, "generated", row, 1e-5)
		first[slices.Index(row, slices.Max(row))]++
	}
	if slices.Min(first) < 50 {
		t.Errorf("classes %v", first)
	}
	f := generatedFeatures{g}
	_ = f.Read(3, 1, some[:10])
	var square float64
	for _, x := range some[:10] {
		square += float64(x) * float64(x)
	}
	if math.Abs(square-1) > 1e-5 {
		t.Errorf("features of length %v", math.Sqrt(square))
	}
}

// TestValues makes values of a schema's keywords.
func TestValues(t *testing.T) {
	for text, want := range map[string]struct{ inside, outside []string }{
		`{"type": "integer", "minimum": 1, "maximum": 8, "default": 4}`:                      {[]string{"4", "1", "8", "0", "-1"}, []string{"0", "9", "0.5", "true", `"text"`, "null"}},
		`{"type": "number", "exclusiveMinimum": 0}`:                                          {[]string{"0.000001", "1e300"}, []string{"0", "true"}},
		`{"enum": ["a", "b"], "default": "b"}`:                                               {[]string{`"a"`, `"b"`}, []string{`"none of those"`}},
		`{"anyOf": [{"type": "null"}, {"const": "mean"}, {"type": "number", "maximum": 1}]}`: {[]string{"null", `"mean"`, "1"}, nil},
		`{"type": "array", "items": {"type": "number", "minimum": 3}, "minItems": 2.0}`:      {[]string{"[]", "[3,3]"}, []string{"{}"}},
		`true`: {nil, nil},
	} {
		var p property
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Fatal(err)
		}
		contains(t, text, p.inside(), want.inside)
		contains(t, text, p.outside(), want.outside)
		if want.outside == nil && len(p.outside()) > 0 {
			t.Errorf("%s excludes %s", text, p.outside())
		}
	}
}

func contains(t *testing.T, text string, values []json.RawMessage, want []string) {
	t.Helper()
	got := make([]string, len(values))
	for i, v := range values {
		got[i] = string(v)
	}
	for _, v := range want {
		if !slices.Contains(got, v) {
			t.Errorf("%s: no %s among %s", text, v, got)
		}
	}
}

func TestNaming(t *testing.T) {
	for message, want := range map[string]bool{
		"parameter t: is 0": true, "t is 0": true, "it will not do": false, "": false, "max-t": false,
	} {
		if naming(message, "t") != want {
			t.Errorf("%q names t: %t", message, !want)
		}
	}
	if !naming("parameter batch-size: is odd", "batch-size") {
		t.Error("a name with a hyphen")
	}
}
