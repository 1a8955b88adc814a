package plugins_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/upl-host/upl-host/plugins"
)

const (
	moduleHash  = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	programHash = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	lockText    = `schema: 1
plugins:
  - name: margin
    version: 1.0.0
    runtime: wasm
    hash: ` + moduleHash + `
    grants: [features]
    policies: [top-k-margin]
  - name: program
    version: 2.0.0-rc.1
    runtime: process
    hash: ` + programHash + `
    path: build/program
    policies: [a, b]
`
)

func TestLockFile(t *testing.T) {
	l, err := plugins.ParseLock([]byte(lockText))
	if err != nil {
		t.Fatal(err)
	}
	want := plugins.LockEntry{
		Name: "margin", Version: "1.0.0", Runtime: plugins.RuntimeWASM, Hash: moduleHash,
		Grants: []string{"features"}, Policies: []string{"top-k-margin"},
	}
	if diff := cmp.Diff(&want, l.Entry("margin")); diff != "" {
		t.Error(diff)
	}
	if l.Entry("top-k-margin") != nil || (*plugins.Lock)(nil).Entry("margin") != nil {
		t.Error("an entry by another name, or of no lock")
	}
	// It is written sorted, with a header, and reads back.
	l.Plugins[0], l.Plugins[1] = l.Plugins[1], l.Plugins[0]
	file := filepath.Join(t.TempDir(), "new", "upl.lock")
	if err := l.Write(file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil || !bytes.HasPrefix(text, []byte("# The plugins that may run here")) || !bytes.HasSuffix(text, []byte(lockText)) {
		t.Errorf("%s%v", text, err)
	}
	if again, err := plugins.ReadLock(file); err != nil || again.Plugins[0].Name != "margin" {
		t.Errorf("%+v: %v", again, err)
	}
}

func TestWrongLocks(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ old, changed, says string }{
		"empty":               {lockText, "", "is empty"},
		"not YAML":            {"schema: 1", "schema: [", "line"},
		"conflict":            {"schema: 1\n", "<<<<<<< ours\nschema: 1\n", "line"},
		"schema":              {"schema: 1", "schema: 2", "schema is 2, not 1"},
		"unknown key":         {"    path:", "    place:", "line 13: unknown key place"},
		"key twice":           {"    version: 1.0.0", "    version: 1.0.0\n    version: 1.0.0", "already"},
		"two documents":       {"schema: 1\n", "schema: 1\n---\n", "more than one document"},
		"name":                {"name: margin", "name: Margin", `plugins[0]: name "Margin"`},
		"name twice":          {"name: program", "name: margin", "plugins[1]: margin is listed twice"},
		"version":             {"version: 1.0.0", "version: latest", `plugins[0]: version "latest"`},
		"no version":          {"    version: 2.0.0-rc.1\n", "", `plugins[1]: version ""`},
		"runtime":             {"runtime: wasm", "runtime: native", `plugins[0]: runtime "native"`},
		"hash":                {"sha256:0", "sha256:g", "plugins[0]: hash"},
		"short hash":          {"sha256:0", "sha256:", "plugins[0]: hash"},
		"hash of another":     {"runtime: process", "runtime: wasm", "plugins[1]: hash"},
		"hash twice":          {"runtime: process\n    hash: " + programHash, "runtime: wasm\n    hash: " + moduleHash, "plugins[1]: program has the hash of margin"},
		"grant":               {"[features]", "[labels]", `plugins[0]: grant "labels" is unknown; there is features`},
		"grant twice":         {"[features]", "[features, features]", "plugins[0]: grant features is listed twice"},
		"no policies":         {"[top-k-margin]", "[]", "plugins[0]: there are no policies"},
		"policy":              {"[top-k-margin]", "[top k]", `plugins[0]: policy "top k"`},
		"policy twice":        {"[a, b]", "[a, a]", "plugins[1]: policy a is listed twice"},
		"wrong type":          {"schema: 1", "schema: one", "line 1: cannot unmarshal"},
		"plugins by name":     {lockText, "schema: 1\nplugins: {margin: {}}\n", "line 2"},
		"too many bytes":      {lockText, lockText + strings.Repeat("#", 1<<20), "bytes"},
		"a name of a Go type": {"schema: 1", "schema: {}", "line"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			changed := strings.Replace(lockText, c.old, c.changed, 1)
			if changed == lockText {
				t.Fatalf("the lock has no %q", c.old)
			}
			if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := plugins.ReadLock(file)
			var lock *plugins.LockError
			if !errors.As(err, &lock) || lock.Path != file || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "plugins.Lock") {
				t.Errorf("%v does not say %q", err, c.says)
			}
		})
	}
	if _, err := plugins.ReadLock(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// TestPin says what cannot be locked, and what a lock's changes are.
func TestPin(t *testing.T) {
	p := newPlace(t)
	p.plugin("witness", plugins.RuntimeWASM)
	c := p.catalogue()
	var grant *plugins.GrantError
	if _, err := c.Pin(t.Context(), "witness", []string{"labels"}); !errors.As(err, &grant) {
		t.Error(err)
	}
	p.more = func(o *plugins.Options) { o.Folders = append(o.Folders, shipped) }
	if _, err := p.catalogue().Pin(t.Context(), "strategies", []string{plugins.GrantFeatures}); !errors.As(err, &grant) {
		t.Error(err)
	}
	var missing *plugins.NotFoundError
	if _, err := c.Pin(t.Context(), "absent", nil); !errors.As(err, &missing) {
		t.Error(err)
	}
	if _, err := c.Unpin("witness"); !errors.As(err, &missing) {
		t.Error(err)
	}
	// By the name of a policy the plugin is locked.
	pinned := p.pin("scans")
	if pinned.Entry.Name != "witness" {
		t.Errorf("%+v", pinned)
	}
	c = p.catalogue()
	if before, err := c.Unpin("witness"); err != nil || before.Hash != pinned.Entry.Hash || c.Lock().Entry("witness") != nil {
		t.Errorf("%+v: %v", before, err)
	}
}

// TestVerify has a lock's entries as they should be, and otherwise.
func TestVerify(t *testing.T) {
	p := newPlace(t)
	p.plugin("fine", plugins.RuntimeProcess)
	p.pin("fine")
	p.plugin("flipped", plugins.RuntimeWASM)
	p.write("flipped/flipped.wasm", append(must(os.ReadFile(filepath.Join(p.folder, "flipped/flipped.wasm"))), 0, 3, 1, 'x', 0))
	p.pin("flipped")
	elsewhere := filepath.Join(filepath.Dir(p.folder), "elsewhere")
	if err := os.Rename(p.plugin("gone", plugins.RuntimeWASM), elsewhere); err != nil {
		t.Fatal(err)
	}
	if pinned := p.pin(elsewhere); pinned.Entry.Path != "elsewhere" {
		t.Errorf("%+v", pinned.Entry)
	}
	states := func() (states []plugins.State, faults int) {
		verified, err := p.catalogue().Verify()
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range verified {
			states = append(states, v.State)
			if v.Err != nil {
				faults++
			}
		}
		return states, faults
	}
	if got, faults := states(); faults != 0 {
		t.Errorf("%v", got)
	}
	if p.traces() != 0 {
		t.Error("a program ran")
	}
	flipped := filepath.Join(p.folder, "flipped/flipped.wasm")
	code := must(os.ReadFile(flipped))
	code[len(code)/2] ^= 1
	p.write("flipped/flipped.wasm", code)
	p.write("fine/bin/new", nil)
	if err := os.RemoveAll(elsewhere); err != nil {
		t.Fatal(err)
	}
	want := []plugins.State{plugins.StateChanged, plugins.StateChanged, plugins.StateMissing}
	if got, faults := states(); faults != 3 || !cmp.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
}

// TestSurvey lists plugins without looking into programs.
func TestSurvey(t *testing.T) {
	p := newPlace(t)
	p.plugin("a-module", plugins.RuntimeWASM)
	p.plugin("program", plugins.RuntimeProcess)
	p.plugin("stranger", plugins.RuntimeProcess)
	p.pin("a-module", plugins.GrantFeatures)
	p.pin("program")
	p.write("program/bin/new", nil)
	p.write("spoilt/"+plugins.ManifestName, []byte("schema: 1"))
	found, err := p.catalogue().Survey()
	if err != nil {
		t.Fatal(err)
	}
	var got []plugins.State
	for _, s := range found {
		got = append(got, s.State)
		if refused := s.State == plugins.StateUnlocked || s.State == plugins.StateBroken; refused != (s.Problem != nil) {
			t.Errorf("%s: %v", s.Folder, s.Problem)
		}
	}
	if want := []plugins.State{plugins.StateLocked, plugins.StateUnchecked, plugins.StateBroken, plugins.StateUnlocked}; !cmp.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
	if !cmp.Equal(found[0].Grants, []string{plugins.GrantFeatures}) || len(found[1].Shadowed) != 4 {
		t.Errorf("%+v", found)
	}
}

// TestInspect shows plugins that may not run, without running them.
func TestInspect(t *testing.T) {
	p := newPlace(t)
	p.plugin("program", plugins.RuntimeProcess)
	i, err := p.catalogue().Inspect(t.Context(), "sees-all")
	if err != nil || i.Whole || len(i.Policies) != 1 || i.Policies[0].Name != "sees-all" || i.State != plugins.StateUnlocked || i.Problem == nil || len(i.Needs()) != 1 {
		t.Errorf("%+v: %v", i, err)
	}
	p.pin("program")
	i, err = p.catalogue().Inspect(t.Context(), "sees-all")
	if err != nil || i.State != plugins.StateNotGranted || i.Entry == nil || i.Grants() != nil {
		t.Errorf("%+v: %v", i, err)
	}
	i, err = p.catalogue().Inspect(t.Context(), "program")
	if err != nil || !i.Whole || len(i.Policies) != 4 || i.State != plugins.StateLocked || i.Problem != nil || i.Licence != "MIT" {
		t.Errorf("%+v: %v", i, err)
	}
	if p.traces() != 0 {
		t.Error("it ran")
	}
	var missing *plugins.NotFoundError
	if _, err := p.catalogue().Inspect(t.Context(), "absent"); !errors.As(err, &missing) {
		t.Error(err)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func FuzzLock(f *testing.F) {
	f.Add([]byte(lockText))
	f.Add([]byte("schema: 1\nplugins: []\n"))
	f.Add([]byte("schema: 1\nplugins: [&a {name: a, grants: [*a]}]"))
	f.Add([]byte("schema: 1\nplugins:\n  - {name: a, runtime: wasm, hash: " + moduleHash + ", policies: [a], path: \"\\0\"}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := plugins.ParseLock(text)
		if err != nil {
			return
		}
		// What is taken is written and read as the same.
		written, err := l.Text()
		if err != nil {
			t.Fatal(err)
		}
		again, err := plugins.ParseLock(written)
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		for _, e := range l.Plugins {
			if diff := cmp.Diff(&e, again.Entry(e.Name), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		}
	})
}
