package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// How path keys are read.
const (
	pathFile   = "file"
	pathSplit  = "split"
	pathPlugin = "plugin"
)

// resolve makes a path absolute. Those of a file start from its folder, those
// of the environment and --set from the working directory; those of a split
// wait for dataset.path.
func (r *reader) resolve(key *Key, path, text string) (any, bool) {
	p := r.places[path]
	p.written = text
	r.places[path] = p
	if text == "" || key.path == pathSplit || key.path == pathPlugin && !isPath(text) {
		return text, true
	}
	absolute, err := absolutePath(r.source.base, text)
	if err != nil {
		r.faults.add(p, path, "%v", err)
		return nil, false
	}
	return absolute, true
}

// isPath tells the path of a plugin from its name.
func isPath(plugin string) bool {
	return strings.ContainsRune(plugin, filepath.Separator) || strings.HasPrefix(plugin, "~") || plugin == "." || plugin == ".."
}

// fixed says whether a path means the same wherever the configuration lies.
func fixed(written string) bool {
	return filepath.IsAbs(written) || strings.HasPrefix(written, "~")
}

// absolutePath resolves ~ and what is relative to a folder.
func absolutePath(base, path string) (string, error) {
	if strings.ContainsRune(path, 0) {
		return "", fmt.Errorf("a path holds no zero byte")
	}
	if rest, ok := strings.CutPrefix(path, "~"); ok {
		if rest != "" && rest[0] != filepath.Separator {
			return "", fmt.Errorf("%s: only one's own home folder (~%c…) is expanded; write ./%[1]s for a file of that name", path, filepath.Separator)
		}
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("expanding ~: %w", err)
		}
		return filepath.Join(home, rest), nil
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path), nil
	}
	return filepath.Join(base, path), nil
}

// splitPath resolves a split: a file or folder below the data set's, or else
// one that a path of the configuration's own folder leads to.
func splitPath(dataset, base, path string) (string, error) {
	if path == "" {
		return "", nil
	}
	if fixed(path) {
		return absolutePath(base, path)
	}
	inside, err := absolutePath(splitRoot(dataset), path)
	if err != nil {
		return "", err
	}
	// "." is the data set's folder, also where that is not there: the other one always is.
	if outside := filepath.Join(base, path); filepath.Clean(path) != "." && !exists(inside) && exists(outside) {
		return outside, nil
	}
	return inside, nil
}

// splitRoot is the folder in which splits are looked for.
func splitRoot(dataset string) string {
	if info, err := os.Stat(dataset); err == nil && !info.IsDir() {
		return filepath.Dir(dataset)
	}
	return dataset
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// relocated returns how a path is written in a configuration that lies in a
// folder, an absolute path; "" is one that may lie anywhere.
func (c *Config) relocated(key *Key, path, value, folder string) string {
	written := c.written[path]
	switch {
	case folder == "" || value == "" || key.path == pathPlugin && !isPath(value):
		return value
	case fixed(written):
		return written
	case key.path == pathSplit:
		folder = splitRoot(c.Dataset.Path)
		if relative, err := filepath.Rel(folder, value); err == nil && filepath.IsLocal(relative) {
			return explicit(key, relative)
		}
		return value
	}
	relative, err := filepath.Rel(folder, value)
	if err != nil { // another drive
		return value
	}
	return explicit(key, relative)
}

// explicit keeps a relative path from being read as a home folder, or as a
// plugin's name.
func explicit(key *Key, relative string) string {
	if strings.HasPrefix(relative, "~") || key.path == pathPlugin && !isPath(relative) {
		return "." + string(filepath.Separator) + relative
	}
	return relative
}
