// Package whole makes folders that are there whole or not at all.
package whole

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Folder makes dir of what fill writes into a new folder beside it. A dir that
// is there and not empty is replaced; who may not replace it has to look before.
// Where anything fails, dir is as it was.
func Folder(dir string, fill func(partial string) error) error {
	dir = filepath.Clean(dir)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("writing %s: %w", dir, err)
	}
	// Two levels: whoever looks for folders beside dir does not take the partial
	// one for one of them, even where a killed program left it.
	work, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".partial-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", dir, err)
	}
	defer os.RemoveAll(work) //nolint:errcheck // best effort: what it holds is of no use
	partial := filepath.Join(work, "new")
	if err := os.Mkdir(partial, 0o755); err != nil {
		return fmt.Errorf("writing %s: %w", dir, err)
	}
	if err := fill(partial); err != nil {
		return err
	}
	if err := install(partial, dir, filepath.Join(work, "old")); err != nil {
		return fmt.Errorf("writing %s: %w", dir, err)
	}
	return nil
}

// install moves the filled folder to its place, and what is there to old.
func install(partial, dir, old string) error {
	err := os.Rename(dir, old)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	moved := err == nil
	if err := os.Rename(partial, dir); err != nil {
		if moved {
			err = errors.Join(err, os.Rename(old, dir))
		}
		return err
	}
	return nil
}
