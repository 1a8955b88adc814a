package main_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
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
	if dir := exported.dir; dir != "" {
		os.RemoveAll(dir)
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

func TestScripts(t *testing.T) {
	folder := models(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(absolute(t, program))+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("MODELS", folder)
			env.Setenv("DEMO", absolute(t, demo))
			env.Setenv("GOLDEN", absolute(t, goldenData))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, "cache"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"truncate": truncate,
			"flip":     flip,
			"expand":   expand,
		},
	})
}

// exits CODE PROGRAM ARGUMENTS… runs a program that is to end with that code.
func exits(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGUMENTS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s ended with %d, not %d", strings.Join(args[1:], " "), got, want)
	}
}

// truncate FILE BYTES cuts a file off.
func truncate(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}

// flip FILE OFFSET changes a byte.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	offset, err := strconv.Atoi(args[1])
	ts.Check(err)
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	data[offset] ^= 0x5a
	ts.Check(os.WriteFile(path, data, 0o644))
}

// expand FILE replaces ${NAME} in a file by what the environment has.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		path := ts.MkAbs(name)
		data, err := os.ReadFile(path)
		ts.Check(err)
		ts.Check(os.WriteFile(path, []byte(os.Expand(string(data), ts.Getenv)), 0o644))
	}
}
