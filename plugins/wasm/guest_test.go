package wasm_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/plugins/wasm"
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/sdktest"
	"github.com/upl-host/upl-host/sdk/session"
)

// TestGoGuest runs a Go program's own ways to fail.
func TestGoGuest(t *testing.T) {
	file := filepath.Join(t.TempDir(), "guest.wasm")
	command := exec.Command("go", "build", "-trimpath", "-buildmode=c-shared", "-o", file, "./testdata/guest")
	command.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	code, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cache := filepath.Join(t.TempDir(), "cache")
	m, err := wasm.Load(t.Context(), code, wasm.Options{CacheDir: cache})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, m)
	began := time.Now()
	warm, err := wasm.Load(t.Context(), code, wasm.Options{CacheDir: cache})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("loaded again within %v", time.Since(began))
	closing(t, warm)
	policies, err := warm.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	runPolicy := func(name string) (session.Selection, error) {
		in := data()
		in.Limits = session.Limits{Memory: 16 << 20, Call: 5 * time.Second, Output: 64 << 10}
		for _, p := range policies {
			if p.Name == name {
				return session.Select(t.Context(), p, in, session.On(m, p, in.Limits))
			}
		}
		t.Fatalf("no policy %s", name)
		return session.Selection{}, nil
	}

	for name, check := range map[string]func(error) bool{
		"panics": func(err error) bool {
			var e *session.GuestError
			return errors.As(err, &e) && strings.Contains(e.Message, "on purpose") && strings.Contains(e.Message, "main.(*policy).EndRound main.go:")
		},
		"indexes": func(err error) bool {
			var e *session.GuestError
			return errors.As(err, &e) && strings.Contains(e.Message, "index out of range [2] with length 1")
		},
		"allocates": func(err error) bool {
			var e *session.LimitError
			var trap *session.TrapError
			return errors.As(err, &e) && e.Limit == session.LimitMemory && errors.As(err, &trap) && strings.Contains(trap.Output, "out of memory")
		},
		"recurses": func(err error) bool {
			var e *session.LimitError // its stack is in linear memory
			return errors.As(err, &e) && e.Limit == session.LimitMemory
		},
		"floods": func(err error) bool {
			var e *session.LimitError
			return errors.As(err, &e) && e.Limit == session.LimitOutput
		},
		"refuses": func(err error) bool {
			var e *session.GuestError
			return errors.As(err, &e) && e.Error() == "parameter k: is too odd"
		},
		"undeclared": func(err error) bool {
			var e *session.GuestError
			return errors.As(err, &e) && strings.Contains(e.Message, "opening view rows: denied")
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := runPolicy(name); err == nil || !check(err) {
				t.Errorf("%T: %v", err, err)
			}
		})
	}

	slept, err := runPolicy("sleeps")
	if err != nil || len(slept.Metrics) != 1 || slept.Metrics[0].Value != 60 {
		t.Errorf("an hour's sleep: %v, %v", slept.Metrics, err)
	}

	wholeContract(t, m, policies)

	first, err := runPolicy("looks-around")
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"args":0,"environment":0} [2J`; len(first.Log) != 3 || first.Log[0].Text != want || first.Log[2].Text != "half a line" {
		t.Errorf("saw %v, not %s", first.Log, want)
	}
	second, err := runPolicy("looks-around")
	if d := cmp.Diff(first, second); err != nil || d != "" {
		t.Errorf("two runs differ: %v\n%s", err, d)
	}
}

func closing(t *testing.T, m *wasm.Module) {
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestCacheDir refuses a folder that others could write to.
func TestCacheDir(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := wasm.Load(t.Context(), guest{}.assemble(), wasm.Options{CacheDir: dir}); !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "set XDG_CACHE_HOME") {
		t.Error(err)
	}
}

// wholeContract runs a policy that uses all of the contract.
func wholeContract(t *testing.T, m *wasm.Module, policies []session.Description) {
	t.Helper()
	p := sdktest.Matrix{C: 3, Values: []float32{1, 0, 0, 0.25, 0.5, 0.25, 0, 0.5, 0.5, 0.125, 0.5, 0.375}}
	in := session.Input{
		Ensemble: p, Models: []session.Probabilities{p}, ClassNames: []string{"a", "b", "c"},
		Features:      []session.Features{sdktest.Matrix{C: 2, Values: []float32{1, 2, 3, 4, 5, 6, 7, 8}}},
		TextFeatures:  []session.Features{sdktest.Matrix{C: 2, Values: []float32{-1, -2, -3, -4, -5, -6}}},
		GrantFeatures: true,
		Takes:         []sdk.EmitKind{sdk.EmitSoft, sdk.EmitCandidates, sdk.EmitDrop},
		NextRound:     func(context.Context, session.Selection) (session.Learnt, error) { return session.Learnt{}, nil },
	}
	last := policies[len(policies)-1]
	got, err := session.Select(t.Context(), last, in, session.On(m, last, in.Limits))
	if err != nil {
		t.Fatal(err)
	}
	const seen = "[0.03846154 0.61538464 0.34615386] [-1 -2 -3 -4 -5 -6] " +
		"[0 0.09375 0.1875 0.4375 1 0 0.375 0.5 0.5 0.5 0 0.1875 0.3125 0.40625 0.5] "
	want := session.Selection{
		Labels:     []session.Label{{Row: 3, Class: 0, Weight: 1}, {Row: 3, Class: 1, Weight: 1}},
		Soft:       []session.SoftLabel{{Row: 1, Weight: 0.5, P: []sdk.Candidate{{Class: 0, P: 0.75}, {Class: 2, P: 0.25}}}},
		Candidates: []session.CandidateSet{{Row: 2, Weight: 1, Classes: []int{1, 2}}},
		Drops:      []int{0},
		Record: session.Record{Rounds: 2, Log: []session.Line{
			{Level: sdk.LevelInfo, Rows: 4, Text: "features [1 2 3 4 5 6 7 8]"},
			{Level: sdk.LevelInfo, Row: -1, Text: seen + "[]"},
			{Level: sdk.LevelInfo, Round: 1, Rows: 4, Text: "features [1 2 3 4 5 6 7 8]"},
			{Level: sdk.LevelInfo, Round: 1, Row: -1, Text: seen + "[{0 4294967295 0 dropped rows 0} {1 0 0.5 soft labels 0.75} {1 2 0.5 soft labels 0.25} " +
				"{2 1 1 candidate sets 0} {2 2 1 candidate sets 0} {3 0 1 hard labels 0} {3 1 1 hard labels 0}]"},
		}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
