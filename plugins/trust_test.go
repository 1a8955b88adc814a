package plugins_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/plugins"
)

func TestWithoutLock(t *testing.T) {
	p := newPlace(t)
	dir := p.plugin("module", plugins.RuntimeWASM)
	if policy := p.allowed("scans"); policy.State != plugins.StateUnlocked || policy.Granted != nil {
		t.Errorf("%+v", policy)
	}
	p.refused("sees-all", plugins.StateNotGranted, p.command(dir+" --grant features"))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	dir = p.plugin("program", plugins.RuntimeProcess)
	p.refused("scans", plugins.StateUnlocked, p.command(dir))
	if n := p.traces(); n != 0 {
		t.Errorf("a program ran %d times before it was locked", n)
	}
	// Its author's tests run it all the same, and show it all.
	p.more = func(o *plugins.Options) { o.Trial = true }
	if policy := p.allowed("sees-all"); len(policy.Granted) != 1 {
		t.Errorf("%+v", policy)
	}
}

// TestLocked runs both carriers as they were locked.
func TestLocked(t *testing.T) {
	for _, runtime := range []string{plugins.RuntimeWASM, plugins.RuntimeProcess} {
		t.Run(runtime, func(t *testing.T) {
			p := newPlace(t)
			dir := p.plugin("witness", runtime)
			pinned := p.pin("witness")
			if n := p.traces(); n != 0 {
				t.Errorf("locking ran the program %d times", n)
			}
			if len(pinned.Withheld) != 1 || pinned.Before != nil || pinned.Entry.Path != "" || len(pinned.Entry.Policies) != 4 {
				t.Errorf("%+v", pinned)
			}
			policy := p.allowed("scans")
			if policy.State != plugins.StateLocked || policy.Hash != pinned.Entry.Hash || policy.Runtime != runtime {
				t.Errorf("%+v", policy)
			}
			if _, err := runOnce(t, policy); err != nil {
				t.Error(err)
			}

			// Features are seen by grant alone, whatever the caller says.
			p.refused("sees-all", plugins.StateNotGranted, p.command(dir+" --grant features"))
			if n := p.traces(); runtime == plugins.RuntimeProcess && n != 1 {
				t.Errorf("it ran %d times", n)
			}
			p.pin("witness", plugins.GrantFeatures)
			policy = p.allowed("sees-all")
			if _, err := runOnce(t, policy); err != nil || len(policy.Granted) != 1 {
				t.Errorf("%v: %v", policy.Granted, err)
			}
			if policy := p.allowed("scans"); policy.Granted != nil {
				t.Errorf("what it does not need is granted: %v", policy.Granted)
			}
			if again := p.pin("witness"); again.Before == nil || len(again.Before.Grants) != 1 || len(again.Entry.Grants) != 0 {
				t.Errorf("locked without a grant it has one: %+v", again)
			}
			p.refused("sees-all", plugins.StateNotGranted, p.command(dir+" --grant features"))
		})
	}
}

// TestChanged changes a plugin after it was locked, by as little as can be.
func TestChanged(t *testing.T) {
	for name, change := range map[string]struct{ runtime, file, says string }{
		"module":   {plugins.RuntimeWASM, "witness.wasm", "witness.wasm is not what"},
		"entry":    {plugins.RuntimeProcess, "witness.sh", "(changed: witness.sh)"},
		"another":  {plugins.RuntimeProcess, "bin/witness", "(changed: bin/witness)"},
		"manifest": {plugins.RuntimeProcess, plugins.ManifestName, "(changed: upl-plugin.yaml)"},
		"added":    {plugins.RuntimeProcess, "bin/more", "(changed: bin/more)"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			dir := p.plugin("witness", change.runtime)
			p.pin(dir, plugins.GrantFeatures)
			p.allowed("scans") // which makes a copy of the program
			ran := p.traces()
			file := filepath.Join(dir, change.file)
			content, err := os.ReadFile(file)
			if err != nil {
				content = []byte("new\n")
			}
			content[len(content)-1] ^= '\n' ^ ' '
			p.write("witness/"+change.file, content)
			trust := p.refused("scans", plugins.StateChanged, p.command(dir+" --grant features"))
			var integrity *plugins.IntegrityError
			if !errors.As(trust, &integrity) || integrity.Want == integrity.Got || !strings.Contains(trust.Reason, integrity.Want) {
				t.Errorf("%v: %+v", trust, integrity)
			}
			if !strings.Contains(trust.Reason, change.says) {
				t.Errorf("%v does not say %q", trust, change.says)
			}
			if n := p.traces(); n != ran {
				t.Errorf("it ran %d times more", n-ran)
			}
		})
	}
}

// TestVersionInManifest has a module's manifest, which its hash does not cover, say
// something else.
func TestVersionInManifest(t *testing.T) {
	p := newPlace(t)
	dir := p.plugin("witness", plugins.RuntimeWASM)
	p.pin("witness")
	file := filepath.Join(dir, plugins.ManifestName)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p.write("witness/"+plugins.ManifestName, bytes.Replace(text, []byte("version: 1.0.0"), []byte("version: 1.0.1"), 1))
	if trust := p.refused("scans", plugins.StateChanged, p.command(dir)); !strings.Contains(trust.Reason, "1.0.1") || !strings.Contains(trust.Reason, "1.0.0") {
		t.Error(trust)
	}
}

// TestAnotherName uses the same bytes by another name.
func TestAnotherName(t *testing.T) {
	p := newPlace(t)
	dir := p.plugin("witness", plugins.RuntimeWASM)
	p.pin("witness")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	dir = p.plugin("twin", plugins.RuntimeWASM)
	command := p.command("--remove witness") + " && " + p.command(dir)
	p.refused(dir+"#scans", plugins.StateRenamed, command)
	_, err := p.catalogue().Pin(t.Context(), "twin", nil)
	var trust *plugins.TrustError
	if !errors.As(err, &trust) || trust.State != plugins.StateRenamed || trust.Command != command || !strings.Contains(trust.Reason, "witness") {
		t.Error(err)
	}
}

// TestShadowing puts a plugin before another one that has the policy too.
func TestShadowing(t *testing.T) {
	p := newPlace(t)
	copies := filepath.Join(shipped, "strategies")
	p.more = func(o *plugins.Options) { o.Folders, o.Trusted = append(o.Folders, shipped), []string{shipped} }
	if policy := p.allowed("mean"); policy.State != plugins.StateBuiltIn || policy.Shadows != "" {
		t.Errorf("%+v", policy)
	}

	// Without a lock the user is warned.
	if err := os.CopyFS(filepath.Join(p.folder, "impostor"), os.DirFS(copies)); err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile(filepath.Join(copies, plugins.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	p.write("impostor/"+plugins.ManifestName, bytes.Replace(manifest, []byte("name: strategies"), []byte("name: impostor"), 1))
	code, err := os.ReadFile(filepath.Join(copies, "strategies.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	// A custom section of one byte: other bytes, the same code.
	p.write("impostor/strategies.wasm", append(code, 0, 3, 1, 'x', 0))
	if policy := p.allowed("mean"); policy.State != plugins.StateUnlocked || policy.Shadows != copies || policy.Plugin != "impostor" {
		t.Errorf("%+v", policy)
	}
	if policy := p.allowed("impostor#mean"); policy.Shadows != "" {
		t.Errorf("warned of what was said: %+v", policy)
	}
	found, err := p.catalogue().Survey()
	if err != nil || len(found) != 2 || len(found[0].Shadowed) != 0 || len(found[1].Shadowed) != len(found[1].Manifest.Policies) || found[1].State != plugins.StateBuiltIn {
		t.Errorf("%+v: %v", found, err)
	}

	// With one, what it has by that name is not to be taken over.
	p.pin(copies)
	impostor := filepath.Join(p.folder, "impostor")
	trust := p.refused("mean", plugins.StateMoved, p.command(impostor))
	for _, name := range []string{"impostor#mean", "strategies#mean"} {
		if !strings.Contains(trust.Error(), name) {
			t.Errorf("%v does not name %s", trust, name)
		}
	}
	if policy := p.allowed("strategies#mean"); policy.State != plugins.StateLocked {
		t.Errorf("%+v", policy)
	}
	p.refused("impostor#mean", plugins.StateUnlocked, p.command(impostor))
	if verified, err := p.catalogue().Verify(); err != nil || len(verified) != 1 || verified[0].State != plugins.StateMoved || verified[0].Err == nil {
		t.Errorf("%+v: %v", verified, err)
	}
	p.pin(impostor)
	var ambiguous *plugins.AmbiguousError
	if _, err := p.find("mean"); !errors.As(err, &ambiguous) || !slices.Equal(ambiguous.Choices, []string{"impostor#mean", "strategies#mean"}) {
		t.Error(err)
	}
	p.allowed("impostor#mean")
}

// TestBuiltIn trusts what lies in a folder of the program's, and not what a link of
// it leads to.
func TestBuiltIn(t *testing.T) {
	p := newPlace(t)
	dir := p.plugin("witness", plugins.RuntimeWASM)
	trusted := t.TempDir()
	if err := os.Symlink(dir, filepath.Join(trusted, "witness")); err != nil {
		t.Fatal(err)
	}
	if err := (&plugins.Lock{Schema: 1}).Write(p.lock); err != nil {
		t.Fatal(err)
	}
	p.more = func(o *plugins.Options) { o.Folders, o.Trusted = []string{trusted}, []string{trusted} }
	p.refused("scans", plugins.StateUnlocked, p.command(filepath.Join(trusted, "witness")))
	// Whatever is built in, the lock's word is the last.
	p.more = func(o *plugins.Options) { o.Trusted = []string{p.folder} }
	p.allowed("scans")
	p.pin("witness")
	file := filepath.Join(dir, "witness.wasm")
	code, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p.write("witness/witness.wasm", append(code, 0, 3, 1, 'x', 0))
	p.refused("scans", plugins.StateChanged, p.command(dir))
}

// TestProgramIsNeverBuiltIn wants an entry for every program.
func TestProgramIsNeverBuiltIn(t *testing.T) {
	p := newPlace(t)
	dir := p.plugin("witness", plugins.RuntimeProcess)
	p.more = func(o *plugins.Options) { o.Trusted = []string{p.folder} }
	p.refused("scans", plugins.StateUnlocked, p.command(dir))
}

// TestAsked holds what a manifest asks for against the ceiling.
func TestAsked(t *testing.T) {
	for name, c := range map[string]struct {
		runtime, limits string
		ceiling         plugins.Ceiling
		says            string
	}{
		"as much":      {plugins.RuntimeWASM, "{time: 10m, memory: 256MiB}", plugins.Ceiling{}, ""},
		"more time":    {plugins.RuntimeWASM, "{time: 11m}", plugins.Ceiling{}, "asks for 11m, and 10m are allowed: raise label.limits.time (--time) to 11m"},
		"more memory":  {plugins.RuntimeWASM, "{memory: 1GiB}", plugins.Ceiling{Memory: 512 << 20}, "asks for 1GiB, and 512MiB are allowed: raise label.limits.memory (--memory) to 1GiB"},
		"a program":    {plugins.RuntimeProcess, "{memory: 4GiB}", plugins.Ceiling{Memory: 1 << 20}, ""},
		"more of it":   {plugins.RuntimeProcess, "{memory: 5GiB}", plugins.Ceiling{}, "raise label.limits.process_memory (--memory) to 5GiB"},
		"a high bound": {plugins.RuntimeProcess, "{memory: 5GiB, time: 1h}", plugins.Ceiling{ProcessMemory: 8 << 30, Time: 2 << 42}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			dir := p.plugin("witness", c.runtime)
			text, err := os.ReadFile(filepath.Join(dir, plugins.ManifestName))
			if err != nil {
				t.Fatal(err)
			}
			p.write("witness/"+plugins.ManifestName, append(text, "limits: "+c.limits+"\n"...))
			p.pin("witness")
			p.more = func(o *plugins.Options) { o.Ceiling = c.ceiling }
			_, err = p.find("scans")
			var limit *plugins.LimitError
			switch {
			case c.says == "" && err != nil:
				t.Error(err)
			case c.says != "" && (!errors.As(err, &limit) || !strings.Contains(err.Error(), c.says) || p.traces() != 0):
				t.Errorf("%v does not say %q", err, c.says)
			}
		})
	}
}

// TestBareModule locks a module that has no manifest.
func TestBareModule(t *testing.T) {
	p := newPlace(t)
	built, err := builtWitness()
	if err != nil {
		t.Fatal(err)
	}
	file := p.write("bare.wasm", built[plugins.RuntimeWASM])
	pinned := p.pin(file)
	if e := pinned.Entry; e.Name != "bare" || e.Version != "" || len(e.Policies) != 4 || e.Path != "plugins/bare.wasm" {
		t.Errorf("%+v", e)
	}
	if policy := p.allowed(file + "#scans"); policy.State != plugins.StateLocked {
		t.Errorf("%+v", policy)
	}
	if verified, err := p.catalogue().Verify(); err != nil || verified[0].State != plugins.StateLocked || verified[0].Path != file {
		t.Errorf("%+v: %v", verified, err)
	}
	odd := p.write("Odd_name.wasm", append(built[plugins.RuntimeWASM], 0, 3, 1, 'x', 0))
	p.refused(odd+"#scans", plugins.StateUnlocked, p.command(odd))
	var unfit *plugins.UnfitError
	if _, err := p.catalogue().Pin(t.Context(), odd, nil); !errors.As(err, &unfit) {
		t.Error(err)
	}
}

// TestIsolate runs a module in a child process, with what it is granted.
func TestIsolate(t *testing.T) {
	p := newPlace(t)
	p.plugin("witness", plugins.RuntimeWASM)
	p.pin("witness", plugins.GrantFeatures)
	here, err := runOnce(t, p.allowed("sees-all"))
	if err != nil {
		t.Fatal(err)
	}
	p.more = func(o *plugins.Options) { o.Isolate, o.Self = true, []string{os.Args[0], "isolated"} }
	there, err := runOnce(t, p.allowed("sees-all"))
	if err != nil || !cmp.Equal(here, there) {
		t.Errorf("%v, and in a child %v: %v", here, there, err)
	}
	p.more = func(o *plugins.Options) { o.Isolate, o.Self = true, []string{"/bin/false"} }
	if _, err := p.find("scans"); err == nil {
		t.Error("it ran in this process")
	}
}
