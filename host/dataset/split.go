package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// split is what one source of pictures says.
type split struct {
	source  string // absolute
	key     string // of the configuration
	entries []entry
	folders []string // class folders, those without pictures too; of folders only
}

// entry is a picture as a source names it.
type entry struct {
	picture Picture
	// label is the table's, or the folder within the split; empty: none.
	label  string
	folder bool   // label is a folder
	where  string // of the line that lists it; empty for what was found in a folder
}

// className is the class that the entry names, where no file lists the classes.
func (e entry) className() string {
	if e.folder {
		first, _, _ := strings.Cut(e.label, "/")
		return first
	}
	return cleanName(e.label)
}

// readSplits reads the splits, or what serves as several.
func (r *reader) readSplits() {
	c := r.config
	testThere := r.checkWhole("dataset.test", c.Test, "dataset.unlabeled", c.Unlabeled)
	if !testThere || !r.checkWhole("dataset.unlabeled", c.Unlabeled, "dataset.test", c.Test) {
		return
	}
	r.unlabeled = r.read("dataset.unlabeled", c.Unlabeled)
	if r.test = r.unlabeled; r.source(c.Unlabeled) != r.source(c.Test) {
		r.test = r.read("dataset.test", c.Test)
	}
	if c.Validation == "" {
		return
	}
	for _, s := range r.sources() {
		if s.source == r.source(c.Validation) {
			r.validation = s
			return
		}
	}
	r.validation = r.read("dataset.validation", c.Validation)
}

// source is what a split is read from, absolute.
func (r *reader) source(path string) string {
	if path == "" {
		return r.main
	}
	return r.inRoot(path)
}

// checkWhole checks that the whole data set can serve as a split that is not named.
func (r *reader) checkWhole(key, path, otherKey, other string) bool {
	if path != "" {
		return true
	}
	info, err := os.Stat(r.main)
	switch {
	case err != nil:
		r.faults.add(r.main, "%s", reason(err))
	case r.kind == KindCSV && info.IsDir():
		r.faults.add(key, "name a table: %s is a folder, and kind %s reads tables", r.main, KindCSV)
	case r.kind == KindFolder && other != "" && r.isFolderWithin(other):
		r.faults.add(key, "name the folder of this split too: %s is %q, a folder of the data set, so that the folders beside it are no classes", otherKey, other)
	default:
		return true
	}
	return false
}

func (r *reader) isFolderWithin(path string) bool {
	folder := r.inRoot(path)
	info, err := os.Stat(folder)
	relative, _ := filepath.Rel(r.root, folder)
	return err == nil && info.IsDir() && relative != "." && filepath.IsLocal(relative)
}

// read reads a split from its folder or file; key is what configures it.
func (r *reader) read(key, path string) *split {
	s := &split{key: key, source: r.source(path)}
	if path == "" {
		s.key = "dataset.path"
	}
	info, err := os.Stat(s.source)
	before := len(r.faults.listed)
	switch {
	case err != nil:
		r.faults.add(s.key, "%s %s", s.source, reason(err))
		return s
	case info.IsDir() && r.kind == KindCSV:
		r.faults.add(s.key, "%s is a folder: kind %s reads tables", s.source, KindCSV)
		return s
	case info.IsDir():
		r.readFolder(s, info)
	case r.kind == KindList && !strings.EqualFold(filepath.Ext(s.source), ".csv"):
		r.readListed(s, parseLines)
	default:
		r.readListed(s, parseTable)
	}
	if len(s.entries) == 0 && len(r.faults.listed) == before {
		r.faults.add(s.key, "no pictures in %s: want files that end in %s", s.source, strings.Join(extensions, " "))
	}
	slices.SortStableFunc(s.entries, func(a, b entry) int { return strings.Compare(a.picture.ID, b.picture.ID) })
	r.checkDuplicates(s)
	return s
}

// checkDuplicates finds pictures that a source lists twice; entries are sorted.
func (r *reader) checkDuplicates(s *split) {
	for i := 1; i < len(s.entries); i++ {
		if first, again := s.entries[i-1], s.entries[i]; first.picture.ID == again.picture.ID {
			r.faults.add(again.where, "picture %s is listed in %s already", again.picture.ID, filepath.Base(first.where))
		}
	}
	s.entries = slices.CompactFunc(s.entries, func(a, b entry) bool { return a.picture.ID == b.picture.ID })
}

// at is where a line is.
func at(file string, line int) string { return fmt.Sprintf("%s:%d", file, line) }
