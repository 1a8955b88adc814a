package plugins

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestTreeLimits reads a folder of 3 entries and 8 bytes, with room for as much and
// for less.
func TestTreeLimits(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(
		os.Mkdir(filepath.Join(dir, "sub"), 0o700),
		os.WriteFile(filepath.Join(dir, "sub", "a"), []byte("12345"), 0o600),
		os.WriteFile(filepath.Join(dir, "b"), []byte("678"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, c := range []struct {
		entries int
		bytes   int64
		fits    bool
	}{{3, 8, true}, {2, 8, false}, {3, 7, false}} {
		r := treeReader{dir: dir, root: root, tree: tree{}, bytes: c.bytes, entries: c.entries}
		err := fs.WalkDir(root.FS(), ".", r.visit)
		var limit *LimitError
		if c.fits && (err != nil || len(r.tree) != 2) || !c.fits && (!errors.As(err, &limit) || limit.Limit != "size") {
			t.Errorf("%+v: %v, %v", c, r.tree, err)
		}
	}
}
