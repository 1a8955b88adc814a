package wasm_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/plugins/wasm"
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
				return m.Select(t.Context(), p, in)
			}
		}
		t.Fatalf("no policy %s", name)
		return session.Selection{}, nil
	}

	for name, check := range map[string]func(error) bool{
		"panics": func(err error) bool {
			var e *session.GuestError
			return errors.As(err, &e) && strings.Contains(e.Message, "on purpose") && strings.Contains(e.Message, "main.init.func1 line ")
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
	if _, err := wasm.Load(t.Context(), guest{}.assemble(), wasm.Options{CacheDir: dir}); !errors.Is(err, os.ErrPermission) {
		t.Error(err)
	}
}
