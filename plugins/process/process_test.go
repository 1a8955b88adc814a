package process_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/upl-host/upl-host/plugins/process"
	"github.com/upl-host/upl-host/sdk/sdktest"
	"github.com/upl-host/upl-host/sdk/session"
)

// program is the misbehaving guest, built once.
var program string

func TestMain(m *testing.M) {
	if argv := os.Getenv("UPL_TEST_HOST"); argv != "" {
		hostToBeKilled(argv)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "process")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(folder) }()
	program = filepath.Join(folder, "guest")
	command := exec.Command("go", "build", "-trimpath", "-o", program, "./testdata/guest")
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := command.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	if code := m.Run(); code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// input are 2 rows of 3 classes.
func input() session.Input {
	p := sdktest.Matrix{Values: []float32{1, 0, 0, 0.25, 0.5, 0.25}, C: 3}
	return session.Input{
		Ensemble: p, Models: []session.Probabilities{p}, ClassNames: []string{"a", "b", "c"},
		Limits: session.Limits{Call: 5 * time.Second},
	}
}

func selectWith(ctx context.Context, p *process.Plugin, name string, in session.Input) (session.Selection, error) {
	descriptions, err := p.Describe(ctx)
	if err != nil {
		return session.Selection{}, err
	}
	i := slices.IndexFunc(descriptions, func(d session.Description) bool { return d.Name == name })
	if i < 0 {
		return session.Selection{}, fmt.Errorf("no policy %s", name)
	}
	return session.Select(ctx, descriptions[i], in, session.On(p, descriptions[i], in.Limits))
}

func open(t *testing.T, options process.Options, argv ...string) *process.Plugin {
	t.Helper()
	p := process.Open(append([]string{program}, argv...), options)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func fine(t *testing.T) {
	t.Helper()
	got, err := selectWith(t.Context(), open(t, process.Options{}), "fine", input())
	if want := []session.Label{{Row: 0, Class: 1, Weight: 1}}; err != nil || !slices.Equal(got.Labels, want) {
		t.Errorf("the next plugin: %v, %v", got.Labels, err)
	}
}

// TestHostile runs programs that are up to no good. Each has to end in a typed
// error, soon, and the next plugin runs.
func TestHostile(t *testing.T) {
	protocol, trap, guest := &session.ProtocolError{}, &session.TrapError{}, &session.GuestError{}
	limit := func(which string) error { return &session.LimitError{Limit: which} }
	for _, f := range []struct {
		name, mode, policy string
		limits             session.Limits
		want               error
		says               []string
	}{
		{"standard output before the handshake", "chats", "fine", session.Limits{}, protocol, []string{"does not answer as a plugin", "Hello from a plugin"}},
		{"no start", "exits", "fine", session.Limits{}, protocol, []string{"does not answer as a plugin", "cannot find my things"}},
		{"no answer", "hangs", "fine", session.Limits{}, limit(session.LimitTime), []string{"took more than 2s"}},
		{"another socket", "answers-elsewhere", "fine", session.Limits{}, protocol, []string{"127.0.0.1:80", "Unix socket"}},
		{"no certificate", "answers-unproven", "fine", session.Limits{}, protocol, nil},
		{"version 2", "speaks-2.0", "fine", session.Limits{}, protocol, []string{"version 2.0"}},
		{"version 1.9", "speaks-1.9", "fine", session.Limits{}, protocol, []string{"version 1.9"}},
		{"description that is none", "describes-nothing", "fine", session.Limits{}, protocol, []string{"description"}},
		{"panic", "", "panics", session.Limits{}, guest, []string{"on purpose", "main.ending.EndRound main.go:", "internal error"}},
		{"crash", "", "crashes", session.Limits{}, trap, []string{"upl_end_round", "exit status 2", "about to go", "out of the way"}},
		{"exit", "", "exits", session.Limits{}, trap, []string{"upl_end_round", "exit status 7"}},
		{"hang", "", "hangs", session.Limits{Call: 300 * time.Millisecond}, limit(session.LimitTime), []string{"upl_end_round took more than 300ms"}},
		{"hang after a word", "", "hangs-in-log", session.Limits{Call: 300 * time.Millisecond}, limit(session.LimitTime), nil},
		{"log flood", "", "logs", session.Limits{}, limit(session.LimitOutput), nil},
		{"output flood", "", "prints", session.Limits{}, limit(session.LimitOutput), nil},
		{"memory", "", "allocates", session.Limits{Memory: 256 << 20, Call: time.Minute}, limit(session.LimitMemory), []string{"of 256 allowed"}},
		{"forged label", "", "forges", session.Limits{}, protocol, []string{"of 2"}},
		{"refusal", "", "refuses", session.Limits{}, guest, []string{"parameter k: is too odd"}},
	} {
		t.Run(f.name, func(t *testing.T) {
			in := input()
			if f.limits != (session.Limits{}) {
				in.Limits = f.limits
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			argv := []string{}
			if f.mode != "" {
				argv = append(argv, f.mode)
			}
			_, err := selectWith(t.Context(), open(t, process.Options{Describe: 2 * time.Second}, argv...), f.policy, in)
			runtime.ReadMemStats(&after)
			if grown := int64(after.Sys) - int64(before.Sys); grown > 256<<20 {
				t.Errorf("the host has grown by %d MiB", grown>>20)
			}
			if err == nil {
				t.Fatal("no error")
			}
			if !sameKind(err, f.want) {
				t.Errorf("%T, not %T: %v", err, f.want, err)
			}
			for _, says := range f.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%q does not say %q", err, says)
				}
			}
			fine(t)
		})
	}
}

func sameKind(err, want error) bool {
	var limit, wanted *session.LimitError
	if errors.As(want, &wanted) {
		return errors.As(err, &limit) && limit.Limit == wanted.Limit
	}
	return errors.As(err, reflect.New(reflect.TypeOf(want)).Interface())
}

// TestNoProgram opens what cannot be executed.
func TestNoProgram(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plugin")
	if err := os.WriteFile(file, []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, file + "-missing"} {
		p := process.Open([]string{path}, process.Options{})
		if _, err := p.Describe(t.Context()); !errors.As(err, new(*session.ProtocolError)) {
			t.Errorf("%T: %v", err, err)
		}
	}
}

// TestCancel stops a run from outside, at once.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	in := input()
	in.Limits.Call = time.Minute
	began := time.Now()
	if _, err := selectWith(ctx, open(t, process.Options{}), "hangs", in); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

// TestEnvironment looks at what a program sees: none of the host's variables but
// those that are listed, no standard input; what it prints goes to the run's log.
func TestEnvironment(t *testing.T) {
	t.Setenv("UPL_CANARY", "secret")
	got, err := selectWith(t.Context(), open(t, process.Options{}), "looks-around", input())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, line := range got.Log {
		lines = append(lines, line.Text)
	}
	text := strings.Join(lines, "\n")
	for _, line := range []string{"variable PATH", "said on standard output", "said on standard error"} {
		if !slices.Contains(lines, line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
	for _, name := range []string{"UPL_CANARY", "HOME", "PWD"} {
		if strings.Contains(text, "variable "+name) {
			t.Errorf("the program sees %s:\n%s", name, text)
		}
	}
}

// TestChildren ends what a program has started, together with it.
func TestChildren(t *testing.T) {
	got, err := selectWith(t.Context(), open(t, process.Options{}), "starts-another", input())
	if err != nil {
		t.Fatal(err)
	}
	waitGone(t, int(got.Metrics[0].Value))
}

func waitGone(t *testing.T, pid int) {
	t.Helper()
	for range 100 {
		state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(state), ") Z ") { // ended, and not yet waited for
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("process %d goes on", pid)
}

// TestHostKilled kills a host without warning; its plugin ends too.
func TestHostKilled(t *testing.T) {
	host := exec.Command(os.Args[0])
	host.Env = append(os.Environ(), "UPL_TEST_HOST="+program)
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 32)
	n, err := out.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the plugin does not run: %v", err)
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait() // killed
	waitGone(t, pid)
}

// hostToBeKilled starts a plugin, prints its process number, and waits to be killed.
func hostToBeKilled(argv string) {
	p := process.Open([]string{argv}, process.Options{})
	if _, err := p.Describe(context.Background()); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(process.IdleID(p))
	time.Sleep(time.Hour)
}
