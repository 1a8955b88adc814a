package dataset

import (
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const byteOrderMark = "\ufeff"

// readClasses reads the classes file; it reports whether nothing is wrong with it.
func (r *reader) readClasses() bool {
	text, err := os.ReadFile(r.config.Classes)
	if err != nil {
		r.faults.add(r.config.Classes, "%s", reason(err))
		return false
	}
	r.classes = parseClasses(r.config.Classes, string(text), &r.faults)
	if len(r.classes) == 0 && len(r.faults.listed) == 0 {
		r.faults.add(r.config.Classes, "names no class: write one a line, its folder, a tab and its name, or its name alone")
	}
	r.checkCount(r.config.Classes)
	return len(r.faults.listed) == 0
}

// ReadClasses reads a classes file alone, in the order of its lines; what is wrong
// with it is an *Error.
func ReadClasses(path string) ([]Class, error) {
	var found faults
	text, err := os.ReadFile(path)
	if err != nil {
		found.add(path, "%s", reason(err))
	}
	classes := parseClasses(path, string(text), &found)
	return classes, found.err()
}

// parseClasses reads the lines of a classes file and checks their names.
func parseClasses(file, text string, found *faults) []Class {
	var classes []Class
	folders, names := map[string]int{}, map[string]int{} // the lines that have them
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(text, byteOrderMark)) {
		number++
		where := fmt.Sprintf("%s:%d", file, number)
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if !utf8.ValidString(line) {
			found.add(where, "is not UTF-8: %q", line)
			continue
		}
		folder, name, tabbed := strings.Cut(line, "\t")
		if !tabbed {
			folder, name = strings.TrimSpace(line), line
		}
		if strings.Contains(name, "\t") {
			found.add(where, "has more than one tab: want a folder, a tab and a class name")
			continue
		}
		name = cleanName(name)
		folder = path.Clean(strings.TrimSpace(folder))
		switch {
		case name == "":
			found.add(where, "class name is empty")
		case strings.ContainsFunc(name, unicode.IsControl):
			found.add(where, "class name %q has control characters", name)
		case tabbed && folder == ".":
			found.add(where, "the folder of class %q is empty", name)
		case names[key(name)] > 0:
			found.add(where, "class name %q is that of line %d: names must differ by more than case, spaces and _", name, names[key(name)])
		case folders[folder] > 0:
			found.add(where, "folder %q has a class in line %d already", folder, folders[folder])
		default:
			folders[folder], names[key(name)] = number, number
			classes = append(classes, Class{Folder: folder, Name: name})
		}
	}
	return classes
}

// cleanName is a class name as prompts say it.
func cleanName(name string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(name, "_", " ")), " ")
}

// key is what names of the same class have in common.
func key(name string) string { return strings.ToLower(cleanName(name)) }

// deriveClasses takes the classes that a source names, or else those of class
// folders or labels, sorted; it reports whether there are such.
func (r *reader) deriveClasses() bool {
	labels := map[string]bool{}
	for _, s := range r.sources {
		if s.classes != nil {
			r.setClasses(s.place, s.classes)
			return len(r.classes) > 1
		}
		if s.holdsSplits() {
			r.faults.add(s.place, "the folders in it (%s) are splits, not classes: name those to use, as in dataset.unlabeled=train and dataset.test=test", strings.Join(s.folders, ", "))
			return false
		}
		for _, folder := range s.folders {
			labels[folder] = true
		}
		for _, e := range s.entries {
			if e.label != "" {
				labels[e.className()] = true
			}
		}
		r.checkUnknown(s)
	}
	var found []Class
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		found = append(found, Class{Folder: label, Name: cleanName(label)})
	}
	r.setClasses(r.main, found)
	return len(r.classes) > 1
}

// holdsSplits reports whether what was taken for class folders is a folder per split.
func (s *source) holdsSplits() bool {
	return len(s.folders) > 0 && !slices.ContainsFunc(s.folders, func(folder string) bool {
		_, split := splitName(folder)
		return !split
	})
}

// unknownLabels are what pandas writes for a label that is not known.
var unknownLabels = []string{"NaN", "nan", "<NA>"}

// checkUnknown refuses to make a class of what stands for an unknown one.
func (r *reader) checkUnknown(s *source) {
	for _, label := range unknownLabels {
		same := func(e entry) bool { return !e.folder && e.label == label }
		if i := slices.IndexFunc(s.entries, same); i >= 0 {
			r.faults.add(s.entries[i].position(), "the label %q is what programs write where there is none: leave it empty, or list the class in dataset.classes", label)
		}
	}
}

// setClasses keeps the classes that can be told apart by their names.
func (r *reader) setClasses(where string, found []Class) {
	seen := map[string]string{}
	for _, class := range found {
		other, repeated := seen[key(class.Name)]
		switch {
		case class.Name == "" || !printable(class.Folder) || strings.ContainsFunc(class.Name, unicode.IsControl):
			r.faults.add(where, "%q is no class name", class.Folder)
		case repeated:
			r.faults.add(where, "%q and %q are the same class name: names must differ by more than case, spaces and _", other, class.Folder)
		default:
			seen[key(class.Name)] = class.Folder
			r.classes = append(r.classes, class)
		}
	}
	if len(r.classes) == 0 && len(r.faults.listed) == 0 {
		r.faults.add("dataset.classes", "nothing says what the classes are: name a file of class names, one a line")
	}
	r.checkCount(where)
}

// checkCount refuses what leaves nothing to tell apart.
func (r *reader) checkCount(where string) {
	if len(r.classes) == 1 && len(r.faults.listed) == 0 {
		advice := ""
		if where == r.main && r.kind == KindFolder {
			advice = "; if the class folders are in that one, set dataset.path to it"
		}
		r.faults.add(where, "there is only the class %q: classification wants two at least%s", r.classes[0].Name, advice)
	}
}

// matcher finds the class that a label or a folder means.
type matcher struct {
	classes        []Class
	names, folders map[string]int // as written
	keys           map[string]int // up to case, spaces and _; names first
}

func newMatcher(classes []Class) *matcher {
	m := &matcher{classes: classes, names: map[string]int{}, folders: map[string]int{}, keys: map[string]int{}}
	for i, class := range classes {
		m.names[class.Name] = i
		m.folders[class.Folder] = i
		m.keys[key(class.Name)] = i
	}
	for i, class := range classes {
		if _, taken := m.keys[key(class.Folder)]; !taken {
			m.keys[key(class.Folder)] = i
		}
	}
	return m
}

// label finds the class of a table's label.
func (m *matcher) label(label string) (int, bool) {
	for _, index := range []map[string]int{m.names, m.folders} {
		if class, ok := index[label]; ok {
			return class, true
		}
	}
	class, ok := m.keys[key(label)]
	return class, ok
}

// folder finds the class of a picture's folder: of itself, or of the nearest one
// above it, since class folders may have folders in them.
func (m *matcher) folder(folder string) (int, bool) {
	for ; folder != "." && folder != "/"; folder = path.Dir(folder) {
		if class, ok := m.folders[folder]; ok {
			return class, true
		}
		if class, ok := m.keys[key(folder)]; ok {
			return class, true
		}
	}
	return 0, false
}

// nearest suggests the class that was probably meant.
func (m *matcher) nearest(label string) (name string, ok bool) {
	wanted := []rune(key(label))
	best := max(2, len(wanted)/3) + 1
	for _, class := range m.classes {
		for _, written := range []string{class.Name, class.Folder} {
			if d := distance(wanted, []rune(key(written))); d < best {
				best, name = d, class.Name
			}
		}
	}
	return name, name != ""
}

// distance is how many insertions, deletions and substitutions make one text of
// the other (Levenshtein).
func distance(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j+1]+1, row[j]+1, cost)
		}
	}
	return row[len(b)]
}
