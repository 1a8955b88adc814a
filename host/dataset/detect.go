package dataset

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/upl-host/upl-host/host/dataset/layout"
)

// Detect guesses what kind of data set lies at a path, by its files' names. Where
// nothing shows it, that is KindFolder.
func Detect(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return KindFolder
	}
	if !info.IsDir() {
		switch strings.ToLower(filepath.Ext(path)) {
		case ".csv":
			return KindCSV
		case ".jsonl":
			return KindJSONL
		case ".parquet":
			return KindParquet
		case ".tar": // which says that the folder is wanted
			return KindWebDataset
		}
		return KindList
	}
	if kind := layoutAt(path); kind != "" {
		return kind
	}
	has := func(patterns ...string) bool {
		for _, pattern := range patterns {
			// The pattern is well formed; a path with brackets in it finds nothing.
			if found, _ := filepath.Glob(filepath.Join(path, filepath.FromSlash(pattern))); len(found) > 0 {
				return true
			}
		}
		return false
	}
	switch {
	case has("*.parquet", "*/*.parquet", "*/*/*.parquet"):
		return KindParquet
	case has("*.tar", "*/*.tar", "*.tar.gz", "*/*.tar.gz", "*/nshards.txt"):
		return KindWebDataset
	}
	return KindFolder
}

// layoutAt is which of the eleven data sets a folder is, by its split files; empty: none.
func layoutAt(folder string) string {
	has := func(name string) bool { return exists(filepath.Join(folder, filepath.FromSlash(name))) }
	for _, kind := range layout.Kinds() {
		if l, _ := layout.ByKind(kind); l.Split != "" && has(l.Split) {
			return kind
		}
	}
	switch {
	case has(classNamesFile) && (has("images/val") || has("images/train")):
		return KindImageNet
	case has(variantsFile) && has("images_variant_test.txt"):
		return kindAircraft
	}
	return ""
}
