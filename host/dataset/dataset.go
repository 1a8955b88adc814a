// Package dataset finds the pictures that a run is about, their splits, and the
// classes. It is the first stage: it decodes nothing and needs no model.
//
// What is known of the pictures' true classes comes apart from the rest, as
// Truth. Labels serve evaluation alone; whatever takes only a Dataset (encoding,
// pseudo labels, plugins, training) cannot come by one, since neither type leads
// to the other. Supervised baselines are handed a Supervision, which knows no label
// of a test picture. Mind that a picture's path may still tell its class to who
// reads it.
package dataset

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// The kinds of data sets.
const (
	KindFolder = "folder" // a folder per class
	KindCSV    = "csv"    // a table with the columns path and, where there are labels, label
	KindList   = "list"   // pictures without labels: a folder, or a text file of paths
)

// Config says what a data set is read from.
type Config struct {
	Kind string // KindFolder where empty
	// Path is the data set's folder or, for KindCSV and KindList, a file. Paths in
	// files are relative to this folder, or to the folder that the file is in.
	Path string
	// Classes is a file of lines "folder<TAB>class name", or of names alone. Blank
	// lines and lines that begin with # are left out. Without it the classes are the
	// sorted class folders, or labels.
	Classes string
	// Unlabeled and Test are the splits: folders laid out as the kind says, tables
	// (.csv) or, for KindList, text files; relative to the data set's folder. Every
	// picture of Path serves where one is empty.
	Unlabeled, Test string
	// Validation is a split as these are; empty: there is none.
	Validation string
	// SkipMissing leaves out pictures that a file lists and that are not there;
	// otherwise they are faults.
	SkipMissing bool
	// Limit is the most pictures of a split, taken at even distances in the order
	// of paths, for a trial run; 0: all.
	Limit int
}

// Dataset is what there is to classify. All orders are the same wherever and
// whenever the same files are read.
type Dataset struct {
	Root     string  // the folder that IDs are relative to, absolute
	Classes  []Class // in the order of the classes file, or of their folders' names
	Pictures []Picture
	// Unlabeled and Test are indices into Pictures, ascending: the pictures that get
	// pseudo labels, and those that are classified in the end. They may share some.
	Unlabeled, Test []int
	// Validation are those that hyper-parameters may be searched on, often none.
	Validation []int

	Ignored int      // files in the data set's folders that are no pictures by their names
	Missing []string // IDs of pictures left out by Config.SkipMissing, sorted
	Notes   []string // what a person should know, though nothing is wrong
}

// Class is one class. Its name is what prompts say: `_` read as a space, and runs
// of whitespace as one.
type Class struct{ Folder, Name string }

// Truth is what is known of the true classes. It serves evaluation alone; see
// Supervision for what a supervised baseline may know of it.
type Truth struct {
	labels []int
	any    bool
}

// Has reports whether any picture has a label.
func (t *Truth) Has() bool { return t.any }

// Label returns the class of a picture, by their indices in the Dataset that came
// with this truth; -1 where it is not known.
func (t *Truth) Label(picture int) int {
	if picture < 0 || picture >= len(t.labels) {
		return -1
	}
	return t.labels[picture]
}

// Open reads a data set. What is wrong with it comes as one *Error that lists all
// the faults found.
func Open(c Config) (*Dataset, *Truth, error) {
	r := &reader{config: c, unlabeled: &split{}, validation: &split{}, test: &split{}, ignored: map[string]bool{}}
	if !r.locate() {
		return nil, nil, r.faults.err()
	}
	sound := true
	if c.Classes != "" {
		sound = r.readClasses()
	}
	r.readSplits()
	if c.Classes == "" {
		sound = r.deriveClasses()
	}
	if !sound { // labels would be called wrong that are not
		return nil, nil, r.faults.err()
	}
	data, truth := r.assemble()
	if err := r.faults.err(); err != nil {
		return nil, nil, err
	}
	return data, truth, nil
}

// reader is one call of Open.
type reader struct {
	config  Config
	kind    string
	root    string // absolute
	main    string // Path, absolute
	classes []Class
	// splits are what serves as unlabeled, validation and test pictures, which may be the same.
	unlabeled, validation, test *split
	ignored                     map[string]bool // files that are no pictures
	faults                      faults
}

// sources are the distinct splits.
func (r *reader) sources() []*split {
	sources := []*split{r.unlabeled}
	for _, s := range []*split{r.validation, r.test} {
		if !slices.Contains(sources, s) {
			sources = append(sources, s)
		}
	}
	return sources
}

// locate finds the data set's root; it reports whether there is anything to read.
func (r *reader) locate() bool {
	r.kind = r.config.Kind
	if r.kind == "" {
		r.kind = KindFolder
	}
	if !slices.Contains([]string{KindFolder, KindCSV, KindList}, r.kind) {
		r.faults.add("dataset.kind", "%q is no kind of data set: want %s, %s or %s", r.kind, KindFolder, KindCSV, KindList)
		return false
	}
	if r.config.Path == "" {
		r.faults.add("dataset.path", "name the data set's folder or file")
		return false
	}
	if r.config.Limit < 0 {
		r.faults.add("dataset.limit", "%d is below 0", r.config.Limit)
		return false
	}
	main, err := filepath.Abs(r.config.Path)
	if err != nil {
		r.faults.add("dataset.path", "%v", err)
		return false
	}
	info, err := os.Stat(main)
	if err != nil {
		r.faults.add(main, "%s", reason(err))
		return false
	}
	r.main, r.root = main, main
	if !info.IsDir() {
		if r.kind == KindFolder {
			r.faults.add(main, "is a file, but kind %s reads a folder of class folders: give that, or set kind to %s or %s", KindFolder, KindCSV, KindList)
			return false
		}
		r.root = filepath.Dir(main)
	}
	return true
}

// id returns what a file is called in the run's files.
func (r *reader) id(file string) string {
	if relative, err := filepath.Rel(r.root, file); err == nil && filepath.IsLocal(relative) {
		file = relative
	}
	return filepath.ToSlash(file)
}

// inRoot makes a split's path absolute.
func (r *reader) inRoot(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(r.root, filepath.FromSlash(path))
}

// reason is the cause of a file system's error, without the path that the message names anyway.
func reason(err error) string {
	var failed *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "does not exist"
	case errors.As(err, &failed):
		return failed.Err.Error()
	}
	return err.Error()
}

// printable reports whether a path or name can stand in a table or a message.
func printable(name string) bool {
	return utf8.ValidString(name) && !strings.ContainsAny(name, "\n\r\x00")
}
