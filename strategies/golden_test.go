package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/sdktest"
)

// golden holds the reference values of testdata/README.md.
type golden struct {
	t                *testing.T
	inputs, expected map[string]array.Array
}

// goldenCase is a line of testdata/cases.jsonl.
type goldenCase struct {
	Name, Kind, Policy, Inputs, Expected string
	Model                                *int // nil is the mean, too
	Params                               json.RawMessage
	Outputs                              []string
}

func readGolden(t *testing.T) (golden, []goldenCase) {
	t.Helper()
	g := golden{t: t}
	var err error
	if g.inputs, err = array.ReadArchive("testdata/inputs.npz"); err != nil {
		t.Fatal(err)
	}
	if g.expected, err = array.ReadArchive("testdata/expected.npz"); err != nil {
		t.Fatal(err)
	}
	lines, err := os.ReadFile("testdata/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var cases []goldenCase
	for line := range strings.Lines(string(lines)) {
		var c goldenCase
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	return g, cases
}

// result is all that a policy gives.
type result struct {
	Selection plugins.Selection
	Combined  []float32
	Record    plugins.Record
}

// carriers are catalogues of the same policies on each kind of carrier.
func carriers(t *testing.T) map[string]*plugins.Catalogue {
	t.Helper()
	if err := build(filepath.Join(folder, "program", "strategies"), "strategies"); err != nil {
		t.Fatal(err)
	}
	module, program := []string{filepath.Join(folder, "module")}, []string{filepath.Join(folder, "program")}
	store := filepath.Join(t.TempDir(), "store")
	all := map[string]*plugins.Catalogue{
		"module": catalogue,
		"isolated": plugins.NewCatalogue(plugins.Options{
			Folders: module, Isolate: true, Self: []string{os.Args[0], "isolated", filepath.Join(t.TempDir(), "cache")},
		}),
		"program": plugins.NewCatalogue(plugins.Options{Folders: program, Trial: true, StoreDir: store}),
	}
	t.Cleanup(func() {
		for _, c := range all {
			if c == catalogue {
				continue
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return all
}

// TestGolden holds the policies to reference values that were computed from the
// papers' rules elsewhere, and all carriers to the same bytes.
func TestGolden(t *testing.T) {
	g, cases := readGolden(t)
	all := carriers(t)
	seen := map[string]int{}
	for _, c := range cases {
		if c.Kind != "selection" && c.Kind != "ensemble" {
			continue // a measure, which is the host's
		}
		native := policyNamed(c.Policy)
		if native.Name == "" {
			t.Errorf("%s is of %q, which does not ship", c.Name, c.Policy)
			continue
		}
		seen[c.Policy]++
		t.Run(c.Name, func(t *testing.T) {
			g.t = t
			in := g.input(c)
			want := runNative(t, native, in)
			g.check(c, want)
			for name, carrier := range all {
				policy, err := carrier.Find(t.Context(), c.Policy)
				if err != nil {
					t.Fatal(err)
				}
				if d := gocmp.Diff(want, runOn(t, policy, in)); d != "" {
					t.Errorf("native (-) and as %s (+) differ:\n%s", name, d)
				}
			}
		})
	}
	for _, policy := range plugin.List() {
		if seen[policy.Name] == 0 {
			t.Errorf("no case is of %s", policy.Name)
		}
	}
}

// input is what a case's policy gets.
func (g golden) input(c goldenCase) plugins.Input {
	g.t.Helper()
	prefix := ""
	if c.Inputs != "main" {
		prefix = c.Inputs + "/"
	}
	p := g.inputs[prefix+"probabilities"]
	values, err := p.Float32()
	if err != nil {
		g.t.Fatal(err)
	}
	rows, classes := p.Shape[1], p.Shape[2]
	models := make([][]float32, 0, p.Shape[0])
	for m := range p.Shape[0] {
		models = append(models, values[m*rows*classes:(m+1)*rows*classes])
	}
	var ensemble []float32
	if c.Kind == "selection" {
		if ensemble = average(models); c.Model != nil && *c.Model >= 0 {
			ensemble = models[*c.Model]
		}
	}
	in := input(classes, ensemble, models...)
	in.Params, in.Takes = c.Params, []sdk.EmitKind{sdk.EmitSoft, sdk.EmitCandidates, sdk.EmitDrop}
	prior, err := g.inputs[prefix+"prior"].Float32()
	if err != nil {
		g.t.Fatal(err)
	}
	for _, share := range prior {
		in.Prior = append(in.Prior, float64(share))
	}
	return in
}

func average(models [][]float32) []float32 {
	out := make([]float32, len(models[0]))
	for i := range out {
		var sum float64
		for _, m := range models {
			sum += float64(m[i])
		}
		out[i] = float32(sum / float64(len(models)))
	}
	return out
}

func runNative(t *testing.T, policy sdk.Policy, in plugins.Input) (r result) {
	t.Helper()
	var err error
	if policy.Kind() == sdk.KindEnsemble {
		r.Combined, r.Record, err = sdktest.Combine(t.Context(), policy, in)
	} else {
		r.Selection, err = sdktest.Select(t.Context(), policy, in)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func runOn(t *testing.T, policy *plugins.Policy, in plugins.Input) (r result) {
	t.Helper()
	var err error
	if policy.Kind == sdk.KindEnsemble {
		r.Record, err = policy.Combine(t.Context(), in, func(_ int, rows []float32) error {
			r.Combined = append(r.Combined, rows...)
			return nil
		})
	} else {
		r.Selection, err = policy.Select(t.Context(), in)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// check compares with what is expected of a case.
func (g golden) check(c goldenCase, got result) {
	g.t.Helper()
	metrics := got.Record.Metrics
	if c.Kind == "selection" {
		metrics = got.Selection.Metrics
		g.checkSelection(c, got.Selection)
	}
	values := map[string]float64{}
	for _, m := range metrics {
		values[m.Name] = m.Value
	}
	for key := range g.expected {
		if output, ok := strings.CutPrefix(key, c.Expected+"/"); ok && !slices.Contains(c.Outputs, output) {
			g.t.Errorf("%s is expected, and no output of the case", key)
		}
	}
	for _, output := range c.Outputs {
		switch output {
		case "rows", "classes", "weights", "soft", "offsets":
		case "combined":
			exact := c.Policy == "single" && len(c.Outputs) == 1
			g.near(output, got.Combined, g.floats(c, output), map[bool]float64{true: 0, false: 1e-6}[exact])
		default:
			g.checkMetrics(output, values, g.expected[c.Expected+"/"+output])
		}
	}
}

// metricNames are the metrics of which reference values are a list.
var metricNames = map[string]string{
	"counts": "count", "thresholds": "threshold", "prior": "prior", "temperatures": "temperature",
	"column_quantiles": "column_quantile", "quantile": "",
}

func (g golden) checkMetrics(output string, got map[string]float64, want array.Array) {
	g.t.Helper()
	name, known := metricNames[output]
	if !known {
		g.t.Fatalf("expected %s, which is nothing that a policy gives", output)
	}
	values, err := float64s(want)
	if err != nil {
		g.t.Fatal(err)
	}
	for i, x := range values {
		metric := output
		if name != "" {
			metric = fmt.Sprintf("%s_%d", name, i)
		}
		tolerance := 1e-6
		if output == "temperatures" {
			tolerance *= x
		}
		y, ok := got[metric]
		if ok == math.IsNaN(x) || ok && math.Abs(x-y) > tolerance { // metrics are numbers
			g.t.Errorf("metric %s is %v (%t), not %v", metric, y, ok, x)
		}
	}
}

func float64s(a array.Array) ([]float64, error) {
	if values, ok := a.Data.([]float64); ok {
		return values, nil
	}
	single, err := a.Float32()
	values := make([]float64, 0, len(single))
	for _, x := range single {
		values = append(values, float64(x))
	}
	return values, err
}

func (g golden) floats(c goldenCase, output string) []float32 {
	g.t.Helper()
	values, err := g.expected[c.Expected+"/"+output].Float32()
	if err != nil {
		g.t.Fatalf("%s: %v", output, err)
	}
	return values
}

func (g golden) ints(c goldenCase, output string) []int {
	g.t.Helper()
	values, err := g.expected[c.Expected+"/"+output].Int()
	if err != nil {
		g.t.Fatalf("%s: %v", output, err)
	}
	return values
}

func (g golden) equal(what string, got, want []int) {
	g.t.Helper()
	if !slices.Equal(got, want) {
		g.t.Errorf("%s: %s", what, gocmp.Diff(want, got))
	}
}

func (g golden) near(what string, got, want []float32, tolerance float64) {
	g.t.Helper()
	if len(got) != len(want) {
		g.t.Fatalf("%s: %d values, not %d", what, len(got), len(want))
	}
	for i := range got {
		if !(math.Abs(float64(got[i])-float64(want[i])) <= tolerance) { // NaN is neither
			g.t.Fatalf("%s: value %d is %v, not %v", what, i, got[i], want[i])
		}
	}
}

// checkSelection compares the selection itself.
func (g golden) checkSelection(c goldenCase, s plugins.Selection) {
	g.t.Helper()
	var rows, classes []int
	var weights []float32
	offsets := []int{0}
	for _, l := range s.Labels {
		rows, classes, weights = append(rows, l.Row), append(classes, l.Class), append(weights, l.Weight)
	}
	soft := slices.Contains(c.Outputs, "soft")
	width := len(g.input(c).ClassNames)
	var dense []float32
	for _, l := range s.Soft {
		rows, weights = append(rows, l.Row), append(weights, l.Weight)
		p := make([]float32, width)
		for _, class := range l.P {
			p[class.Class] = class.P
		}
		dense = append(dense, p...)
	}
	for _, l := range s.Candidates {
		rows, weights = append(rows, l.Row), append(weights, l.Weight)
		classes = append(classes, l.Classes...)
		offsets = append(offsets, len(classes))
	}
	sets := slices.Contains(c.Outputs, "offsets")
	if len(s.Labels) > 0 && (soft || sets) || len(s.Soft) > 0 && !soft || len(s.Candidates) > 0 && !sets || len(s.Drops) > 0 {
		g.t.Fatalf("%d hard labels, %d soft, %d candidate sets, %d drops", len(s.Labels), len(s.Soft), len(s.Candidates), len(s.Drops))
	}
	g.equal("rows", rows, g.ints(c, "rows"))
	tolerance := 0.0
	if c.Policy == "sinkhorn" || c.Policy == "prior-corrected" {
		tolerance = 1e-6
	}
	g.near("weights", weights, g.floats(c, "weights"), tolerance)
	if soft {
		g.near("soft", dense, g.floats(c, "soft"), 1e-6)
		return
	}
	g.equal("classes", classes, g.ints(c, "classes"))
	if sets {
		g.equal("offsets", offsets, g.ints(c, "offsets"))
	}
}
