package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// place is what a role's pictures are read from, absolute.
func (r *reader) place(o *role) string {
	if o.path == "" {
		return r.main
	}
	return r.inRoot(o.path)
}

// checkWhole checks that the whole data set can serve a role that names nothing.
func (r *reader) checkWhole(o *role) bool {
	if o.path != "" {
		return true
	}
	info, err := os.Stat(r.main)
	switch {
	case err != nil:
		r.faults.add(r.main, "%s", reason(err))
		return false
	case r.isTable() && info.IsDir():
		r.faults.add(o.key, "name a table: %s is a folder, and kind %s reads tables", r.main, r.kind)
		return false
	}
	for _, other := range r.roles {
		if r.kind == KindFolder && other.path != "" && r.isFolderWithin(other.path) {
			r.faults.add(o.key, "name the folder of this split too: %s is %q, a folder of the data set, so that the folders beside it are no classes", other.key, other.path)
			return false
		}
	}
	return true
}

// isTable reports whether the kind reads tables alone.
func (r *reader) isTable() bool { return r.kind == KindCSV || r.kind == KindJSONL }

func (r *reader) isFolderWithin(path string) bool {
	folder := r.inRoot(path)
	relative, _ := filepath.Rel(r.root, folder)
	return isFolder(folder) && relative != "." && filepath.IsLocal(relative)
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// open reads the source of a role, or returns it where it has been read.
func (r *reader) open(o *role) *source {
	s := &source{key: o.key, place: r.place(o)}
	for _, other := range r.sources {
		if other.place == s.place {
			return other
		}
	}
	if o.path == "" {
		s.key = "dataset.path"
	}
	info, err := os.Stat(s.place)
	switch {
	case err != nil:
		r.faults.add(s.key, "%s %s", s.place, reason(err))
		return s
	case info.IsDir() && r.isTable():
		r.faults.add(s.key, "%s is a folder: kind %s reads tables", s.place, r.kind)
		return s
	case info.IsDir():
		r.readFolder(s, s.place, r.kind == KindFolder)
	default:
		r.readListed(s, r.parser(s.place))
	}
	r.add(s)
	return s
}

// parser returns the parser of a file that lists pictures: by its ending, or else
// that of the kind.
func (r *reader) parser(file string) parser {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".csv":
		return parseTable
	case ".jsonl", ".ndjson":
		return parseObjects
	}
	switch r.kind {
	case KindList:
		return parseLines
	case KindJSONL:
		return parseObjects
	}
	return parseTable
}

// at is where a line is.
func at(file string, line int) string { return fmt.Sprintf("%s:%d", file, line) }
