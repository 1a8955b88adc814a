package arrays_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/arrays"
	"github.com/upl-host/upl-host/plugins"
)

// catalogue has the shipped policies; guest is the module of testdata/guest.
var (
	catalogue *plugins.Catalogue
	guest     string
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "arrays")
	if err == nil {
		defer func() { _ = os.RemoveAll(folder) }()
		guest = filepath.Join(folder, "guest.wasm")
		err = build(guest, "./testdata/guest")
	}
	shipped := filepath.Join(folder, "plugins", "strategies")
	if err == nil {
		err = build(filepath.Join(shipped, "strategies.wasm"), "../../strategies")
	}
	var manifest []byte
	if err == nil {
		manifest, err = os.ReadFile(filepath.Join("../../strategies", plugins.ManifestName))
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(shipped, plugins.ManifestName), manifest, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	catalogue = plugins.NewCatalogue(plugins.Options{Folders: []string{filepath.Dir(shipped)}, Grants: []string{plugins.GrantFeatures}})
	defer func() { _ = catalogue.Close() }()
	return m.Run()
}

func build(file, source string) error {
	command := exec.Command("go", "build", "-trimpath", "-buildmode=c-shared", "-o", file, source)
	command.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", source, err, out)
	}
	return nil
}

// save writes an array to a new .npy file and returns its path.
func save(t testing.TB, name string, shape []int, data any) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := array.WriteFile(path, array.Array{Shape: shape, Data: data}); err != nil {
		t.Fatal(err)
	}
	return path
}

// three are probabilities of three rows and two classes.
func three(t testing.TB) string {
	return save(t, "p.npy", []int{3, 2}, []float32{0.75, 0.25, 0.5, 0.5, 0.125, 0.875})
}

func job(t testing.TB, output, policy, params string, probabilities ...string) arrays.Job {
	t.Helper()
	j := arrays.Job{Catalogue: catalogue, Output: filepath.Join(t.TempDir(), output), Policy: arrays.Choice{Name: policy}}
	j.Probabilities = probabilities
	if params != "" {
		j.Policy.Params = json.RawMessage(params)
	}
	return j
}

// contents reads a .npz file.
func contents(t testing.TB, path string) map[string]array.Array {
	t.Helper()
	arrays, err := array.ReadArchive(path)
	if err != nil {
		t.Fatal(err)
	}
	return arrays
}
