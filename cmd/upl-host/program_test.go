package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/upl-host/upl-host/plugins"
)

// The tests run the built programs, as a user does.
const (
	program    = "../../bin/upl-host"
	demo       = "../../examples/demo"
	goldenData = "../../graphs/testdata/golden-small"
)

func TestMain(m *testing.M) {
	if _, err := os.Stat(program); err != nil {
		fmt.Fprintln(os.Stderr, "the tests run bin/upl-host: run `make build` first")
		os.Exit(1)
	}
	code := m.Run()
	for _, dir := range []string{exported.dir, guest.dir} {
		if dir != "" {
			os.RemoveAll(dir)
		}
	}
	os.Exit(code)
}

// exported are the demo's models as SavedModels, made once for all tests.
var exported struct {
	sync.Once
	dir string
	err error
}

func models(t testing.TB) string {
	t.Helper()
	exported.Do(func() {
		exported.dir, exported.err = os.MkdirTemp("", "upl-host-models")
		for _, name := range []string{"vit", "rn"} {
			if exported.err == nil {
				out, err := exec.Command(program, "export", filepath.Join(demo, "models", name), "-o", filepath.Join(exported.dir, name)).CombinedOutput()
				if err != nil {
					exported.err = fmt.Errorf("exporting %s: %w\n%s", name, err, out)
				}
			}
		}
	})
	if exported.err != nil {
		t.Fatal(exported.err)
	}
	return exported.dir
}

// command is the program with a user's environment: none of a developer's.
func command(t testing.TB, arguments ...string) *exec.Cmd {
	c := exec.CommandContext(t.Context(), program, arguments...)
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "TF_CPP_MIN_LOG_LEVEL=") && !strings.HasPrefix(variable, "UPL_") {
			c.Env = append(c.Env, variable)
		}
	}
	return c
}

// succeed runs the program to its good end and returns what it printed.
func succeed(t testing.TB, arguments ...string) string {
	t.Helper()
	out, err := command(t, arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("upl-host %s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
	return string(out)
}

func absolute(t testing.TB, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// misbehaving builds a module of policies that fail, each in its own way.
func misbehaving(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "guest.wasm")
	build := exec.Command("go", "build", "-trimpath", "-buildmode=c-shared", "-o", file, "../../plugins/wasm/testdata/guest")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// exampleProgram builds the example plugin as a program, beside its manifest.
func exampleProgram(t *testing.T) string {
	t.Helper()
	dir, source := t.TempDir(), absolute(t, "../../examples/plugins/go-margin")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", source, "-trimpath", "-buildvcs=false", "-o", filepath.Join(dir, "margin"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	manifest, err := os.ReadFile(filepath.Join(source, plugins.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, plugins.ManifestName), manifest, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestScripts(t *testing.T) {
	t.Parallel()
	folder, guest, margin := models(t), misbehaving(t), exampleProgram(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(absolute(t, program))+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("MODELS", folder)
			env.Setenv("DEMO", absolute(t, demo))
			env.Setenv("GLYPHS", filepath.Join(absolute(t, demo), "images", "glyphs", "test"))
			env.Setenv("GOLDEN", absolute(t, goldenData))
			env.Setenv("GUEST", guest)
			env.Setenv("MARGIN", margin)
			env.Setenv("PROGRAM", absolute(t, program))
			env.Setenv("POLICIES", filepath.Join(filepath.Dir(absolute(t, program)), "..", "lib", "upl-host", "plugins"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, "cache"))
			return nil
		},
		Cmds: commands(),
	})
}
