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

	"github.com/upl-host/upl-host/host/dataset/layout"
)

// The kinds of data sets.
const (
	KindFolder = "folder" // a folder per class
	KindCSV    = "csv"    // a table with the columns path and, where there are any, label and split
	KindJSONL  = "jsonl"  // the same as JSON, an object a line
	KindList   = "list"   // pictures without labels: a folder, or a text file of paths
	// KindParquet is Hugging Face's: encoded pictures and labels in Parquet files.
	KindParquet = "parquet"
	// KindWebDataset is that of CLIP_benchmark: tars of pictures and class numbers.
	KindWebDataset = "webdataset"
	// KindImageNet and the other kinds of package layout are data sets as CoOp lays
	// them out.
	KindImageNet = "imagenet"

	kindAircraft = "fgvc_aircraft"
)

// Kinds are all kinds.
func Kinds() []string {
	return append([]string{KindFolder, KindCSV, KindJSONL, KindList, KindParquet, KindWebDataset}, layout.Kinds()...)
}

// The splits of a data set that has its own.
const (
	SplitTraining   = "train"
	SplitValidation = "val"
	SplitTest       = "test"
)

// Config says what a data set is read from.
type Config struct {
	Kind string // KindFolder where empty
	// Path is the data set's folder or, for tables and lists, a file. Paths in files
	// are relative to this folder, or to the folder that the file is in. For the kinds
	// of package layout it may be the folder that holds all data sets.
	Path string
	// Variant is another set of pictures of ImageNet's classes: see layout.Variant.
	Variant string
	// Split is a file that says which pictures are in which split, as CoOp writes
	// them; see package layout for those that a kind has anyway.
	Split string
	// Classes is a file of lines "folder<TAB>class name", or of names alone. Blank
	// lines and lines that begin with # are left out. Without it the classes are the
	// sorted class folders, or labels.
	Classes string
	// Unlabeled, Validation and Test are the splits: folders laid out as the kind
	// says, tables (.csv, .jsonl) or, for KindList, text files; relative to the data
	// set's folder. Where one is empty the split of that name serves, if the pictures
	// of Path are in splits, and otherwise every picture of Path, but none for
	// validation. Of a data set that has its own splits they are names of splits.
	Unlabeled, Validation, Test string
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
	// Templates are the data set's own prompts, where it has any: CoOp's for the kinds
	// of package layout.
	Templates []string
	// Unlabeled and Test are indices into Pictures, ascending: the pictures that get
	// pseudo labels, and those that are classified in the end. They may share some.
	Unlabeled, Test []int
	// Validation are those that hyper-parameters may be searched on, often none.
	Validation []int

	Ignored []string // files in the data set's folders that are no pictures by their names, sorted
	Missing []string // IDs of pictures left out by Config.SkipMissing, sorted
	Notes   []string // what a person should know, though nothing is wrong
}

// Class is one class. Its name tells it from all others: `_` read as a space, and
// runs of whitespace as one.
type Class struct {
	Folder, Name string
	// Prompt is what prompts say, where it is not the name: ImageNet has two classes
	// that are called missile.
	Prompt string
}

// Spoken is what prompts say.
func (c Class) Spoken() string {
	if c.Prompt != "" {
		return c.Prompt
	}
	return c.Name
}

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
	r := newReader(c)
	if !r.locate() {
		return nil, nil, r.faults.err()
	}
	sound := true
	if c.Classes != "" {
		sound = r.readClasses()
	}
	r.readRoles()
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
	layout  layout.Layout // of the kind, where it has one
	root    string        // absolute
	main    string        // Path, absolute
	taken   string        // why root was taken for a layout's folder, where it is not called so
	classes []Class
	sources []*source // distinct

	unlabeled, validation, test *role
	roles                       []*role // these three

	ignored map[string]bool // files that are no pictures
	notes   []string
	faults  faults
}

func newReader(c Config) *reader {
	r := &reader{
		config: c, kind: c.Kind, ignored: map[string]bool{},
		unlabeled:  &role{key: "dataset.unlabeled", path: c.Unlabeled, split: SplitTraining},
		validation: &role{key: "dataset.validation", path: c.Validation, split: SplitValidation},
		test:       &role{key: "dataset.test", path: c.Test, split: SplitTest},
	}
	r.roles = []*role{r.unlabeled, r.validation, r.test}
	if r.kind == "" {
		r.kind = KindFolder
	}
	r.layout, _ = layout.ByKind(r.kind)
	return r
}

// locate finds the data set's root; it reports whether there is anything to read.
func (r *reader) locate() bool {
	if !r.checkConfig() {
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
	switch {
	case info.IsDir() && r.layout.Kind != "":
		r.root = r.layoutRoot()
		r.main = r.root
	case info.IsDir():
	case r.kind == KindWebDataset:
		r.faults.add(main, "is a file, but kind %s reads the folder that holds train/0.tar and so on", r.kind)
		return false
	case r.kind == KindFolder:
		r.faults.add(main, "is a file, but kind %s reads a folder of class folders: give that, or set kind to %s, %s or %s", KindFolder, KindCSV, KindJSONL, KindList)
		return false
	case r.layout.Kind != "":
		r.faults.add(main, "is a file, but kind %s reads the data set's folder, %s, or the one that holds it", r.kind, r.layout.Folder)
		return false
	default:
		r.root = filepath.Dir(main)
	}
	return true
}

// checkConfig reports whether the keys make sense together.
func (r *reader) checkConfig() bool {
	c := r.config
	_, known := layout.VariantByName(c.Variant)
	switch {
	case !slices.Contains(Kinds(), r.kind):
		r.faults.add("dataset.kind", "%q is no kind of data set: want one of %s", r.kind, strings.Join(Kinds(), ", "))
	case c.Path == "":
		r.faults.add("dataset.path", "name the data set's folder or file")
	case c.Limit < 0:
		r.faults.add("dataset.limit", "%d is below 0", c.Limit)
	case c.Variant != "" && r.kind != KindImageNet:
		r.faults.add("dataset.variant", "%q is a variant of kind %s, not of %s", c.Variant, KindImageNet, r.kind)
	case c.Variant != "" && !known:
		r.faults.add("dataset.variant", "%q is no variant of ImageNet: want v2, sketch, a or r", c.Variant)
	case c.Split != "" && r.kind != KindFolder && r.layout.Split == "":
		r.faults.add("dataset.split", "kind %s has no use for a split file: %s", r.kind, r.ownSplits())
	default:
		return true
	}
	return false
}

// ownSplits says how a kind without split files names splits.
func (r *reader) ownSplits() string {
	if r.isTable() {
		return "give its table a column split"
	}
	if r.kind == KindList {
		return "set dataset.unlabeled and dataset.test to lists of their own"
	}
	if r.kind == KindParquet || r.kind == KindWebDataset {
		return "its containers are in splits"
	}
	return "its folders and lists are the split"
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
