package graphs_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/upl-host/upl-host/graphs"
)

// A model is the same one by way of a link.
func TestHashOfLink(t *testing.T) {
	dir := t.TempDir()
	model, link := filepath.Join(dir, "rn50"), filepath.Join(dir, "link")
	if err := os.Mkdir(model, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(model, "saved_model.pb"), []byte("graph"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(model, link); err != nil {
		t.Fatal(err)
	}
	want, err := graphs.Hash(model)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := graphs.Hash(link); err != nil || got != want {
		t.Errorf("by the link %q, %v; want %q", got, err, want)
	}
	if _, err := graphs.Hash(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a folder that is not there has a hash")
	}
}
