package dataset

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// unlabelled stands for a label that is not known.
const unlabelled = -1

// assemble joins all splits' pictures and finds the classes of their labels.
func (r *reader) assemble() (*Dataset, *Truth) {
	data := &Dataset{Root: r.root, Classes: r.classes, Templates: r.templates(), Ignored: slices.Sorted(maps.Keys(r.ignored))}
	labels := r.labels()
	missing := r.findMissing()
	data.Missing = slices.Sorted(maps.Keys(missing))
	index := map[string]int{}
	for _, s := range r.sources {
		for _, e := range s.entries {
			_, known := index[e.picture.ID]
			if _, gone := missing[e.picture.ID]; !known && !gone {
				index[e.picture.ID] = 0
				data.Pictures = append(data.Pictures, e.picture)
			}
		}
	}
	slices.SortFunc(data.Pictures, func(a, b Picture) int { return strings.Compare(a.ID, b.ID) })
	truth := &Truth{labels: make([]int, len(data.Pictures))}
	for i, picture := range data.Pictures {
		index[picture.ID] = i
		truth.labels[i] = unlabelled
		if class, ok := labels[picture.ID]; ok {
			truth.labels[i] = class
			truth.any = true
		}
	}
	data.Unlabeled = r.indices(r.unlabeled, index)
	data.Validation = r.indices(r.validation, index)
	data.Test = r.indices(r.test, index)
	data.Notes = r.allNotes(data, labels)
	return data, truth
}

// labels finds the class of each labelled picture, by ID.
func (r *reader) labels() map[string]int {
	classes := newMatcher(r.classes)
	labels := map[string]int{}
	unknown := map[string][]string{} // label: where
	for _, s := range r.sources {
		for _, e := range s.entries {
			if e.label == "" {
				continue
			}
			find := classes.label
			if e.folder {
				find = classes.folder
			}
			class, ok := find(e.label)
			if !ok {
				unknown[e.label] = append(unknown[e.label], e.position())
				continue
			}
			if other, twice := labels[e.picture.ID]; twice && other != class {
				r.faults.add(e.position(), "picture %s is labelled %q here and %q in another split", e.picture.ID, r.classes[class].Name, r.classes[other].Name)
				continue
			}
			labels[e.picture.ID] = class
		}
	}
	for _, label := range slices.Sorted(maps.Keys(unknown)) {
		where := unknown[label]
		advice := "add it to the classes, or mend it"
		if name, ok := classes.nearest(label); ok {
			advice = fmt.Sprintf("did you mean %q?", name)
		}
		r.faults.add(where[0], "label %q, of %d pictures, is no class: %s", label, len(where), advice)
	}
	return labels
}

// findMissing looks for every listed picture, and returns where those are listed
// that are not there, by ID.
func (r *reader) findMissing() map[string]string {
	missing := map[string]string{}
	for _, s := range r.sources {
		for _, e := range s.entries {
			if e.where == "" {
				continue
			}
			info, err := os.Stat(e.picture.File)
			switch {
			case err != nil:
				missing[e.picture.ID] = e.where
			case !info.Mode().IsRegular():
				r.faults.add(e.where, "%s is no regular file", e.picture.ID)
			}
		}
	}
	if len(missing) > 0 && !r.config.SkipMissing {
		listed := make([]string, 0, len(missing))
		for _, id := range slices.Sorted(maps.Keys(missing)) {
			listed = append(listed, fmt.Sprintf("%s (%s)", id, missing[id]))
		}
		advice := "set dataset.missing to skip to go on without them"
		if strings.Contains(listed[0], `\`) {
			advice = `write paths with / in place of \`
		}
		r.faults.add(r.root, "%d listed pictures are missing: %s; %s", len(missing), examples(listed), advice)
	}
	return missing
}

// indices are the places of a role's pictures, thinned out to the limit.
func (r *reader) indices(o *role, index map[string]int) []int {
	var all []int
	for _, e := range o.entries {
		if i, ok := index[e.picture.ID]; ok {
			all = append(all, i)
		}
	}
	slices.Sort(all)
	if len(all) == 0 && len(o.entries) > 0 && r.config.SkipMissing {
		r.faults.add(o.key, "none of the pictures that %s lists is there", o.source.place)
	}
	limit := r.config.Limit
	if limit == 0 || len(all) <= limit {
		return all
	}
	some := make([]int, limit)
	for k := range some {
		some[k] = all[k*len(all)/limit]
	}
	return some
}

// templates are the data set's own.
func (r *reader) templates() []string {
	for _, s := range r.sources {
		if s.templates != nil {
			return s.templates
		}
	}
	if r.layout.Template != "" {
		return []string{r.layout.Template}
	}
	return nil
}

// allNotes tell what is odd but no fault.
func (r *reader) allNotes(data *Dataset, labels map[string]int) []string {
	notes := r.notes
	if note := data.IgnoredNote(); note != "" {
		notes = append(notes, note)
	}
	if len(data.Missing) > 0 {
		notes = append(notes, fmt.Sprintf("%d listed pictures are missing and left out: %s", len(data.Missing), examples(data.Missing)))
	}
	if !slices.ContainsFunc(r.sources, func(s *source) bool { return len(s.folders) > 0 }) {
		return notes
	}
	filled := make([]bool, len(r.classes))
	for _, class := range labels {
		filled[class] = true
	}
	var empty []string
	for class, has := range filled {
		if !has {
			empty = append(empty, r.classes[class].Folder)
		}
	}
	if len(empty) > 0 {
		notes = append(notes, "class folders without pictures: "+examples(empty))
	}
	return notes
}
