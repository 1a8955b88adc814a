package wasm_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/plugins/wasm"
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/sdktest"
	"github.com/upl-host/upl-host/sdk/session"
)

const rustProbe = "../../sdk/rust/tests/probe"

// loadRust builds sdk/rust/tests/probe, which uses all of the Rust SDK.
func loadRust(t *testing.T) (*wasm.Module, []session.Description) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "probe.wasm")
	build := exec.Command("sh", "../../wasm.sh", "probe", file)
	build.Dir = rustProbe
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	code, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := wasm.Load(t.Context(), code, wasm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	policies, err := m.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m, policies
}

// rustInput is what the probe's examples/native.rs has.
func rustInput(rows, batchRows int) session.Input {
	const classes = 4
	state := uint64(1)
	draw := func() sdktest.Matrix {
		m := sdktest.Matrix{C: classes}
		for range rows {
			left := uint64(64)
			for c := range classes {
				state = state*6364136223846793005 + 1442695040888963407
				n := state >> 33 % (left + 1)
				if c == classes-1 {
					n = left
				}
				left -= n
				m.Values = append(m.Values, float32(n)/64)
			}
		}
		return m
	}
	wide := func(rows, width int) sdktest.Matrix {
		m := sdktest.Matrix{C: width}
		for i := range rows * width {
			m.Values = append(m.Values, float32(i))
		}
		return m
	}
	models := []session.Probabilities{draw(), draw()}
	return session.Input{
		Ensemble: draw(), Models: models, ClassNames: []string{"a", "b\"é", "c", "d"}, ModelNames: []string{"one", "two"},
		LogitScales: []float64{100, 50.5}, Prior: []float64{0.25, 0.25, 0.25, 0.25}, Seed: 7,
		Takes:    []sdk.EmitKind{sdk.EmitSoft, sdk.EmitCandidates, sdk.EmitDrop},
		Features: []session.Features{wide(rows, 2), wide(rows, 3)}, TextFeatures: []session.Features{wide(classes, 2), wide(classes, 3)},
		GrantFeatures: true, BatchRows: batchRows,
		NextRound: func(context.Context, session.Selection) (session.Learnt, error) {
			return session.Learnt{Ensemble: models[1]}, nil
		},
	}
}

// rustRun runs a policy of the probe in the sandbox, and gives what examples/native.rs
// prints.
func rustRun(t *testing.T, m *wasm.Module, policy session.Description, in session.Input) string {
	t.Helper()
	start := session.On(m, policy, in.Limits)
	var result strings.Builder
	var record session.Record
	if policy.Kind == sdk.KindEnsemble {
		var err error
		in.Ensemble, in.NextRound = nil, nil
		record, err = session.Combine(t.Context(), policy, in, func(_ int, rows []float32) error {
			for _, p := range rows {
				fmt.Fprintln(&result, strconv.FormatFloat(float64(p), 'f', -1, 32))
			}
			return nil
		}, start)
		if err != nil {
			t.Errorf("%s: %v", policy.Name, err)
		}
	} else {
		got, err := session.Select(t.Context(), policy, in, start)
		if err != nil {
			t.Errorf("%s: %v", policy.Name, err)
		}
		for _, l := range got.Labels {
			fmt.Fprintln(&result, l.Row, l.Class, l.Weight)
		}
		record = got.Record
	}
	var out strings.Builder
	for _, m := range record.Metrics {
		fmt.Fprintln(&out, m.Round, m.Name, m.Value)
	}
	for _, l := range record.Log {
		fmt.Fprintln(&out, l.Round, int(l.Level), l.Text)
	}
	return out.String() + result.String()
}

// TestRust holds the host that Rust authors have for their tests to this one: the
// same plugin says and selects the same in both.
func TestRust(t *testing.T) {
	m, policies := loadRust(t)
	for _, c := range []struct {
		policy          string
		rows, batchRows int
	}{
		{"every-view", 0, 5}, {"every-view", 23, 5}, {"every-view", 60, 256}, {"every-kind", 0, 1}, {"every-kind", 700, 64}, {"mix", 300, 7}, {"mix", 0, 7},
	} {
		native := exec.Command("cargo", "run", "--quiet", "--example", "native", c.policy, strconv.Itoa(c.rows), strconv.Itoa(c.batchRows))
		native.Dir = rustProbe
		native.Stderr = os.Stderr
		want, err := native.Output()
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(policies, func(d session.Description) bool { return d.Name == c.policy })
		got := rustRun(t, m, policies[i], rustInput(c.rows, c.batchRows))
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" || strings.Count(got, "\n") < c.rows {
			t.Errorf("%v, natively (-) and in the sandbox (+):\n%s", c, diff)
		}
	}
}

// TestRustFaults holds the ways of a Rust plugin to fail to what its user is told.
func TestRustFaults(t *testing.T) {
	m, policies := loadRust(t)
	policy := policies[slices.IndexFunc(policies, func(d session.Description) bool { return d.Name == "fault" })]
	guest := func(code sdk.Code, message string) func(error) bool {
		return func(err error) bool {
			var e *session.GuestError
			return errors.As(err, &e) && e.Code == code && e.Message == message
		}
	}
	limit := func(name string) func(error) bool {
		return func(err error) bool {
			var e *session.LimitError
			return errors.As(err, &e) && e.Limit == name
		}
	}
	protocol := func(err error) bool { return errors.As(err, new(*session.ProtocolError)) }
	for how, check := range map[string]func(error) bool{
		"panic": func(err error) bool {
			var e *session.TrapError
			return errors.As(err, &e) && strings.Contains(e.Stack, "<probe::fault::Fault as upl_plugin::policy::Selection>::observe") &&
				strings.HasPrefix(e.Reason, "panic: index out of bounds: the len is 5 but the index is 5 (src/fault.rs:")
		},
		"config":    guest(sdk.CodeConfig, "parameter how: is config"),
		"denied":    guest(sdk.CodeDenied, "opening the view rows: denied"),
		"open late": guest(sdk.CodeState, "opening the view stats: not allowed now"),
		"data":      guest(sdk.CodeData, "é: bad data"),
		"std":       guest(sdk.CodeInternal, "invalid digit found in string"),
		"memory":    limit(session.LimitMemory),
		"loop":      limit(session.LimitTime),
		"row":       protocol,
		"soft":      protocol,
		"another":   protocol,
	} {
		in := rustInput(20, 5)
		in.Limits = session.Limits{Call: 2 * time.Second, Memory: 4 << 20}
		in.Params = []byte(fmt.Sprintf(`{"how": %q}`, how))
		if _, err := session.Select(t.Context(), policy, in, session.On(m, policy, in.Limits)); !check(err) {
			t.Errorf("%s: %v", how, err)
		}
	}
}
