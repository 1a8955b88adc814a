// Package parquet reads data sets as Hugging Face's datasets library writes them:
// Parquet files, a few for each split, with a column of encoded pictures (a struct
// of bytes and path), a column of labels, and the classes' names in the file's
// metadata. Opening reads footers and labels; pictures are read a page at a time.
package parquet

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/upl-host/upl-host/host/dataset/container"
)

// Options of Open.
type Options struct {
	// Classes is how many classes the user's own list has; 0: there is none, and
	// the names come from the files' metadata.
	Classes int
}

// Open reads the files of a data set: one file, or those of a folder. What is wrong
// with them comes as one *container.Error.
func Open(path string, options Options) (*container.Set, error) {
	o := &opening{options: options, set: &container.Set{}, pages: &pages{}}
	files := o.find(path)
	tables := o.openAll(files)
	if o.faults.Len() == 0 {
		o.checkClasses(tables)
		o.checkBytes(tables)
	}
	if o.faults.Len() == 0 {
		for i, t := range tables {
			o.addPictures(files[i], t)
		}
		o.note(tables)
	}
	if err := o.faults.Err(); err != nil {
		return nil, err
	}
	return o.set, nil
}

// opening is one call of Open.
type opening struct {
	root    string // that IDs are relative to
	options Options
	set     *container.Set
	pages   *pages
	faults  container.Faults
}

// openAll opens the files, some at a time: most of it is waiting for their ends.
func (o *opening) openAll(files []file) []*table {
	tables, errs := make([]*table, len(files)), make([]error, len(files))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, f := range files {
		group.Go(func() error {
			tables[i], errs[i] = openTable(f.path, o.pages)
			return nil
		})
	}
	_ = group.Wait() // the errors are in errs, all of them
	for i, err := range errs {
		if err != nil {
			o.faults.Add(files[i].path, "%s", container.Reason(err))
		}
	}
	return tables
}

// checkClasses takes the names of the classes, on which all files must agree.
func (o *opening) checkClasses(tables []*table) {
	first := tables[0]
	for _, t := range tables[1:] {
		switch {
		case !slices.Equal(t.features.names, first.features.names):
			o.faults.Add(t.file.Path, "names other classes than %s (%s): files of one data set have the same, in the same order",
				filepath.Base(first.file.Path), difference(first.features.names, t.features.names))
		case t.features.labelColumn != first.features.labelColumn:
			o.faults.Add(t.file.Path, "has its labels in the column %q, and %s in %q: files of one data set have the same columns",
				t.features.labelColumn, filepath.Base(first.file.Path), first.features.labelColumn)
		}
	}
	o.set.Classes = first.features.names
}

// difference says in what two lists of names differ.
func difference(a, b []string) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("class %d is %q there, %q here", i, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d there, %d here", len(a), len(b))
}

// checkBytes refuses files that have their pictures' paths alone. Where a writer
// left out how many values are missing, the first row stands for all.
func (o *opening) checkBytes(tables []*table) {
	for i, t := range tables {
		missing := t.allMissing()
		if i == 0 && t.rows > 0 && !missing {
			data, err := t.pages.read(t, 0)
			if err != nil {
				o.faults.Add(t.file.Path, "%v", err)
				return
			}
			missing = data == nil
		}
		if missing {
			o.faults.Add(t.file.Path, "its column %s has no bytes, at most paths of pictures: write it again with the pictures in it "+
				"(push_to_hub of datasets embeds them), or read the folder of the pictures in place of it", t.features.imageColumn)
		}
	}
}

// addPictures takes a file's rows in.
func (o *opening) addPictures(f file, t *table) {
	relative, err := filepath.Rel(o.root, f.path)
	if err != nil {
		relative = f.path
	}
	prefix := filepath.ToSlash(relative) + "/"
	width := len(strconv.FormatInt(max(0, t.rows-1), 10))
	for row := range t.rows {
		p := container.Picture{
			// With zeros in front, so that the order of IDs is that of rows: pages are
			// then read once.
			ID:   fmt.Sprintf("%s%0*d", prefix, width, row),
			File: f.path, Split: f.split, Class: container.Unlabelled, Content: picture{t, row},
		}
		if t.labels != nil {
			p.Label, p.Class, err = o.label(t.labels[row])
			if err != nil {
				o.faults.AddRepeated(fmt.Sprintf("%s, row %d", f.path, row), "%v", err)
				continue
			}
		}
		o.set.Pictures = append(o.set.Pictures, p)
	}
}

// label finds the class that a label says.
func (o *opening) label(l label) (name string, class int, err error) {
	if !l.numeric {
		if !container.Printable(l.name) {
			return "", 0, fmt.Errorf("label %q is not UTF-8 text of one line", l.name)
		}
		return l.name, container.Unlabelled, nil
	}
	if l.number == container.Unlabelled { // what datasets writes for a test split without labels
		return "", container.Unlabelled, nil
	}
	classes, source := len(o.set.Classes), "the file"
	if classes == 0 {
		classes, source = o.options.Classes, "the list of classes"
	}
	switch {
	case classes == 0:
		return "", 0, errors.New("the label is a number, and neither the file's metadata (a ClassLabel of datasets) nor dataset.classes names the classes: list them there, a name a line in the order of the numbers")
	case l.number < 0 || l.number >= int64(classes):
		return "", 0, fmt.Errorf("label %d is out of range: %s names %d classes, 0 to %d", l.number, source, classes, classes-1)
	case len(o.set.Classes) == 0:
		return "", int(l.number), nil
	}
	return o.set.Classes[l.number], int(l.number), nil
}

// note says what a person may not expect.
func (o *opening) note(tables []*table) {
	if tables[0].labels == nil {
		o.set.Notes = append(o.set.Notes, "the files have no column of labels")
	}
}

// picture is a row's.
type picture struct {
	table *table
	row   int64
}

// Read is container.Content's.
func (p picture) Read() ([]byte, error) {
	data, err := p.table.pages.read(p.table, p.row)
	if err == nil && data == nil {
		err = fmt.Errorf("the column %s has no bytes there", p.table.features.imageColumn)
	}
	if err != nil {
		return nil, fmt.Errorf("%s, row %d: %w", p.table.file.Path, p.row, err)
	}
	return data, nil
}

// Stamp is container.Content's.
func (p picture) Stamp() string { return fmt.Sprint(p.table.file.Stamp(), " ", p.row) }
