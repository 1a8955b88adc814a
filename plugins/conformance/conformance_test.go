package conformance_test

import (
	"bytes"
	"context"
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

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/plugins/conformance"
	"github.com/upl-host/upl-host/plugins/process"
	"github.com/upl-host/upl-host/sdk/session"
)

// built has the modules that the tests need, made once.
var built string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if built, err = os.MkdirTemp("", "conformance"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(built) }()
	for _, plugin := range []struct{ source, name string }{
		{"../../strategies", "strategies"}, {"../../examples/plugins/go-margin", "margin"}, {"testdata/bad", "bad"},
	} {
		if err := build(plugin.source, plugin.name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// build makes a module, with its manifest where it has one.
func build(source, name string) error {
	dir := filepath.Join(built, name)
	command := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-o", filepath.Join(dir, name+".wasm"), ".")
	command.Dir, command.Env = source, append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", name, err, out)
	}
	manifest, err := os.ReadFile(filepath.Join(source, plugins.ManifestName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, plugins.ManifestName), manifest, 0o644)
}

func catalogue(t *testing.T) *plugins.Catalogue {
	t.Helper()
	c := plugins.NewCatalogue(plugins.Options{Trial: true, CacheDir: filepath.Join(built, ".cache")})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func test(t *testing.T, name string, options conformance.Options) (*conformance.Report, error) {
	t.Helper()
	return conformance.Test(t.Context(), catalogue(t), name, options)
}

// failures are the IDs of a list of checks that did not pass.
func failures(checks []conformance.Result) []string {
	ids := []string{}
	for _, c := range checks {
		if c.Status == conformance.Fail {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

func TestGoodPlugins(t *testing.T) {
	for _, name := range []string{"strategies", "margin"} {
		report, err := test(t, filepath.Join(built, name), conformance.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if report.Verdict != conformance.Pass || report.Err() != nil || report.Plugin != name || !strings.HasPrefix(report.Hash, "sha256:") {
			t.Errorf("%s: %+v", name, report)
		}
		for _, p := range report.Policies {
			for _, c := range p.Checks {
				if t.Logf("%s %-22s %s %s", p.Name, c.ID, c.Status, c.Detail); c.Status == conformance.Fail || c.ID == "" || c.Title == "" {
					t.Errorf("%s: %+v", p.Name, c)
				}
			}
		}
		text, err := json.Marshal(report)
		var back conformance.Report
		if err := errors.Join(err, json.Unmarshal(text, &back)); err != nil || back.Verdict != report.Verdict || len(back.Policies) != len(report.Policies) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestBadPolicies has each policy fail the check that is about its fault, and no
// other: what needs that check is skipped.
func TestBadPolicies(t *testing.T) {
	want := map[string][]string{
		"good": {}, "required": {}, "soft": {}, "wants-prior": {},
		"map-order":         {"determinism/hash-order"},
		"language-random":   {"determinism/hash-order", "edge/no-rows"},
		"batches":           {"determinism/batch-size"},
		"no-rows":           {"edge/no-rows"},
		"second-model":      {"edge/one-model"},
		"undeclared-view":   {"contract/views"},
		"undeclared-rounds": {"contract/runs"},
		"endless-rounds":    {"contract/runs"},
		"wrong-default":     {"contract/parameters"},
		"untyped":           {"parameters/refused"},
		"internal":          {"parameters/accepted"},
		"nameless":          {"parameters/accepted"},
		"hangs":             {"contract/runs"},
		"hangs-on-ties":     {"edge/ties"},
		"keeps-all":         {"limits/large"},
		"floods":            {"limits/large"},
		"ungranted":         {"features/denied", "features/absent"},
		"greedy":            {"contract/needs"},
		"soft-surprised":    {"takes/hard-only"},
		"anonymous":         {"contract/description"},
		"unnormalised":      {"contract/runs"},
		"divides-by-least":  {"edge/one-hot", "edge/starved-class"},
	}
	policies, err := catalogue(t).FindAll(t.Context(), filepath.Join(built, "bad", "bad.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, p := range policies {
		report, err := conformance.TestPolicy(t.Context(), p, conformance.Options{Timeout: patience(p.Name)})
		if err != nil {
			t.Fatal(err)
		}
		got[p.Name] = failures(report.Checks)
		for _, c := range report.Checks {
			if c.Status == conformance.Fail {
				t.Logf("%-18s %-22s %s | %s", p.Name, c.ID, c.Detail, c.Advice)
			}
			if c.Status == conformance.Fail && (c.Detail == "" || c.Advice == "") {
				t.Errorf("%s, %s fails without a reason or advice: %+v", p.Name, c.ID, c)
			}
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// patience is how long a policy's checks may take on a machine with much else to do;
// those that hang take all of it.
func patience(policy string) time.Duration {
	switch policy {
	case "hangs":
		return time.Second
	case "hangs-on-ties":
		return 6 * time.Second
	}
	return time.Minute
}

func TestError(t *testing.T) {
	report, err := test(t, filepath.Join(built, "bad", "bad.wasm")+"#no-rows", conformance.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var failed *conformance.Error
	if err := report.Err(); !errors.As(err, &failed) || failed.Failed != 1 || failed.Tried != 1+report.Count(conformance.Pass) || failed.Plugin != "bad.wasm#no-rows" {
		t.Error(err)
	}
}

// TestPrograms runs the same policies as programs of their own: what a sandbox hides,
// the order of hash maps, shows in two runs.
func TestPrograms(t *testing.T) {
	modules := catalogue(t)
	program := filepath.Join(t.TempDir(), "bad")
	command := exec.Command("go", "build", "-o", program, "./testdata/bad")
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	carrier := process.Open([]string{program}, process.Options{})
	t.Cleanup(func() {
		if err := carrier.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, want := range map[string][]string{
		"good":          {},
		"map-order":     {"determinism/repeat"},
		"batches":       {"determinism/batch-size"},
		"hangs-on-ties": {"edge/ties"},
	} {
		p, err := modules.Find(t.Context(), filepath.Join(built, "bad", "bad.wasm")+"#"+name)
		if err != nil {
			t.Fatal(err)
		}
		p = p.Through(func(session.Carrier) session.Carrier { return carrier })
		report, err := conformance.TestPolicy(t.Context(), p, conformance.Options{Timeout: patience(name)})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, failures(report.Checks)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		for _, c := range report.Checks {
			if c.ID == "limits/large" && c.Status == conformance.Pass && !strings.Contains(c.Detail, "MiB") {
				t.Errorf("%s: no memory in %q", name, c.Detail)
			}
		}
	}
}

func TestPluginFaults(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.CopyFS(broken, os.DirFS(filepath.Join(built, "margin"))); err != nil {
		t.Fatal(err)
	}
	change := func(name string, how func([]byte) []byte) {
		t.Helper()
		file := filepath.Join(broken, name)
		text, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(file, how(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		id, says string
		damage   func()
	}{
		{"contract/manifest", `version: "1.0.1", and the module says "1.0.0"`, func() {
			change(plugins.ManifestName, func(text []byte) []byte {
				return []byte(strings.Replace(string(text), "    version: 1.0.0", "    version: 1.0.1", 1))
			})
		}},
		{"contract/loads", "parameter schema", func() { // in the manifest as in the module
			change(plugins.ManifestName, func(text []byte) []byte {
				mended := strings.Replace(string(text), "    version: 1.0.1", "    version: 1.0.0", 1)
				return []byte(strings.Replace(mended, "type: integer", "type: integre", 1))
			})
			change("margin.wasm", func(code []byte) []byte {
				return bytes.Replace(code, []byte(`"type": "integer"`), []byte(`"type": "integre"`), 1)
			})
		}},
		{"contract/loads", "margin.wasm", func() { change("margin.wasm", func(code []byte) []byte { return code[:1000] }) }},
		{"contract/manifest", "entry margin.wasm is not there", func() {
			if err := os.Remove(filepath.Join(broken, "margin.wasm")); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		c.damage()
		report, err := test(t, broken, conformance.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := failures(report.Checks); !slices.Equal(got, []string{c.id}) || report.Verdict != conformance.Fail || !strings.Contains(fmt.Sprint(report.Checks), c.says) {
			t.Errorf("%v, not %s: %+v", got, c.id, report)
		}
	}
}

func TestUsersFaults(t *testing.T) {
	var missing *plugins.NotFoundError
	if _, err := test(t, "absent", conformance.Options{}); !errors.As(err, &missing) {
		t.Error(err)
	}
	if _, err := test(t, "./absent", conformance.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	margin := filepath.Join(built, "margin")
	var parameter *plugins.ParameterError
	for _, params := range []string{`{"k": 0}`, `{"kk": 1}`, `[`} {
		if _, err := test(t, margin, conformance.Options{Params: []byte(params)}); !errors.As(err, &parameter) {
			t.Errorf("%s: %v", params, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := conformance.Test(ctx, catalogue(t), margin, conformance.Options{Progress: func(_ string, r conformance.Result) {
		if r.ID == "determinism/threads" {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestParams has given parameters in every run.
func TestParams(t *testing.T) {
	report, err := test(t, filepath.Join(built, "margin"), conformance.Options{Params: []byte(`{"k": 1}`)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range report.Policies[0].Checks {
		if c.ID == "contract/runs" && !strings.Contains(c.Detail, ": 7 hard labels") {
			t.Error(c.Detail)
		}
	}
}
