package wasm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/plugins/wasm"
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/sdktest"
	"github.com/upl-host/upl-host/sdk/session"
)

const assemblyScriptTests = "../../sdk/assemblyscript/test"

// loadAssemblyScript builds the module that the AssemblyScript SDK is tested with.
func loadAssemblyScript(t *testing.T) (*wasm.Module, map[string]session.Description) {
	t.Helper()
	for _, program := range []string{"node", "npm", "make"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("no %s: plugins in AssemblyScript are built with it (Node.js 20 or later, with npm)", program)
		}
	}
	for _, pattern := range []string{"*.*", "assembly/*", "../*.*", "../assembly/*", "../testing/*"} {
		sources, err := filepath.Glob(filepath.Join(assemblyScriptTests, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, source := range sources {
			if _, err := os.Stat(source); err != nil { // go test's cache then knows of it
				t.Fatal(err)
			}
		}
	}
	build := exec.Command("make", "-C", "..", "build")
	build.Dir = assemblyScriptTests
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m := load(t, filepath.Join(assemblyScriptTests, "build/fixture.wasm"))
	list, err := m.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	policies := map[string]session.Description{}
	for _, p := range list {
		policies[p.Name] = p
	}
	return m, policies
}

// assemblyScriptInput is what sdk/assemblyscript/testing takes.
type assemblyScriptInput struct {
	Policy       string         `json:"policy"`
	Params       map[string]any `json:"params"`
	Ensemble     [][]float32    `json:"ensemble,omitzero"`
	Models       [][][]float32  `json:"models"`
	Features     [][][]float32  `json:"features"`
	TextFeatures [][][]float32  `json:"textFeatures"`
	Learnt       [][]float32    `json:"learnt,omitzero"`
	Classes      int            `json:"classes"`
	ClassNames   []string       `json:"classNames"`
	LogitScales  []float64      `json:"logitScales"`
	Prior        []float64      `json:"prior"`
	BatchRows    int            `json:"batchRows"`
	Seed         uint64         `json:"seed"`
}

// drawn are rows of n / 16 that sum to 1: many zeros and ties.
func drawn(r *rand.Rand, rows, classes int) [][]float32 {
	out := make([][]float32, rows)
	for i := range out {
		row, left := make([]float32, classes), 16
		for c := range classes - 1 {
			n := r.IntN(left + 1)
			row[c], left = float32(n)/16, left-n
		}
		row[classes-1] = float32(left) / 16
		r.Shuffle(classes, func(a, b int) { row[a], row[b] = row[b], row[a] })
		out[i] = row
	}
	return out
}

func newAssemblyScriptInput(policy string, rows, classes, batchRows int, params map[string]any) assemblyScriptInput {
	r := rand.New(rand.NewPCG(uint64(rows), uint64(classes)))
	in := assemblyScriptInput{
		Policy: policy, Params: params, Ensemble: drawn(r, rows, classes), Learnt: drawn(r, rows, classes),
		Models:   [][][]float32{drawn(r, rows, classes), drawn(r, rows, classes)},
		Features: [][][]float32{drawn(r, rows, 3), drawn(r, rows, 2)}, TextFeatures: [][][]float32{drawn(r, classes, 3), drawn(r, classes, 2)},
		Classes: classes, LogitScales: []float64{100, 50.5}, BatchRows: batchRows, Seed: 7,
	}
	if policy == "weighted" {
		in.Ensemble, in.Learnt = nil, nil
	}
	for c := range classes {
		in.ClassNames = append(in.ClassNames, fmt.Sprintf("%d \"é<", c))
		in.Prior = append(in.Prior, 1/float64(classes))
	}
	return in
}

// session is the same for upl-host.
func (in assemblyScriptInput) session() (session.Input, error) {
	matrix := func(rows [][]float32, columns int) sdktest.Matrix {
		return sdktest.Matrix{C: columns, Values: slices.Concat(rows...)}
	}
	params, err := json.Marshal(in.Params)
	out := session.Input{
		ClassNames: in.ClassNames, LogitScales: in.LogitScales, Prior: in.Prior, Seed: in.Seed, BatchRows: in.BatchRows, Params: params,
		GrantFeatures: true, Takes: []sdk.EmitKind{sdk.EmitSoft, sdk.EmitCandidates, sdk.EmitDrop},
	}
	if in.Learnt != nil {
		out.Ensemble = matrix(in.Ensemble, in.Classes)
		out.NextRound = func(context.Context, session.Selection) (session.Learnt, error) {
			return session.Learnt{Ensemble: matrix(in.Learnt, in.Classes)}, nil
		}
	}
	for m, width := range []int{3, 2} {
		out.Models = append(out.Models, matrix(in.Models[m], in.Classes))
		out.Features = append(out.Features, matrix(in.Features[m], width))
		out.TextFeatures = append(out.TextFeatures, matrix(in.TextFeatures[m], width))
	}
	return out, err
}

// said is what a run gave, as text: a line for each record.
type said []string

func (s *said) add(format string, args ...any) { *s = append(*s, fmt.Sprintf(format, args...)) }

// inSandbox runs a policy in upl-host's sandbox.
func (in assemblyScriptInput) inSandbox(t *testing.T, m *wasm.Module, policy session.Description) (out said) {
	t.Helper()
	input, err := in.session()
	if err != nil {
		t.Fatal(err)
	}
	start := session.On(m, policy, input.Limits)
	var got session.Selection
	if policy.Kind == sdk.KindEnsemble {
		got.Record, err = session.Combine(t.Context(), policy, input, func(_ int, rows []float32) error {
			for row := range slices.Chunk(rows, in.Classes) {
				numbers := make([]float64, 0, len(row)) // as JSON's are
				for _, p := range row {
					numbers = append(numbers, float64(p))
				}
				out.add("%v", numbers)
			}
			return nil
		}, start)
	} else {
		got, err = session.Select(t.Context(), policy, input, start)
	}
	if err != nil {
		t.Errorf("%s: %v", in.Policy, err)
	}
	for _, l := range got.Labels {
		out.add("%v", []any{l.Row, l.Class, l.Weight})
	}
	for _, l := range got.Soft {
		pairs := make([]any, 0, len(l.P))
		for _, c := range l.P {
			pairs = append(pairs, []any{c.Class, c.P})
		}
		out.add("%v", []any{l.Row, l.Weight, pairs})
	}
	for _, l := range got.Candidates {
		out.add("%v", []any{l.Row, l.Weight, l.Classes})
	}
	for _, row := range got.Drops {
		out.add("%v", row)
	}
	for _, m := range got.Metrics {
		out.add("%s %d %v", m.Name, m.Round, m.Value)
	}
	for _, l := range got.Log {
		out.add("%d %d %d %s", l.Round, l.Row, l.Rows, l.Text)
	}
	return out
}

// inMemory runs policies in the host that AssemblyScript's authors have.
func inMemory(t *testing.T, inputs []assemblyScriptInput) []said {
	t.Helper()
	text, err := json.Marshal(inputs)
	if err != nil {
		t.Fatal(err)
	}
	run := exec.Command("node", "run.mjs")
	run.Dir, run.Stdin, run.Stderr = assemblyScriptTests, bytes.NewReader(text), os.Stderr
	printed, err := run.Output()
	if err != nil {
		t.Fatal(err)
	}
	var results []struct {
		Probabilities, Labels, Soft, Candidates, Drops []any
		Metrics                                        []struct {
			Name  string
			Round int
			Value float64
		}
		Log []struct {
			Round, Row, Rows int
			Text             string
		}
	}
	if err := json.Unmarshal(printed, &results); err != nil {
		t.Fatal(err)
	}
	out := make([]said, len(results))
	for i, r := range results {
		for _, record := range slices.Concat(r.Probabilities, r.Labels, r.Soft, r.Candidates, r.Drops) {
			out[i].add("%v", record)
		}
		for _, m := range r.Metrics {
			out[i].add("%s %d %v", m.Name, m.Round, m.Value)
		}
		for _, l := range r.Log {
			out[i].add("%d %d %d %s", l.Round, l.Row, l.Rows, l.Text)
		}
	}
	return out
}

func TestAssemblyScript(t *testing.T) {
	m, policies := loadAssemblyScript(t)
	t.Run("hosts", func(t *testing.T) { testAssemblyScriptHosts(t, m, policies) })
	t.Run("faults", func(t *testing.T) { testAssemblyScriptFaults(t, m, policies["faulty"]) })
}

// testAssemblyScriptHosts holds the host that authors have for their tests, in
// JavaScript, to this one: the same module says and selects the same in both.
func testAssemblyScriptHosts(t *testing.T, m *wasm.Module, policies map[string]session.Description) {
	t.Helper()
	type params = map[string]any
	inputs := []assemblyScriptInput{
		newAssemblyScriptInput("views", 0, 3, 5, params{"rounds": 2}),
		newAssemblyScriptInput("views", 1, 2, 5, params{"rounds": 2, "temperature": 3}),
		newAssemblyScriptInput("views", 2, 1, 5, params{}),
		newAssemblyScriptInput("views", 101, 5, 7, params{"rounds": 2, "m": 300}),
		newAssemblyScriptInput("views", 101, 5, 256, params{"rounds": 2, "temperature": 0.5}),
		newAssemblyScriptInput("views", 60, 4, 64, params{"rounds": 3, "temperature": 2.25, "m": 2}),
		newAssemblyScriptInput("parameters", 3, 2, 1, params{"type": "setup"}),
		newAssemblyScriptInput("draws", 3, 2, 1, params{"below": 1<<31 + 1, "count": 500, "rounds": 3}),
		newAssemblyScriptInput("weighted", 50, 4, 7, params{}),
	}
	for _, kind := range []string{"hard", "two", "soft", "candidates", "drop"} {
		inputs = append(inputs, newAssemblyScriptInput("results", 3000, 4, 64, params{"kind": kind, "count": 2500, "weight": 0.5, "rounds": 2}))
	}
	for i, want := range inMemory(t, inputs) {
		in := inputs[i]
		got := in.inSandbox(t, m, policies[in.Policy])
		if diff := cmp.Diff(want, got); diff != "" || len(got) == 0 {
			t.Errorf("%s %v, in memory (-) and in the sandbox (+):\n%s", in.Policy, in.Params, diff)
		}
	}
}

// testAssemblyScriptFaults holds what is said of a crash: why, also in the log, and
// the guest's functions by name.
func testAssemblyScriptFaults(t *testing.T, m *wasm.Module, policy session.Description) {
	t.Helper()
	for how, says := range map[string]string{
		"throw": "thrown on purpose — “here” in assembly/faults.ts line ", "array": "Index out of range in ~lib/array.ts line ",
		"recursion": "stack overflow",
	} {
		in := data()
		in.Params = []byte(fmt.Sprintf(`{"how": %q}`, how))
		got, err := session.Select(t.Context(), policy, in, session.On(m, policy, in.Limits))
		var trap *session.TrapError
		if !errors.As(err, &trap) || !strings.HasPrefix(trap.Reason, says) || !strings.Contains(trap.Stack, "assembly/faults/") {
			t.Errorf("%s: %v", how, err)
		}
		if len(got.Log) != 1 || got.Log[0].Level != sdk.LevelError || !strings.HasPrefix(got.Log[0].Text, says) {
			t.Errorf("%s: the log is %v", how, got.Log)
		}
	}
	in := data()
	in.Params = []byte(`{"how": "config"}`)
	_, err := session.Select(t.Context(), policy, in, session.On(m, policy, in.Limits))
	var guest *session.GuestError
	if !errors.As(err, &guest) || guest.Code != sdk.CodeConfig || guest.Error() != "parameter how: is of no use" {
		t.Error(err)
	}
}
