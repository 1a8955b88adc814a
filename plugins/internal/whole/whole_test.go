package whole_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/upl-host/upl-host/plugins/internal/whole"
)

func TestFolder(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "deep", "plugin")
	write := func(text string, failure error) error {
		return whole.Folder(dir, func(partial string) error {
			return errors.Join(os.WriteFile(filepath.Join(partial, text), nil, 0o644), failure)
		})
	}
	holds := func(want ...string) {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil && len(want) > 0 {
			t.Fatal(err)
		}
		var got []string
		for _, entry := range entries {
			got = append(got, entry.Name())
		}
		if len(got) != len(want) || (len(want) == 1 && got[0] != want[0]) {
			t.Errorf("the folder holds %v, not %v", got, want)
		}
		if beside, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(beside) != len(want) {
			t.Errorf("beside the folder: %v, %v", beside, err)
		}
	}
	failure := errors.New("no more")
	if err := write("first", failure); !errors.Is(err, failure) {
		t.Fatalf("want the error of fill, got %v", err)
	}
	holds()
	if err := write("first", nil); err != nil {
		t.Fatal(err)
	}
	holds("first")
	if err := write("second", failure); !errors.Is(err, failure) {
		t.Fatalf("want the error of fill, got %v", err)
	}
	holds("first")
	if err := write("second", nil); err != nil {
		t.Fatal(err)
	}
	holds("second")
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
