package plugins_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk/sdktest"
)

// TestExamplePlugin makes, tests and loads the example as docs/plugins.md says.
func TestExamplePlugin(t *testing.T) {
	source, err := filepath.Abs("../examples/plugins/go-margin")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	dir := filepath.Join(folder, "margin")
	for _, command := range []*exec.Cmd{
		exec.Command("go", "test", "./..."),
		exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-o", filepath.Join(dir, "margin.wasm"), "."),
	} {
		command.Dir, command.Env = source, append(os.Environ(), "GOFLAGS=")
		if slices.Contains(command.Args, "build") {
			command.Env = append(command.Env, "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
		}
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", command.Args, err, out)
		}
	}
	manifest, err := os.ReadFile(filepath.Join(source, plugins.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, plugins.ManifestName), manifest, 0o644); err != nil {
		t.Fatal(err)
	}
	policy, err := open(t, folder, shipped).Find(t.Context(), "top-k-margin")
	if err != nil {
		t.Fatal(err)
	}
	p := sdktest.Matrix{C: 3, Values: []float32{0.6, 0.4, 0, 0.5, 0.25, 0.25, 0.25, 0.5, 0.25}}
	got, err := policy.Select(t.Context(), plugins.Input{
		Ensemble: p, Models: []plugins.Probabilities{p}, ClassNames: []string{"cat", "dog", "hen"}, Params: []byte(`{"k": 1}`),
	})
	want := []plugins.Label{{Row: 1, Class: 0, Weight: 1}, {Row: 2, Class: 1, Weight: 1}}
	if err != nil || !slices.Equal(got.Labels, want) {
		t.Errorf("%v, not %v: %v", got.Labels, want, err)
	}
}
