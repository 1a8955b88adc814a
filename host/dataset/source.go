package dataset

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/upl-host/upl-host/host/dataset/layout"
)

// source is what a folder or file says: each kind's reader fills one.
type source struct {
	place   string // absolute
	key     string // of the configuration
	entries []entry
	folders []string // class folders, those without pictures too; of folders only
	// split: every entry names its split.
	split bool
	// classes, where the source itself says what they are, in the order of its labels.
	classes []Class
	// templates are the source's own prompts of its classes.
	templates []string
}

// entry is a picture as a source names it.
type entry struct {
	picture Picture
	// label is the table's, the folder within the source, or the Folder of a class
	// that the source names; empty: none.
	label  string
	folder bool   // label is a folder
	split  string // SplitTraining, SplitValidation or SplitTest; empty in a source without splits
	where  string // of the line that lists it; empty for what is known to be there
}

// className is the class that the entry names, where no file lists the classes.
func (e entry) className() string {
	if e.folder {
		first, _, _ := strings.Cut(e.label, "/")
		return first
	}
	return cleanName(e.label)
}

// position is where an entry comes from.
func (e entry) position() string {
	if e.where == "" {
		return e.picture.Name()
	}
	return e.where
}

// splitName reads the name of a split.
func splitName(text string) (name string, ok bool) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "train", "training":
		return SplitTraining, true
	case "val", "valid", "validation":
		return SplitValidation, true
	case "test", "testing":
		return SplitTest, true
	}
	return "", false
}

// whole returns the reader of a data set that is read at once, with its splits;
// nil: each split is a folder or file of its own.
func (r *reader) whole() func(*source) {
	switch {
	case r.kind == KindParquet, r.kind == KindWebDataset:
		return r.readContainers
	case r.kind == KindImageNet && r.config.Variant != "":
		return r.readVariant
	case r.kind == KindImageNet:
		return r.readImageNet
	case r.kind == kindAircraft:
		return r.readAircraft
	case r.layout.Split != "" || r.config.Split != "":
		return r.readSplitFile
	}
	return nil
}

// role is what pictures are for.
type role struct {
	key, path string // of the configuration: a split's name, a source, or nothing
	split     string // that it takes of a source with splits
	source    *source
	entries   []entry
}

// readRoles finds the pictures of each role, reading every source once.
func (r *reader) readRoles() {
	if read := r.whole(); read != nil {
		s := &source{place: r.main, key: "dataset.path"}
		read(s)
		r.add(s)
		for _, o := range r.roles {
			r.takeNamed(o, s)
		}
		return
	}
	if !r.checkWhole(r.test) || !r.checkWhole(r.unlabeled) {
		return
	}
	r.take(r.unlabeled, r.open(r.unlabeled))
	r.take(r.test, r.open(r.test))
	if r.validation.path != "" {
		r.take(r.validation, r.open(r.validation))
	} else if i := slices.IndexFunc(r.sources, func(s *source) bool { return s.place == r.main && s.split }); i >= 0 {
		r.take(r.validation, r.sources[i])
	}
}

// takeNamed gives a role the split that it names of a data set that was read whole.
func (r *reader) takeNamed(o *role, s *source) {
	switch name, ok := splitName(o.path); {
	case o.path == "":
	case !ok:
		r.faults.add(o.key, "%q is no split of the data set: want %s, %s or %s", o.path, SplitTraining, SplitValidation, SplitTest)
		return
	case !s.split:
		if len(r.faults.listed) == 0 { // its splits may be what could not be read
			r.faults.add(o.key, "the data set has no splits: leave the key out")
		}
		return
	default:
		o.split = name
	}
	if o == r.validation && !s.split {
		return
	}
	r.take(o, s)
}

// take gives a role its pictures of a source.
func (r *reader) take(o *role, s *source) {
	o.source = s
	if !s.split {
		o.entries = s.entries
		return
	}
	for _, e := range s.entries {
		if e.split == o.split {
			o.entries = append(o.entries, e)
		}
	}
	if len(o.entries) == 0 && len(r.faults.listed) == 0 && (o != r.validation || o.path != "") {
		r.faults.add(o.key, "%s has no pictures of the split %s: set the key to one that it has (%s)", s.place, o.split, strings.Join(s.splits(), ", "))
	}
}

// splits are those that a source has pictures of.
func (s *source) splits() []string {
	return slices.DeleteFunc(slices.Clone(splitNames), func(name string) bool {
		return !slices.ContainsFunc(s.entries, func(e entry) bool { return e.split == name })
	})
}

// needs reports whether a role takes a split of a data set that is read whole.
func (r *reader) needs(split string) bool {
	return slices.ContainsFunc(r.roles, func(o *role) bool {
		name, named := splitName(o.path)
		return named && name == split || o.path == "" && o.split == split
	})
}

// add takes in a source that has been read: sorted, each picture once.
func (r *reader) add(s *source) {
	if len(s.entries) == 0 && len(r.faults.listed) == 0 {
		if r.kind == KindParquet || r.kind == KindWebDataset || !isFolder(s.place) {
			r.faults.add(s.key, "%s lists no picture", s.place)
		} else {
			r.faults.add(s.key, "no pictures in %s: want files that end in %s", s.place, strings.Join(extensions, " "))
		}
	}
	slices.SortStableFunc(s.entries, func(a, b entry) int { return strings.Compare(a.picture.ID, b.picture.ID) })
	r.checkDuplicates(s)
	r.sources = append(r.sources, s)
}

// checkDuplicates finds pictures that a source lists twice; entries are sorted.
func (r *reader) checkDuplicates(s *source) {
	var between []string // splits
	for i := 1; i < len(s.entries); i++ {
		first, again := s.entries[i-1], s.entries[i]
		switch {
		case first.picture.ID != again.picture.ID:
		case first.split != again.split:
			between = append(between, fmt.Sprintf("%s (%s and %s)", again.picture.ID, first.split, again.split))
		default:
			r.faults.add(again.position(), "picture %s is listed in %s already", again.picture.ID, filepath.Base(first.position()))
		}
	}
	if len(between) > 0 {
		r.faults.add(s.place, "pictures in two splits: %s; a test picture that is learnt from is no test", examples(between))
	}
	s.entries = slices.CompactFunc(s.entries, func(a, b entry) bool { return a.picture.ID == b.picture.ID })
}

// note keeps what a person should know of a source.
func (r *reader) note(format string, arguments ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, arguments...))
}

// noteOfficial says so where a data set is not as its authors, or CoOp's, split it:
// its figures are then not to be set beside published ones.
func (r *reader) noteOfficial(s *source) {
	counts := map[string]int{}
	for _, e := range s.entries {
		counts[e.split]++
	}
	l := layout.Layout{Classes: len(s.classes), Train: counts[SplitTraining], Val: counts[SplitValidation], Test: counts[SplitTest]}
	want := r.layout
	for split, n := range map[string]*int{SplitTraining: &want.Train, SplitValidation: &want.Val, SplitTest: &want.Test} {
		if counts[split] == 0 && !r.needs(split) {
			*n = 0
		}
	}
	if have := l.Official(); have != want.Official() && len(r.faults.listed) == 0 {
		r.note("this is not the official split of %s (%s), but one with %s: figures of papers are of that one", r.layout.Name, want.Official(), have)
	}
}
