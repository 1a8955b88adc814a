package develop_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upl-host/upl-host/plugins/develop"
)

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func TestLocate(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "source/Makefile", "")
	source, built := filepath.Join(dir, "source"), filepath.Join(dir, "source", "build", "rule")
	locate := func(path string, want develop.Place) {
		t.Helper()
		if got, err := develop.Locate(path); err != nil || got != want {
			t.Errorf("%s: %+v, not %+v: %v", path, got, want, err)
		}
	}
	locate(source, develop.Place{Source: source})
	write(t, dir, "source/build/rule/upl-plugin.yaml", "")
	write(t, dir, "source/build/rule/rule.wasm", "")
	write(t, dir, "source/build/notes/text", "")
	locate(source, develop.Place{Built: built, Source: source})
	locate(built, develop.Place{Built: built, Source: source})
	locate(filepath.Join(built, "rule.wasm"), develop.Place{Built: filepath.Join(built, "rule.wasm"), Source: source})
	write(t, dir, "elsewhere/upl-plugin.yaml", "")
	locate(filepath.Join(dir, "elsewhere"), develop.Place{Built: filepath.Join(dir, "elsewhere")})

	// A path without a separator is no name.
	t.Chdir(dir)
	locate("elsewhere", develop.Place{Built: "./elsewhere"})
	locate("source", develop.Place{Built: "source/build/rule", Source: "./source"})

	write(t, dir, "source/build/other/upl-plugin.yaml", "")
	var several *develop.SeveralError
	if _, err := develop.Locate(source); !errors.As(err, &several) || !slices.Contains(several.Choices, built) {
		t.Error(err)
	}
	if _, err := develop.Locate("absent"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// TestLocateWhole takes a source folder that needs no compiler as it is, once it is
// complete.
func TestLocateWhole(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "Makefile", "")
	write(t, dir, "upl-plugin.yaml", "schema: 1\nname: rule\nversion: 1.0.0\nlicence: MIT\nruntime: wasm\nabi: 1\nentry: rule.wasm\npolicies: [{name: rule, version: 1.0.0, kind: selection}]\n")
	if got, err := develop.Locate(dir); err != nil || got.Built != "" {
		t.Errorf("%+v: %v", got, err)
	}
	write(t, dir, "rule.wasm", "")
	if got, err := develop.Locate(dir); err != nil || got.Built != dir || got.Source != dir {
		t.Errorf("%+v: %v", got, err)
	}
}

func TestBuild(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "Makefile", "all:\n\t@echo line 3: no such thing >&2; exit 7\n")
	var fault *develop.BuildError
	if err := develop.Build(t.Context(), dir); !errors.As(err, &fault) || !strings.Contains(err.Error(), "line 3: no such thing\n") {
		t.Error(err)
	}
	write(t, dir, "Makefile", "all:\n\techo done > result\n")
	if err := develop.Build(t.Context(), dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "result")); err != nil {
		t.Error(err)
	}
}

// TestBuildEnds ends make with what it started.
func TestBuildEnds(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "Makefile", "all:\n\t@touch begun; sleep 3600; touch late\n")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(filepath.Join(dir, "begun")); err == nil {
				cancel()
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	began := time.Now()
	if err := develop.Build(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v", took)
	}
}

// watching is a Watch under way that says when it runs.
type watching struct {
	t      *testing.T
	dir    string
	runs   chan context.Context
	ended  chan error
	cancel context.CancelFunc
}

func watch(t *testing.T) *watching {
	w := &watching{t: t, dir: t.TempDir(), runs: make(chan context.Context, 100), ended: make(chan error, 1)}
	write(t, w.dir, "main.go", "1")
	write(t, w.dir, "package/code.go", "1")
	write(t, w.dir, "build/rule.wasm", "1")
	ctx, cancel := context.WithCancel(t.Context())
	w.cancel = cancel
	go func() {
		w.ended <- develop.Watch(ctx, w.dir, func(ctx context.Context) {
			w.runs <- ctx
			<-ctx.Done() // a long test
		})
	}()
	return w
}

func (w *watching) run() context.Context {
	w.t.Helper()
	select {
	case ctx := <-w.runs:
		return ctx
	case err := <-w.ended:
		w.t.Fatalf("it ended: %v", err)
	case <-time.After(20 * time.Second):
		w.t.Fatal("it did not run")
	}
	return nil
}

func TestWatch(t *testing.T) {
	w := watch(t)
	last := w.run()
	for _, name := range []string{"main.go", "package/code.go", "new/folder/code.go", "new/folder/code.go"} {
		write(t, w.dir, name, "2"+time.Now().String())
		now := w.run()
		if last.Err() == nil {
			t.Errorf("%s: two runs at once", name)
		}
		last = now
	}
	// Neither outputs, nor hidden files, nor the same once more.
	for name, text := range map[string]string{"build/rule.wasm": "2", ".main.go.swp": "2", "main.go~": "2", "target/debug/rule": "2", "package/code.go": ""} {
		if text == "" {
			old, err := os.ReadFile(filepath.Join(w.dir, name))
			if err != nil {
				t.Fatal(err)
			}
			text = string(old)
		}
		write(t, w.dir, name, text)
	}
	select {
	case <-w.runs:
		t.Error("it ran for nothing")
	case <-time.After(time.Second):
	}
	if err := os.Remove(filepath.Join(w.dir, "package", "code.go")); err != nil {
		t.Fatal(err)
	}
	last = w.run()
	w.cancel()
	if err := <-w.ended; err != nil || last.Err() == nil {
		t.Error(err)
	}
}

func TestWatchNothing(t *testing.T) {
	err := develop.Watch(t.Context(), filepath.Join(t.TempDir(), "absent"), func(context.Context) { t.Error("it ran") })
	if !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
