package host

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/upl-host/upl-host/host/dataset"
)

// TestDataIsSharedInARow: runs after each other with the same data set read it once.
func TestDataIsSharedInARow(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a/1.png", "b/2.png"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := NewShared()
	open := func(test string) *dataset.Dataset {
		set, truth, err := s.openData(dataset.Config{Path: dir, Test: test})
		if err != nil || !truth.Has() {
			t.Fatalf("%v, has labels: %v", err, truth.Has())
		}
		return set
	}
	first := open("")
	if open("") != first {
		t.Error("the same data set is read again")
	}
	if other := open("."); other == first {
		t.Error("another test split is not another data set")
	}
	if open("") == first {
		t.Error("more than the last data set is kept")
	}
}
