package develop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/upl-host/upl-host/plugins"
)

const (
	makefile = "Makefile"
	buildDir = "build"
)

// Place is where a plugin is, built and as source.
type Place struct {
	// Built is the plugin's folder or module; empty where it has not been built.
	Built string
	// Source is the folder whose Makefile builds it, into build/NAME; empty where
	// there is none.
	Source string
}

// SeveralError says that a source folder has built several plugins.
type SeveralError struct {
	Source  string
	Choices []string
}

func (e *SeveralError) Error() string {
	return fmt.Sprintf("%s has several plugins: say which, %s", e.Source, strings.Join(e.Choices, " or "))
}

// Locate finds out what a path is: a plugin's source folder, its built folder, or a
// module. The paths that it gives have a separator, so that they are not taken for names.
func Locate(path string) (Place, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Place{}, fmt.Errorf("looking for a plugin: %w", err)
	}
	if !filepath.IsAbs(path) {
		path = "." + string(filepath.Separator) + filepath.Clean(path)
	}
	if !info.IsDir() {
		return Place{Built: path, Source: sourceOf(filepath.Dir(path))}, nil
	}
	if !exists(path, makefile) {
		return Place{Built: path, Source: sourceOf(path)}, nil
	}
	built, err := filepath.Glob(filepath.Join(escape(path), buildDir, "*", plugins.ManifestName))
	if err != nil {
		return Place{}, err
	}
	place := Place{Source: path}
	switch {
	case len(built) > 1:
		several := &SeveralError{Source: path}
		for _, manifest := range built {
			several.Choices = append(several.Choices, filepath.Dir(manifest))
		}
		return place, several
	case len(built) == 1:
		place.Built = filepath.Dir(built[0])
	case whole(path):
		place.Built = path
	}
	return place, nil
}

// sourceOf is the folder that builds build/NAME, if dir is such a one.
func sourceOf(dir string) string {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	source := filepath.Dir(filepath.Dir(absolute))
	if filepath.Base(filepath.Dir(absolute)) != buildDir || !exists(source, makefile) {
		return ""
	}
	return source
}

// whole says whether a source folder is a plugin as it is, as those of languages that
// are not compiled may be.
func whole(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, plugins.ManifestName))
	if err != nil {
		return false
	}
	manifest, err := plugins.ParseManifest(text)
	return err == nil && exists(dir, manifest.Entry)
}

func exists(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil
}

// escape keeps what a path has of a pattern's characters from being one.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
