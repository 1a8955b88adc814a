package savedmodel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Replace makes the folder dir of what fill writes, whole or not at all. Where
// dir exists the error is ErrExists, unless it is a SavedModel and overwrite is set.
func Replace(dir string, overwrite bool, fill func(dir string) error) error {
	dir = filepath.Clean(dir)
	if err := checkTarget(dir, overwrite); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("writing %s: %w", dir, err)
	}
	// A sibling, so that the rename stays in one file system.
	partial, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".partial-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", dir, err)
	}
	defer os.RemoveAll(partial) //nolint:errcheck // best effort: after the rename there is nothing
	if err := fill(partial); err != nil {
		return fmt.Errorf("writing %s: %w", dir, err)
	}
	if err := install(partial, dir); err != nil {
		return fmt.Errorf("writing %s: %w", dir, err)
	}
	return nil
}

// checkTarget refuses a folder that must not be replaced.
func checkTarget(dir string, overwrite bool) error {
	_, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("writing %s: %w", dir, err)
	case !overwrite:
		return fmt.Errorf("%s %w", dir, ErrExists)
	}
	if _, err := os.Stat(filepath.Join(dir, GraphFile)); err != nil {
		return fmt.Errorf("%s %w and is not a SavedModel: it is not replaced", dir, ErrExists)
	}
	return nil
}

// install makes the filled folder durable and moves it to its place.
func install(partial, dir string) error {
	if err := os.Chmod(partial, 0o755); err != nil {
		return err
	}
	if err := syncTree(partial); err != nil {
		return err
	}
	if _, err := os.Lstat(dir); err == nil {
		// Checked before: it is a SavedModel, and may be replaced.
		old := partial + ".old"
		if err := os.Rename(dir, old); err != nil {
			return err
		}
		defer os.RemoveAll(old) //nolint:errcheck // best effort: the new folder is in place
	}
	if err := os.Rename(partial, dir); err != nil {
		return err
	}
	return syncFile(filepath.Dir(dir))
}

// syncTree flushes every file and folder to disk, leaves first.
func syncTree(root string) error {
	var paths []string
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	if err != nil {
		return err
	}
	slices.Reverse(paths)
	for _, path := range paths {
		if err := syncFile(path); err != nil {
			return err
		}
	}
	return nil
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
