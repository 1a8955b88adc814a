package serving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/upl-host/upl-host/graphs/savedmodel"
)

// The parts of a SavedModel folder.
const (
	graphFile      = "saved_model.pb"
	variableFolder = "variables"
	assetFolder    = "assets" // of tables: vocabularies and their like
)

// replaceFolder makes the folder dir of what fill writes, whole or not at all.
// One that is there is replaced if overwrite is set and it is a SavedModel,
// and never the source of what is written.
func replaceFolder(dir, source string, overwrite bool, fill func(dir string) error) error {
	dir = filepath.Clean(dir)
	if err := checkTarget(dir, source, overwrite); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("writing the classifier: %w", err)
	}
	// A sibling, so that the rename stays in one file system.
	partial, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".partial-*")
	if err != nil {
		return fmt.Errorf("writing the classifier: %w", err)
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

func checkTarget(dir, source string, overwrite bool) error {
	target, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("writing the classifier: %w", err)
	}
	if !overwrite {
		return fmt.Errorf("%s %w", dir, savedmodel.ErrExists)
	}
	if _, err := os.Stat(filepath.Join(dir, graphFile)); err != nil {
		return fmt.Errorf("%s %w and is not a SavedModel: it is not replaced", dir, savedmodel.ErrExists)
	}
	model, err := os.Stat(source)
	if err != nil {
		return fmt.Errorf("writing the classifier: %w", err)
	}
	if os.SameFile(target, model) {
		return fmt.Errorf("%s %w and is the model itself: it is not replaced", dir, savedmodel.ErrExists)
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

// copyTree copies a folder of files, links as what they point to. A folder that
// is not there is none.
func copyTree(ctx context.Context, from, to string) error {
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o755); err != nil {
		return err
	}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		source, target := filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())
		info, err := os.Stat(source)
		if err != nil {
			return err
		}
		switch {
		case info.IsDir():
			err = copyTree(ctx, source, target)
		case info.Mode().IsRegular():
			err = copyFile(source, target)
		default:
			err = fmt.Errorf("%s is neither file nor folder", source)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
