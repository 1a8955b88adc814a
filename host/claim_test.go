package host

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/folder"
)

func configured(t *testing.T, set ...string) *config.Config {
	t.Helper()
	c, err := config.Load(config.Source{Set: append([]string{"models=[{path: /m/vit}]", "dataset.path=/pictures", "cache.dir=/c"}, set...)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func opened(t *testing.T, path string) *folder.Folder {
	t.Helper()
	f, err := folder.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// A folder is bound to the configuration that it was first used with, as far as
// that decides results.
func TestClaim(t *testing.T) {
	f := opened(t, t.TempDir())
	if err := claim(f, configured(t)); err != nil {
		t.Fatal(err)
	}
	if err := claim(f, configured(t, "run.threads=3", "name=other", "log.level=debug")); err != nil {
		t.Errorf("what changes no result is refused: %v", err)
	}
	plain := opened(t, t.TempDir())
	for _, epochs := range []string{"learn.epochs=50", "learn.epochs=7"} {
		if err := claim(plain, configured(t, "learn.method=zero-shot", epochs)); err != nil {
			t.Errorf("what zero-shot classification does not use is refused: %v", err)
		}
	}
	err := claim(f, configured(t, "learn.epochs=7", "label.selection.params={k: 3}", "run.threads=2"))
	var other *OtherConfigurationError
	var usage *UsageError
	if !errors.As(err, &other) || !errors.As(err, &usage) {
		t.Fatalf("another configuration gives %v", err)
	}
	want := []string{"label.selection.params: {k: 3}, was {}", "learn.epochs: 7, was 50"}
	if diff := cmp.Diff(want, other.Differences); diff != "" {
		t.Error(diff)
	}
	for _, part := range append(want, f.Path, "--out") {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	// The refused one has changed nothing: the first goes on.
	if err := claim(f, configured(t)); err != nil {
		t.Errorf("after a refusal: %v", err)
	}
}

func TestClaimRefusesForeignFolders(t *testing.T) {
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var usage *UsageError
	if err := claim(opened(t, path), configured(t)); !errors.As(err, &usage) {
		t.Errorf("a folder of other files gives %v", err)
	}
	if _, err := os.Stat(filepath.Join(path, "run.yaml")); err == nil {
		t.Error("a run.yaml is in the foreign folder")
	}
}

func TestClaimNeedsAReadableRecord(t *testing.T) {
	f := opened(t, t.TempDir())
	if err := f.Write("run.yaml", []byte("models: 3\n")); err != nil {
		t.Fatal(err)
	}
	var wrong *config.Error
	if err := claim(f, configured(t)); !errors.As(err, &wrong) {
		t.Errorf("a damaged run.yaml gives %v", err)
	}
}
