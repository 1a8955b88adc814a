package main

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/upl-host/upl-host/sdk/sdktest"
	"github.com/upl-host/upl-host/sdk/session"
)

func input(params string, classes int, p ...float32) session.Input {
	m := sdktest.Matrix{Values: p, C: classes}
	return session.Input{
		Ensemble:   m,
		Models:     []session.Probabilities{m},
		ClassNames: []string{"cat", "dog", "hen", "owl"}[:classes],
		Params:     []byte(params),
	}
}

func TestRanksByMargin(t *testing.T) {
	in := input(`{"k": 1}`, 3,
		0.60, 0.40, 0.00, // ahead by 0.2, and the most confident
		0.50, 0.25, 0.25, // by 0.25
		0.50, 0.25, 0.25, // a tie: the earlier image is kept
		0.25, 0.50, 0.25, // the only dog; there is no hen
	)
	got, err := sdktest.Select(t.Context(), policy, in)
	want := []session.Label{{Row: 1, Class: 0, Weight: 1}, {Row: 3, Class: 1, Weight: 1}}
	if err != nil || !slices.Equal(got.Labels, want) {
		t.Errorf("%v, not %v: %v", got.Labels, want, err)
	}
	if want := []session.Metric{{Name: "smallest_margin", Value: 0.25}}; !slices.Equal(got.Metrics, want) {
		t.Errorf("metrics %v", got.Metrics)
	}
}

func TestLeast(t *testing.T) {
	in := input(`{"least": 0.25}`, 2, 0.75, 0.25, 0.5, 0.5, 0.625, 0.375)
	got, err := sdktest.Select(t.Context(), policy, in)
	if want := []session.Label{{Row: 0, Class: 0, Weight: 1}, {Row: 2, Class: 0, Weight: 1}}; err != nil || !slices.Equal(got.Labels, want) {
		t.Errorf("%v, not %v: %v", got.Labels, want, err)
	}
}

// TestBatches holds the cutting of the lists to no cutting at all.
func TestBatches(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var p []float32
	for range 500 {
		x := float32(r.IntN(65)) / 64 // few values: many ties
		p = append(p, x, 1-x)
	}
	in := input(`{"k": 7}`, 2, p...)
	all := in
	all.Params = []byte(`{"k": 1000}`)
	everything, err := sdktest.Select(t.Context(), policy, all)
	if err != nil || len(everything.Labels) != 500 {
		t.Fatalf("%d labels: %v", len(everything.Labels), err)
	}
	byClass := [2][]image{}
	for _, l := range everything.Labels {
		byClass[l.Class] = append(byClass[l.Class], image{l.Row, max(p[2*l.Row], p[2*l.Row+1]) - min(p[2*l.Row], p[2*l.Row+1])})
	}
	var want []session.Label
	for class, images := range byClass {
		for _, m := range (&topKMargin{k: 7}).best(images) {
			want = append(want, session.Label{Row: m.row, Class: class, Weight: 1})
		}
	}
	slices.SortFunc(want, func(a, b session.Label) int { return a.Row - b.Row })
	for _, batch := range []int{1, 7, 256} {
		in.BatchRows = batch
		got, err := sdktest.Select(t.Context(), policy, in)
		if err != nil || !reflect.DeepEqual(got.Labels, want) {
			t.Errorf("batches of %d: %v, not %v: %v", batch, got.Labels, want, err)
		}
	}
}

// TestCase holds the rule to labels that were worked out without it.
func TestCase(t *testing.T) {
	text, err := os.ReadFile("testdata/case.json")
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Ensemble [][]float32
		Params   json.RawMessage
		Expected struct{ Labels [][3]float32 }
	}
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	in := input(string(c.Params), len(c.Ensemble[0]), slices.Concat(c.Ensemble...)...)
	var want []session.Label
	for _, l := range c.Expected.Labels {
		want = append(want, session.Label{Row: int(l[0]), Class: int(l[1]), Weight: l[2]})
	}
	got, err := sdktest.Select(t.Context(), policy, in)
	if err != nil || !slices.Equal(got.Labels, want) {
		t.Errorf("%v, not %v: %v", got.Labels, want, err)
	}
}
