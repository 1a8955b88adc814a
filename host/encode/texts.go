package encode

import (
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/upl-host/upl-host/graphs/array"
)

// Texts keeps the features of lists of texts in a folder: a .npy matrix a list,
// under a name that its key and its content give. A list is kept whole, and not
// text by text: a text's features differ, within float32's rounding, by the texts
// that it is encoded with, and what comes from the cache is to be the bytes that
// encoding anew would give. Several processes may share a folder.
type Texts struct {
	folder string
	log    *slog.Logger
}

// OpenTexts makes the folder where it is missing.
func OpenTexts(folder string, log *slog.Logger) (*Texts, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("making the cache of text features: %w", err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("reading the cache of text features: %w", err)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			sweep(folder, entry)
		}
	}
	return &Texts{folder: folder, log: log}, nil
}

// Get returns the features [rows, width] that are kept under a key, a word of
// letters and digits; of any width where width is 0. What is not what its name says is removed with a warning:
// it is as if it were not there.
func (t *Texts) Get(key string, rows, width int) (_ array.Matrix, there bool) {
	// An error is an empty list: what is not found is encoded.
	names, _ := fs.Glob(os.DirFS(t.folder), key+"-*"+shardSuffix)
	for _, name := range names {
		path := filepath.Join(t.folder, name)
		features, err := readTexts(path, rows, width)
		if err == nil {
			return features, true
		}
		t.log.Warn("text features in the cache are unreadable; they are encoded anew", "file", path, "error", err)
		_ = os.Remove(path) // it is read again, and warned of, where it stays
	}
	return array.Matrix{}, false
}

func readTexts(path string, rows, width int) (array.Matrix, error) {
	most := rows * width
	if width == 0 {
		most = math.MaxInt
	}
	a, err := array.ReadFileAtMost(path, most)
	if err != nil {
		return array.Matrix{}, err
	}
	features, err := a.Matrix()
	if err != nil {
		return array.Matrix{}, err
	}
	if features.Rows != rows || width != 0 && features.Cols != width {
		return array.Matrix{}, fmt.Errorf("%d x %d values, not %d x %d", features.Rows, features.Cols, rows, width)
	}
	if want := shardName(features.Data); !strings.HasSuffix(path, "-"+want) {
		return array.Matrix{}, fmt.Errorf("its content belongs to %s: it was changed", want)
	}
	return features, nil
}

// Put keeps features under a key.
func (t *Texts) Put(key string, features array.Matrix) error {
	path := filepath.Join(t.folder, key+"-"+shardName(features.Data))
	if err := array.WriteFile(path, features.Array()); err != nil {
		return fmt.Errorf("writing the cache of text features: %w", err)
	}
	return nil
}
