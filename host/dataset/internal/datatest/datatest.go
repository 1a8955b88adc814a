// Package datatest is what the tests of data sets share.
package datatest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/host/dataset/container"
)

// Tree makes files below a folder of the test's, which it returns: their content by
// their paths; a content that begins with -> makes a symbolic link, a path that ends
// with / a folder.
func Tree(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch target, link := strings.CutPrefix(content, "->"); {
		case link:
			err = os.Symlink(target, path)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o755)
		default:
			err = os.WriteFile(path, []byte(content), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// Described are a container's pictures as a test compares them.
func Described(t testing.TB, set *container.Set) (all []string) {
	t.Helper()
	for _, p := range set.Pictures {
		data, err := p.Content.Read()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s split=%s class=%d %s: %s", p.ID, p.Split, p.Class, p.Label, data))
	}
	return all
}
