package plugins_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/plugins/internal/witness"
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/sdktest"
)

// builtWitness is the witness plugin as a module and as a program, built once.
var builtWitness = sync.OnceValues(func() (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "witness")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	built := map[string][]byte{}
	for runtime, command := range map[string]*exec.Cmd{
		plugins.RuntimeWASM:    exec.Command("go", "build", "-buildmode=c-shared", "-o", filepath.Join(dir, "wasm"), "./internal/witness/plugin"),
		plugins.RuntimeProcess: exec.Command("go", "build", "-o", filepath.Join(dir, "process"), "./internal/witness/plugin"),
	} {
		command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
		if runtime == plugins.RuntimeWASM {
			command.Env = append(command.Env, "GOOS=wasip1", "GOARCH=wasm")
		}
		if out, err := command.CombinedOutput(); err != nil {
			return nil, errors.Join(err, errors.New(string(out)))
		}
		if built[runtime], err = os.ReadFile(filepath.Join(dir, runtime)); err != nil {
			return nil, err
		}
	}
	return built, nil
})

// wrapper is the entry of the program: it leaves a trace of where it ran.
const wrapper = "#!/bin/sh\necho \"$0\" >>TRACE\nexec \"${0%/*}/bin/witness\"\n"

// place is a folder of plugins with its lock.
type place struct {
	t      *testing.T
	folder string // of plugins
	lock   string
	trace  string // where programs said that they ran
	store  string
	more   func(*plugins.Options)
}

func newPlace(t *testing.T) *place {
	t.Helper()
	root := t.TempDir()
	p := &place{
		t: t, folder: filepath.Join(root, "plugins"), lock: filepath.Join(root, "upl.lock"),
		trace: filepath.Join(root, "trace"), store: filepath.Join(root, "store"), more: func(*plugins.Options) {},
	}
	t.Cleanup(func() { // the store is read-only
		_ = filepath.WalkDir(p.store, func(name string, _ os.DirEntry, _ error) error { return os.Chmod(name, 0o700) })
	})
	return p
}

// write writes a file of a plugin.
func (p *place) write(name string, content []byte) string {
	p.t.Helper()
	file := filepath.Join(p.folder, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o644); err != nil {
		p.t.Fatal(err)
	}
	return file
}

// plugin installs the witness and gives its folder.
func (p *place) plugin(name, runtime string) string {
	p.t.Helper()
	built, err := builtWitness()
	if err != nil {
		p.t.Fatal(err)
	}
	entry := name + ".wasm"
	if runtime == plugins.RuntimeProcess {
		entry = name + ".sh"
		p.write(name+"/"+entry, []byte(strings.Replace(wrapper, "TRACE", p.trace, 1)))
		p.write(name+"/bin/witness", built[runtime])
	} else {
		p.write(name+"/"+entry, built[runtime])
	}
	var described struct {
		Policies json.RawMessage `json:"policies"`
	}
	if err := json.Unmarshal(sdk.Describe(witness.Policies...), &described); err != nil {
		p.t.Fatal(err)
	}
	manifest := fmt.Sprintf("schema: 1\nname: %s\nversion: 1.0.0\nlicence: MIT\nabi: 1\nruntime: %s\nentry: %s\npolicies: %s\n",
		name, runtime, entry, described.Policies)
	return filepath.Dir(p.write(name+"/"+plugins.ManifestName, []byte(manifest)))
}

// catalogue opens the plugins with the lock as its file has it.
func (p *place) catalogue() *plugins.Catalogue {
	p.t.Helper()
	options := plugins.Options{
		Folders: []string{p.folder}, CacheDir: filepath.Join(shipped, ".cache"), StoreDir: p.store, LockPath: p.lock,
	}
	lock, err := plugins.ReadLock(p.lock)
	if err == nil {
		options.Lock = lock
	} else if !errors.Is(err, os.ErrNotExist) {
		p.t.Fatal(err)
	}
	p.more(&options)
	c := plugins.NewCatalogue(options)
	p.t.Cleanup(func() {
		if err := c.Close(); err != nil {
			p.t.Error(err)
		}
	})
	return c
}

// pin locks a plugin and writes the lock.
func (p *place) pin(name string, grants ...string) plugins.Pinned {
	p.t.Helper()
	c := p.catalogue()
	pinned, err := c.Pin(p.t.Context(), name, grants)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := c.Lock().Write(p.lock); err != nil {
		p.t.Fatal(err)
	}
	return pinned
}

// find says what becomes of finding a policy.
func (p *place) find(name string) (*plugins.Policy, error) {
	p.t.Helper()
	return p.catalogue().Find(p.t.Context(), name)
}

// refused expects a policy to be refused, for that reason, with a command.
func (p *place) refused(name string, state plugins.State, command string) *plugins.TrustError {
	p.t.Helper()
	_, err := p.find(name)
	var trust *plugins.TrustError
	if !errors.As(err, &trust) || trust.State != state {
		p.t.Fatalf("%s: %v, and not %s", name, err, state)
	}
	if trust.Command != command {
		p.t.Errorf("%s: the command is\n%s, want\n%s", name, trust.Command, command)
	}
	if !strings.Contains(err.Error(), trust.Path) || !strings.Contains(err.Error(), trust.Command) {
		p.t.Errorf("%s: %v does not name path and command", name, err)
	}
	return trust
}

func (p *place) allowed(name string) *plugins.Policy {
	p.t.Helper()
	policy, err := p.find(name)
	if err != nil {
		p.t.Fatal(err)
	}
	return policy
}

func (p *place) command(what string) string {
	return "upl-host plugin lock " + what + " --lock " + p.lock
}

// runOnce runs a policy on a little, with a caller that grants it all.
func runOnce(t *testing.T, policy *plugins.Policy) (plugins.Selection, error) {
	t.Helper()
	m := sdktest.Matrix{Values: []float32{0.75, 0.25, 0.5, 0.5}, C: 2}
	return policy.Select(t.Context(), plugins.Input{
		Ensemble: m, Models: []plugins.Probabilities{m}, ClassNames: []string{"a", "b"},
		Features: []plugins.Features{features{}}, TextFeatures: []plugins.Features{features{}}, GrantFeatures: true,
		Takes: []sdk.EmitKind{sdk.EmitSoft, sdk.EmitCandidates, sdk.EmitDrop},
	})
}

// features are two rows of one.
type features struct{}

func (features) Rows() int                          { return 2 }
func (features) Width() int                         { return 1 }
func (features) Read(_, n int, dst []float32) error { clear(dst[:n]); return nil }

// traces is how often programs have run, and says so where it was not in the store.
func (p *place) traces() int {
	p.t.Helper()
	text, err := os.ReadFile(p.trace)
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	if err != nil {
		p.t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, line := range lines {
		if !strings.HasPrefix(line, p.store) {
			p.t.Errorf("%s ran, which is not a copy", line)
		}
	}
	return len(lines)
}
