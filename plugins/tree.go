package plugins

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

// What a program's folder may hold in all.
const (
	maxFolderBytes   = 256 << 20
	maxFolderEntries = 20_000 // files and folders
)

// unstable are names of what tools keep beside sources: it changes by itself, and
// with it the hash. Nothing of a folder is left out of its hash, so a folder with
// one of these is refused.
var unstable = []string{
	".git", ".hg", ".svn", ".venv", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", "node_modules",
}

// tree is the content of a folder: the SHA-256 of each file, by its path in it,
// with slashes.
type tree map[string][sha256.Size]byte

// hash is golang.org/x/mod/sumdb/dirhash's Hash1 of the relative paths: "h1:…".
// File modes, empty folders and the folder's own name are no part of it.
func (t tree) hash() string {
	whole := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(t)) {
		fmt.Fprintf(whole, "%x  %s\n", t[name], name)
	}
	return "h1:" + base64.StdEncoding.EncodeToString(whole.Sum(nil))
}

// differences names the files in which two trees differ, sorted.
func (t tree) differences(other tree) []string {
	var names []string
	for name, sum := range t {
		if s, ok := other[name]; !ok || s != sum {
			names = append(names, name)
		}
	}
	for name := range other {
		if _, ok := t[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// sink takes the files of a tree while it is read.
type sink func(name string) (io.WriteCloser, error)

// readTree reads every file of a folder once. What reaches the sink, if there is
// one, is what was hashed. Links, devices, sockets, pipes and set-user-ID files are
// refused: *UnfitError; a *LimitError says that it is too large.
func readTree(dir string, to sink) (tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening a plugin: %w", err)
	}
	defer func() { _ = root.Close() }() // read only
	r := treeReader{dir: dir, root: root, to: to, tree: tree{}, bytes: maxFolderBytes, entries: maxFolderEntries}
	if err := fs.WalkDir(root.FS(), ".", r.visit); err != nil {
		return nil, fmt.Errorf("reading the folder of a plugin: %w", err)
	}
	return r.tree, nil
}

type treeReader struct {
	dir     string
	root    *os.Root
	to      sink
	tree    tree
	bytes   int64 // that may still come
	entries int
}

func (r *treeReader) visit(name string, entry fs.DirEntry, err error) error {
	if err != nil || name == "." {
		return err
	}
	r.entries--
	switch {
	case r.entries < 0:
		return &LimitError{Limit: "size", Detail: fmt.Sprintf("%s has more than %d files and folders", r.dir, maxFolderEntries)}
	case slices.Contains(unstable, path.Base(name)):
		return &UnfitError{r.dir, name, "it changes by itself, and all of a plugin's folder is pinned: build the plugin into a folder of its own (build/NAME), or remove this"}
	case entry.IsDir():
		return nil
	case !entry.Type().IsRegular():
		return &UnfitError{r.dir, name, "it is neither a file nor a folder: a plugin cannot have links or devices"}
	case strings.Contains(name, "\n"):
		return &UnfitError{r.dir, name, "a file's name cannot have a line break"}
	}
	return r.read(name)
}

func (r *treeReader) read(name string) error {
	// A pipe that took the file's place must not block.
	f, err := r.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if mode := info.Mode(); !mode.IsRegular() || mode&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
		return &UnfitError{r.dir, name, fmt.Sprintf("its mode is %v: only ordinary files can be pinned", mode)}
	}
	hash := sha256.New()
	var out io.Writer = hash
	closing := func() error { return nil }
	if r.to != nil {
		w, err := r.to(name)
		if err != nil {
			return err
		}
		closing = w.Close
		out = io.MultiWriter(hash, w)
	}
	size, err := io.Copy(out, io.LimitReader(f, r.bytes+1))
	if err := errors.Join(err, closing()); err != nil {
		return err
	}
	if r.bytes -= size; r.bytes < 0 {
		return &LimitError{Limit: "size", Detail: fmt.Sprintf("%s has more than %v", r.dir, Bytes(maxFolderBytes))}
	}
	r.tree[name] = [sha256.Size]byte(hash.Sum(nil))
	return nil
}
