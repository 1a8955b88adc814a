package serving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/upl-host/upl-host/graphs/savedmodel"
)

// The parts of a SavedModel folder.
const (
	variableFolder = "variables"
	assetFolder    = "assets" // of tables: vocabularies and their like
)

// replaceFolder is savedmodel.Replace that never replaces the source of what is written.
func replaceFolder(dir, source string, overwrite bool, fill func(dir string) error) error {
	target, err := os.Stat(dir)
	if err == nil && overwrite {
		model, err := os.Stat(source)
		if err != nil {
			return fmt.Errorf("writing the classifier: %w", err)
		}
		if os.SameFile(target, model) {
			return fmt.Errorf("%s %w and is the model itself: it is not replaced", dir, savedmodel.ErrExists)
		}
	}
	return savedmodel.Replace(dir, overwrite, fill)
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
