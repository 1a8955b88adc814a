package plugins

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/upl-host/upl-host/plugins/internal/private"
)

// store keeps copies of programs' folders: what was checked is what is executed,
// whatever becomes of the original meanwhile. An entry is named by its hash, appears
// whole or not at all, is read-only, and is hashed again before each use.
type store struct{ dir string }

// pendingCopy begins the name of an entry that is not whole yet.
const pendingCopy = ".copy-"

func (s store) open() error {
	if s.dir == "" {
		return errors.New("there is no folder for copies of plugins: set XDG_CACHE_HOME")
	}
	if err := private.Folder(s.dir); err != nil {
		return fmt.Errorf("copies of plugins: %w", err)
	}
	return nil
}

// entry is where the copy of a folder with that hash lies.
func (s store) entry(hash string) string {
	// Base64 as file names have it: without slashes.
	return filepath.Join(s.dir, strings.NewReplacer("h1:", "h1-", "/", "_", "+", "-", "=", "").Replace(hash))
}

// folder gives the copy of a program's folder, made where there is none.
func (s store) folder(b *bundle) (string, error) {
	if err := s.open(); err != nil {
		return "", err
	}
	entry := s.entry(b.hash)
	if _, err := os.Lstat(entry); errors.Is(err, fs.ErrNotExist) {
		if err := s.copyFolder(b, entry); err != nil {
			return "", err
		}
	}
	return entry, s.check(b)
}

// check hashes a copy again.
func (s store) check(b *bundle) error {
	entry := s.entry(b.hash)
	is, err := readTree(entry, nil)
	var what string
	switch {
	case err != nil:
		what = err.Error()
	case is.hash() != b.hash:
		what = shortList(is.differences(b.tree))
	default:
		return nil
	}
	return &TrustError{
		Plugin: b.name(), Path: b.path, State: StateCopyChanged,
		Reason:  fmt.Sprintf("the copy that would run has changed since it was made (%s): a plugin must not write into its own folder, and nobody else may", what),
		Command: fmt.Sprintf("chmod -R u+w %s && rm -r %[1]s", quote(entry)),
	}
}

// copyFolder copies a folder while hashing it.
func (s store) copyFolder(b *bundle, entry string) (err error) {
	s.sweep()
	pending, err := os.MkdirTemp(s.dir, pendingCopy)
	if err != nil {
		return fmt.Errorf("copying a plugin: %w", err)
	}
	defer func() {
		if err != nil {
			removeCopy(pending)
		}
	}()
	root, err := os.OpenRoot(pending)
	if err != nil {
		return fmt.Errorf("copying a plugin: %w", err)
	}
	defer func() { _ = root.Close() }() // the files are closed already
	copied, err := readTree(b.dir, func(name string) (io.WriteCloser, error) {
		if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
			return nil, err
		}
		// All may be executed: the hash has no modes, and the copy depends on it alone.
		return root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o500)
	})
	if err != nil {
		return err
	}
	if got := copied.hash(); got != b.hash {
		return &IntegrityError{b.dir, b.hash, got}
	}
	if err := readOnly(pending); err != nil {
		return fmt.Errorf("copying a plugin: %w", err)
	}
	// Another process may have been first; what it made is checked as any entry is.
	if err := os.Rename(pending, entry); err != nil {
		if !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("copying a plugin: %w", err)
		}
		removeCopy(pending)
	}
	return nil
}

// readOnly makes the folders of a copy read-only: a program that writes beside
// itself fails at once, and not as a changed copy the next time.
func readOnly(dir string) error {
	return filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = os.Chmod(name, 0o500)
		}
		return err
	})
}

// removeCopy removes a copy that nobody uses. What stays is swept another time.
func removeCopy(dir string) {
	_ = filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = os.Chmod(name, 0o700)
		}
		return err
	})
	_ = os.RemoveAll(dir)
}

// sweep removes copies that a killed process left half made.
func (s store) sweep() {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return // it is not needed
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && strings.HasPrefix(entry.Name(), pendingCopy) && time.Since(info.ModTime()) > 24*time.Hour {
			removeCopy(filepath.Join(s.dir, entry.Name()))
		}
	}
}

// shortList names a few of many.
func shortList(names []string) string {
	const most = 3
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
