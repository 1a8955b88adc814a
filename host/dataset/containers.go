package dataset

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/upl-host/upl-host/host/dataset/container"
	"github.com/upl-host/upl-host/host/dataset/parquet"
	"github.com/upl-host/upl-host/host/dataset/shards"
)

// readContainers reads a data set whose pictures lie in Parquet files or in tars.
func (r *reader) readContainers(s *source) {
	set, err := r.openContainers()
	var wrong *container.Error
	switch {
	case errors.As(err, &wrong):
		for _, f := range wrong.Faults {
			r.faults.add(f.Where, "%s", f.Message)
		}
		r.faults.more += wrong.More
		return
	case err != nil:
		r.faults.add(s.place, "%v", err)
		return
	}
	r.nameClasses(s, set.Classes)
	s.templates = set.Templates
	r.notes = append(r.notes, set.Notes...)
	byNumber := r.byNumber(set.Classes)
	s.split = slices.ContainsFunc(set.Pictures, func(p container.Picture) bool { return p.Split != "" })
	others := map[string]int{}
	for _, p := range set.Pictures {
		e := entry{picture: Picture{ID: p.ID, File: p.File, Content: p.Content}, label: p.Label}
		switch {
		case p.Class >= 0 && byNumber:
			e.label = r.classes[p.Class].Folder
		case p.Class >= 0:
			e.label = s.classes[p.Class].Folder
		}
		if s.split {
			name, known := splitName(p.Split)
			if !known {
				others[p.Split]++
				continue
			}
			e.split = name
		}
		s.entries = append(s.entries, e)
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		r.note("pictures of the split %s that are left out: %d; %s, %s and %s are read", name, others[name], SplitTraining, SplitValidation, SplitTest)
	}
}

// nameClasses names the classes by the containers' numbers. ImageNet's own list has
// two called sunglasses: such are told apart by their numbers, and prompts say the name.
func (r *reader) nameClasses(s *source, names []string) {
	uses := map[string]int{}
	for _, name := range names {
		uses[name]++
	}
	var twice []string
	for number, name := range names {
		class := Class{Folder: name, Name: cleanName(name)}
		if uses[name] > 1 {
			class = Class{Folder: fmt.Sprintf("%s (%d)", name, number), Name: fmt.Sprintf("%s (%d)", class.Name, number), Prompt: class.Name}
			twice = append(twice, class.Name)
		}
		s.classes = append(s.classes, class)
	}
	if len(twice) > 0 && len(r.classes) == 0 {
		r.note("classes of the same name are told apart by their numbers, and not by what prompts say: %s", examples(twice))
	}
}

func (r *reader) openContainers() (*container.Set, error) {
	if r.kind == KindParquet {
		return parquet.Open(r.main, parquet.Options{Classes: len(r.classes)})
	}
	return shards.Open(r.main, shards.Options{Classes: len(r.classes)})
}

// byNumber reports whether the user's list of classes gives names to the containers'
// numbers, by their order: where they have no names, or as many, others.
func (r *reader) byNumber(names []string) bool {
	if len(r.classes) == 0 || len(names) > 0 && len(names) != len(r.classes) {
		return false
	}
	classes := newMatcher(r.classes)
	seen := map[int]bool{}
	for _, name := range names {
		class, known := classes.label(name)
		twice := seen[class]
		if seen[class] = true; !known || twice {
			r.note("the classes are called by number, in the order of %s: the containers call them otherwise", r.config.Classes)
			return true
		}
	}
	return len(names) == 0
}
