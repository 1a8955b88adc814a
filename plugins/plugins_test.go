package plugins_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/plugins/isolated"
	"github.com/upl-host/upl-host/plugins/wasm"
	"github.com/upl-host/upl-host/sdk/sdktest"
)

// shipped is a folder of plugins with the strategies in it, built once.
var shipped string

// TestMain is the child process of an isolated module too.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "isolated" {
		isolated.Serve(os.Args[2], "")
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if shipped, err = os.MkdirTemp("", "plugins"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(shipped) }()
	dir := filepath.Join(shipped, "strategies")
	command := exec.Command("go", "build", "-trimpath", "-buildmode=c-shared", "-o", filepath.Join(dir, "strategies.wasm"), "../strategies")
	command.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := command.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	manifest, err := os.ReadFile("../strategies/" + plugins.ManifestName)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, plugins.ManifestName), manifest, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func open(t *testing.T, folders ...string) *plugins.Catalogue {
	t.Helper()
	c := plugins.NewCatalogue(plugins.Options{Folders: folders, CacheDir: filepath.Join(shipped, ".cache")})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// copied is a folder of plugins with a copy of the strategies, its manifest
// changed.
func copied(t *testing.T, old, changed string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(filepath.Join(folder, "copy"), os.DirFS(filepath.Join(shipped, "strategies"))); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "copy", plugins.ManifestName)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("the manifest has no %q", old)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), old, changed, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestFind(t *testing.T) {
	dir := filepath.Join(shipped, "strategies")
	c := open(t, filepath.Join(shipped, "absent"), shipped)
	for _, name := range []string{"top-k", "strategies#top-k", dir + "#top-k", dir + "/strategies.wasm#top-k"} {
		p, err := c.Find(t.Context(), name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.Name != "top-k" || p.Path != filepath.Join(dir, "strategies.wasm") || !strings.HasPrefix(p.Hash, "sha256:") || len(p.Hash) != 71 {
			t.Errorf("%s: %+v", name, p)
		}
	}
	var missing *plugins.NotFoundError
	for _, name := range []string{"topk", "other#top-k", dir + "#topk"} {
		if _, err := c.Find(t.Context(), name); !errors.As(err, &missing) || !slices.Contains(missing.Known, "threshold") {
			t.Errorf("%s: %v", name, err)
		}
	}
	var ambiguous *plugins.AmbiguousError
	if _, err := c.Find(t.Context(), dir); !errors.As(err, &ambiguous) || !slices.Contains(ambiguous.Choices, dir+"#threshold") {
		t.Error(err)
	}
	if _, err := c.Find(t.Context(), "./absent.wasm"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}

	// The earlier folder's policy is taken; in one folder a name has to be one's.
	folder := copied(t, "", "")
	p, err := open(t, folder, shipped).Find(t.Context(), "mean")
	if err != nil || filepath.Dir(filepath.Dir(p.Path)) != folder {
		t.Errorf("%+v: %v", p, err)
	}
	if err := os.CopyFS(filepath.Join(folder, "twin"), os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, folder).Find(t.Context(), "mean"); !errors.As(err, &ambiguous) || len(ambiguous.Choices) != 2 {
		t.Error(err)
	}
}

func TestManifests(t *testing.T) {
	shippedManifest, err := os.ReadFile(filepath.Join(shipped, "strategies", plugins.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	policies := strings.Split(string(shippedManifest), "  - name: ")[1:]
	last := "  - name: " + policies[len(policies)-1]
	// policy is where the manifest lists one.
	policy := func(name string) string {
		place := slices.IndexFunc(policies, func(text string) bool { return strings.HasPrefix(text, name+"\n") })
		return fmt.Sprintf("policies[%d]", place)
	}
	for name, c := range map[string]struct{ old, changed, says string }{
		"unknown key":       {"licence:", "license: MIT\nlicence:", "line 7: unknown key license"},
		"wrong type":        {"abi: 1", "abi: one", "line 9: cannot unmarshal"},
		"not YAML":          {"schema: 1", "schema: [", "line"},
		"schema":            {"schema: 1", "schema: 2", "schema is 2, not 1"},
		"name":              {"name: strategies", "name: Strategies", `name "Strategies"`},
		"version":           {"version: 1.2.0", "version: v1", `version "v1"`},
		"runtime":           {"runtime: wasm", "runtime: script", `runtime "script"`},
		"abi":               {"abi: 1", "abi: 2", "abi is 2, this host's is 1"},
		"entry elsewhere":   {"entry: strategies.wasm", "entry: ../strategies.wasm", "not a file of the plugin's folder"},
		"entry at the root": {"entry: strategies.wasm", "entry: /etc/passwd", "not a file of the plugin's folder"},
		"kind":              {"kind: ensemble", "kind: oracle", `kind "oracle"`},
		"twice":             {"name: threshold", "name: top-k", "top-k is listed twice"},
		"two documents":     {"entry: strategies.wasm", "entry: strategies.wasm\n---\n", "more than one document"},
		"limits":            {"abi: 1", "abi: 1\nlimits: {time: 1us, memory: 1KiB}", "limits.memory: 1KiB is not within 64KiB to 1024GiB"},
		"time":              {"abi: 1", "abi: 1\nlimits: {time: soon}", "line 10: cannot unmarshal !!str `soon`"},
		"memory":            {"abi: 1", "abi: 1\nlimits: {memory: 1.5GB}", `line 10: "1.5GB" is no size such as 512MiB`},
		"unknown need":      {"needs: {", "needs: {network: true, ", "unknown key network"},

		"says another name":    {"name: single", "name: singular", policy("single") + `.name: "singular", and the module says "single"`},
		"says another version": {"version: 1.1.0\n    kind: ensemble", "version: 1.0.1\n    kind: ensemble", policy("mean") + `.version: "1.0.1", and the module says "1.1.0"`},
		"says another need":    {"views: [stats]", "views: [stats, features]", policy("threshold") + ".needs.views"},
		"says another default": {"default: 16", "default: 17", "policies[0].parameters.properties.k.default: 17, and the module says 16"},
		"says another type":    {"default: 16", `default: "16"`, `policies[0].parameters.properties.k.default: "16", and the module says 16`},
		"lacks a key":          {"\n          default: 16", "", "policies[0].parameters.properties.k.default: is missing, and the module says 16"},
		"has another key":      {"default: 16", "default: 16\n          title: K", `policies[0].parameters.properties.k.title: "K", and the module has none`},
		"leaves a policy out":  {last, "", fmt.Sprintf("lists %d policies, and the module has %d", len(policies)-1, len(policies))},
	} {
		t.Run(name, func(t *testing.T) {
			folder := copied(t, c.old, c.changed)
			_, err := open(t).Find(t.Context(), filepath.Join(folder, "copy")+"#mean")
			var manifest *plugins.ManifestError
			if !errors.As(err, &manifest) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "plugins.") || strings.Contains(err.Error(), "struct") {
				t.Errorf("%v does not say %q", err, c.says)
			}
		})
	}
	if _, err := plugins.ParseManifest(nil); err == nil || err.Error() != "is empty" {
		t.Error(err)
	}
	// A plugin that cannot be read is named where a policy is missed.
	c := open(t, copied(t, "schema: 1", "schema: 2"), shipped)
	if _, err := c.Find(t.Context(), "mean"); err != nil {
		t.Error(err)
	}
	if _, err := c.Find(t.Context(), "absent"); err == nil || !strings.Contains(err.Error(), "schema is 2") {
		t.Error(err)
	}
	if all, err := c.List(); err != nil || len(all) != 2 || all[0].Err == nil || all[1].Manifest.Name != "strategies" {
		t.Errorf("%+v: %v", all, err)
	}
}

// TestLinks keeps a plugin inside its folder.
func TestLinks(t *testing.T) {
	folder := copied(t, "", "")
	entry := filepath.Join(folder, "copy", "strategies.wasm")
	if err := os.Remove(entry); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(shipped, "strategies", "strategies.wasm"), entry); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, folder).Find(t.Context(), "mean"); err == nil || !strings.Contains(err.Error(), "escapes") {
		t.Error(err)
	}
}

func TestParameters(t *testing.T) {
	c := open(t, shipped)
	for _, check := range []struct{ policy, params, says string }{
		{"top-k", ``, ""},
		{"top-k", `{"k": 5, "weight": "confidence"}`, ""},
		{"top-k", `{"k": -1}`, "policy top-k: parameter k: minimum: got -1, want 0 (images per class; 0: all: integer, at least 0, at most 4294967295, default 16)"},
		{"top-k", `{"k": "16"}`, "policy top-k: parameter k: got string, want integer ("},
		{"top-k", `{"k": 1.5}`, "policy top-k: parameter k: got number, want integer ("},
		{"top-k", `{"K": 5}`, "policy top-k: parameter K: unknown; there are k, weight"},
		{"top-k", `{"weight": "two"}`, "one or confidence"},
		{"top-k", `[]`, "policy top-k: "},
		{"top-k", `{`, "not JSON"},
		{"mean", `{"k": 5}`, "unknown; there are calibrate"},
		{"threshold", `{"t": 1.1, "cap": -1}`, "policy threshold: parameter t: "},
	} {
		p, err := c.Find(t.Context(), check.policy)
		if err != nil {
			t.Fatal(err)
		}
		err = p.CheckParams(json.RawMessage(check.params))
		var parameter *plugins.ParameterError
		switch {
		case check.says == "" && err != nil:
			t.Errorf("%s: %v", check.params, err)
		case check.says != "" && (!errors.As(err, &parameter) || !strings.Contains(err.Error(), check.says)):
			t.Errorf("%s: %v does not say %q", check.params, err, check.says)
		}
	}
}

func TestWrongKind(t *testing.T) {
	p, err := open(t, shipped).Find(t.Context(), "mean")
	if err != nil {
		t.Fatal(err)
	}
	m := sdktest.Matrix{Values: []float32{1}, C: 1}
	in := plugins.Input{Ensemble: m, Models: []plugins.Probabilities{m}, ClassNames: []string{"a"}}
	if _, err := p.Select(t.Context(), in); err == nil || !strings.Contains(err.Error(), "of kind ensemble, not selection") {
		t.Error(err)
	}
}

func FuzzManifest(f *testing.F) {
	text, err := os.ReadFile("../strategies/" + plugins.ManifestName)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("a: &a [*a]"))
	f.Add(bytes.Replace(text, []byte("abi: 1"), []byte("abi: 1\nlimits: {time: 2m, memory: 512MiB}"), 1))
	f.Add(bytes.Replace(text, []byte("runtime: wasm"), []byte("runtime: process"), 1))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := plugins.ParseManifest(text)
		if err == nil && (m.Schema != 1 || len(m.Policies) == 0 || m.Entry != filepath.Base(m.Entry) || m.Limits.Time < 0 || m.Limits.Memory < 0) {
			t.Errorf("%+v", m)
		}
	})
}

// BenchmarkLoad compiles the strategies' module: anew, and with a folder of
// compiled code.
func BenchmarkLoad(b *testing.B) {
	code, err := os.ReadFile(filepath.Join(shipped, "strategies", "strategies.wasm"))
	if err != nil {
		b.Fatal(err)
	}
	for name, options := range map[string]wasm.Options{"cold": {}, "warm": {CacheDir: filepath.Join(b.TempDir(), "cache")}} {
		if options.CacheDir != "" {
			m, err := wasm.Load(b.Context(), code, options)
			if err != nil {
				b.Fatal(err)
			}
			if err := m.Close(); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(code)))
			for b.Loop() {
				m, err := wasm.Load(b.Context(), code, options)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := m.Describe(b.Context()); err != nil {
					b.Fatal(err)
				}
				if err := m.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPolicies runs the shipped policies whole.
func BenchmarkPolicies(b *testing.B) {
	const rows, classes = 100_000, 100
	p := sdktest.Matrix{Values: slices.Repeat([]float32{0.5 / (classes - 1)}, rows*classes), C: classes}
	for i := range rows {
		p.Values[i*classes+i*7%classes] = 0.5
	}
	c := plugins.NewCatalogue(plugins.Options{Folders: []string{shipped}})
	defer func() { _ = c.Close() }()
	for _, name := range []string{"top-k", "threshold", "mean", "single"} {
		policy, err := c.Find(b.Context(), name)
		if err != nil {
			b.Fatal(err)
		}
		in := plugins.Input{Models: []plugins.Probabilities{p, p, p}, ClassNames: make([]string, classes)}
		in.Limits.Call = time.Minute
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if policy.Kind == "ensemble" {
					_, err = policy.Combine(b.Context(), in, func(int, []float32) error { return nil })
				} else {
					in.Ensemble = p
					_, err = policy.Select(b.Context(), in)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
