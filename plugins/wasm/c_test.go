package wasm_test

import (
	"cmp"
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

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/plugins/wasm"
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/sdktest"
	"github.com/upl-host/upl-host/sdk/session"
)

// buildProbe builds sdk/c/tests/probe.c, which uses all of the C header, into a
// folder: modules, and the program probe_run, which has upl_test.h for a host.
func buildProbe(t *testing.T) (dir string) {
	t.Helper()
	for _, program := range []string{"clang", "wasm-ld", "make"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("no %s: plugins in C are built with it (Debian, Ubuntu: apt-get install clang lld make)", program)
		}
	}
	const sdk = "../../sdk/c"
	for _, source := range []string{"upl_plugin.h", "upl_test.h", "tests/probe.c", "tests/probe_run.c", "Makefile"} {
		if _, err := os.Stat(filepath.Join(sdk, source)); err != nil { // go test's cache then knows of it
			t.Fatal(err)
		}
	}
	dir = t.TempDir()
	build := exec.Command("make", "-C", sdk, "probe", "SANITIZE=", "BUILD="+dir)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

func load(t *testing.T, file string) *wasm.Module {
	t.Helper()
	code, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := wasm.Load(t.Context(), code, wasm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, m)
	return m
}

// runProbe runs a policy in the sandbox, and gives what probe_run prints.
func runProbe(t *testing.T, m *wasm.Module, policy string, in session.Input) (string, error) {
	t.Helper()
	policies, err := m.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(policies, func(d session.Description) bool { return d.Name == policy })
	var out strings.Builder
	if policies[i].Kind == sdk.KindEnsemble {
		in.Ensemble = nil
		record, err := session.Combine(t.Context(), policies[i], in, func(_ int, rows []float32) error {
			for _, x := range rows {
				fmt.Fprintf(&out, "%.9g\n", x)
			}
			return nil
		}, session.On(m, policies[i], in.Limits))
		return printRecord(record) + out.String(), err
	}
	got, err := session.Select(t.Context(), policies[i], in, session.On(m, policies[i], in.Limits))
	type line struct {
		row, class int
		text       string
	}
	var lines []line
	add := func(kind sdk.EmitKind, row, class int, weight, p float32) {
		lines = append(lines, line{row, class, fmt.Sprintf("%d %d %d %.9g %.9g\n", kind, row, class, weight, p)})
	}
	for _, l := range got.Labels {
		add(sdk.EmitHard, l.Row, l.Class, l.Weight, 0)
	}
	for _, s := range got.Soft {
		for _, c := range s.P {
			add(sdk.EmitSoft, s.Row, int(c.Class), s.Weight, c.P)
		}
	}
	for _, s := range got.Candidates {
		for _, c := range s.Classes {
			add(sdk.EmitCandidates, s.Row, c, s.Weight, 0)
		}
	}
	for _, row := range got.Drops {
		add(sdk.EmitDrop, row, -1, 0, 0)
	}
	slices.SortFunc(lines, func(a, b line) int { return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(a.class, b.class)) })
	for _, l := range lines {
		out.WriteString(l.text)
	}
	return printRecord(got.Record) + out.String(), err
}

func printRecord(r session.Record) string {
	var out strings.Builder
	for _, m := range r.Metrics {
		fmt.Fprintf(&out, "%d %s %.17g\n", m.Round, m.Name, m.Value)
	}
	for _, l := range r.Log {
		fmt.Fprintf(&out, "%d %d %s\n", l.Round, l.Level, l.Text)
	}
	return out.String()
}

// TestC holds the test host that C authors have to this one: the same plugin gives
// the same from both, its views byte for byte.
func TestC(t *testing.T) {
	const rows, classes = 700, 5
	r := rand.New(rand.NewPCG(1, 2))
	matrices := make([]sdktest.Matrix, 3) // two models and an ensemble
	var lists [3][][]float32
	for i := range matrices {
		matrices[i].C = classes
		for range rows {
			row, left := make([]float32, classes), 64
			for c := range classes {
				n := r.IntN(left + 1)
				if c == classes-1 {
					n = left
				}
				row[c], left = float32(n)/64, left-n
			}
			matrices[i].Values = append(matrices[i].Values, row...)
			lists[i] = append(lists[i], row)
		}
	}
	in := session.Input{
		Ensemble: matrices[2], Models: []session.Probabilities{matrices[0], matrices[1]},
		ClassNames: []string{"a", "b", "c", "d", "\"é\""}, BatchRows: 64,
		Takes: []sdk.EmitKind{sdk.EmitSoft, sdk.EmitCandidates, sdk.EmitDrop},
	}
	text, err := json.Marshal(map[string]any{"classes": in.ClassNames, "models": lists[:2], "ensemble": lists[2], "params": map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "case.json")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	dir := buildProbe(t)
	for _, name := range []string{"probe.wasm", "probe-loops.wasm"} {
		m := load(t, filepath.Join(dir, name))
		for _, policy := range []string{"every-view", "every-kind", "half"} {
			want, err := exec.Command(filepath.Join(dir, "probe_run"), policy, file, "100").Output()
			if err != nil {
				t.Fatal(err)
			}
			got, err := runProbe(t, m, policy, in)
			if err != nil {
				t.Errorf("%s: %v", policy, err)
			}
			if diff := gocmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" || strings.Count(got, "\n") < rows/2 {
				t.Errorf("%s of %s, natively (-) and in the sandbox (+):\n%s", policy, name, diff)
			}
		}
	}
}

// TestCFaults holds the ways of a C plugin to fail to what its user is told.
func TestCFaults(t *testing.T) {
	m := load(t, filepath.Join(buildProbe(t), "probe.wasm"))
	in := data()
	for how, check := range map[string]func(error) bool{
		"assert": func(err error) bool {
			var e *session.TrapError
			return errors.As(err, &e) && strings.Contains(e.Stack, "fault_end_round") && strings.Contains(e.Stack, "upl_broken")
		},
		"open late": func(err error) bool {
			var e *session.GuestError
			return errors.As(err, &e) && e.Code == sdk.CodeState && e.Message == "opening view stats: not allowed now"
		},
		"data": func(err error) bool {
			var e *session.GuestError
			return errors.As(err, &e) && e.Code == sdk.CodeData && strings.HasSuffix(e.Message, "rows of none, at -5%")
		},
		"unknown": func(err error) bool {
			var e *session.GuestError
			return errors.As(err, &e) && e.Code == sdk.CodeConfig && e.Message == "parameter how: is unknown"
		},
		"row": func(err error) bool {
			var e *session.ProtocolError
			return errors.As(err, &e)
		},
		"memory": func(err error) bool {
			var e *session.LimitError
			return errors.As(err, &e) && e.Limit == session.LimitMemory
		},
	} {
		in.Params = json.RawMessage(fmt.Sprintf(`{"how": %q}`, how))
		if out, err := runProbe(t, m, "fault", in); !check(err) {
			t.Errorf("%s: %v\n%s", how, err, out)
		}
	}
}
