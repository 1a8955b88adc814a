package dataset

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/upl-host/upl-host/host/dataset/layout"
)

// maxSplitFile bounds a split file; that of SUN397 has 4 MB.
const maxSplitFile = 1 << 28

// splitItem is a picture in a split file: its path from the pictures' folder, the
// number of its class, from 0, and what that is called.
type splitItem struct {
	path  string
	label int
	name  string
}

// splitFile is a split as CoOp writes it: {"train": [[path, label, name], …],
// "val": …, "test": …}.
type splitFile map[string][]splitItem

var splitNames = []string{SplitTraining, SplitValidation, SplitTest}

// readSplitFile reads a data set by a split file: its layout's, or the one that is
// configured.
func (r *reader) readSplitFile(s *source) {
	file, own := filepath.Join(r.root, r.layout.Split), r.config.Split == ""
	if !own {
		file = r.inRoot(r.config.Split)
	}
	s.place = file
	text, ok := r.readText(file, maxSplitFile)
	if !ok {
		return
	}
	split := parseSplit(file, text, &r.faults)
	classes := split.classes(file, r.layout, &r.faults)
	if len(r.faults.listed) > 0 {
		return
	}
	s.classes = classes
	s.split = true
	folder := filepath.Join(r.root, filepath.FromSlash(r.layout.Images))
	for _, name := range splitNames {
		for i, item := range split[name] {
			e := entry{split: name, label: s.classes[item.label].Folder, where: splitPlace(file, name, i)}
			var err error
			if e.picture, err = r.listedPicture(folder, item.path); err != nil {
				r.faults.add(e.where, "%v", err)
				continue
			}
			s.entries = append(s.entries, e)
		}
	}
	if own {
		r.noteOfficial(s)
	}
}

// readText reads a file that is not to be larger than a bound.
func (r *reader) readText(file string, most int64) (text []byte, ok bool) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		r.faults.add(file, "%s%s", reason(err), r.remedy(file))
		return nil, false
	case info.Size() > most:
		r.faults.add(file, "has %d bytes, and no such file has more than %d", info.Size(), most)
		return nil, false
	}
	if text, err = os.ReadFile(file); err != nil {
		r.faults.add(file, "%s", reason(err))
		return nil, false
	}
	return bytes.TrimPrefix(text, []byte(byteOrderMark)), true
}

// remedy says where a file of a data set is to be had.
func (r *reader) remedy(file string) string {
	l := r.layout
	switch {
	case l.Kind == "" || r.config.Split != "":
		return ""
	case l.Split == "":
		return fmt.Sprintf(": it comes with the data set (%s); %s says how to lay it out", l.Download, layout.Instructions) + r.taken
	}
	text := fmt.Sprintf(": it is the official split of %s; download it from %s (%s says how to lay out the rest) to %s", l.Name, l.Download, layout.Instructions, filepath.Dir(file))
	if l.Tree != layout.TreeNone {
		text += fmt.Sprintf(". A random split, whose figures are not those of papers, is made by `upl-host dataset split %s --kind %s -o my_split.json`, to be named by dataset.split", r.root, l.Kind)
	}
	return text + r.taken
}

func splitPlace(file, name string, i int) string { return fmt.Sprintf("%s, %s[%d]", file, name, i) }

// parseSplit reads the text of a split file. Whatever it says, items have paths,
// labels of at least 0, and names.
func parseSplit(file string, text []byte, found *faults) splitFile {
	const form = `want {"train": [["path.jpg", 0, "class name"], …], "val": […], "test": […]}`
	var lists map[string][]json.RawMessage
	if err := json.Unmarshal(text, &lists); err != nil {
		found.add(file, "is no split: %v: %s", err, form)
		return nil
	}
	split := splitFile{}
	for name, list := range lists {
		if !slices.Contains(splitNames, name) {
			found.add(file, "has the key %q: %s", shorten(name), form)
			continue
		}
		split[name] = make([]splitItem, 0, len(list))
		for i, raw := range list {
			item, err := parseItem(raw)
			if err != nil {
				found.add(splitPlace(file, name, i), "%v", err)
				continue
			}
			split[name] = append(split[name], item)
		}
	}
	return split
}

func parseItem(raw json.RawMessage) (item splitItem, err error) {
	var parts []json.RawMessage
	if json.Unmarshal(raw, &parts) != nil || len(parts) != 3 {
		return item, fmt.Errorf("is not [path, label, name]: %s", shorten(string(raw)))
	}
	if json.Unmarshal(parts[0], &item.path) != nil || string(parts[0]) == "null" {
		return item, fmt.Errorf("the path is no string: %s", shorten(string(parts[0])))
	}
	if json.Unmarshal(parts[1], &item.label) != nil || string(parts[1]) == "null" || item.label < 0 {
		return item, fmt.Errorf("the label is no whole number of at least 0: %s", shorten(string(parts[1])))
	}
	if json.Unmarshal(parts[2], &item.name) != nil || strings.TrimSpace(item.name) == "" {
		return item, fmt.Errorf("the class name is no string, or empty: %s", shorten(string(parts[2])))
	}
	return item, nil
}

// classes are those that the items name, in the order of their labels: each label
// has one name, each name one label, and none is left out.
func (f splitFile) classes(file string, l layout.Layout, found *faults) []Class {
	names := map[int]string{}
	first := map[int]string{} // where a label comes first
	for _, split := range splitNames {
		for i, item := range f[split] {
			where := splitPlace(file, split, i)
			switch name, known := names[item.label]; {
			case !known:
				names[item.label], first[item.label] = item.name, where
			case name != item.name:
				found.add(where, "label %d is called %q, but %q in %s", item.label, shorten(item.name), shorten(name), first[item.label])
			}
		}
	}
	classes := make([]Class, len(names))
	for _, label := range slices.Sorted(maps.Keys(names)) {
		if label >= len(classes) {
			found.add(first[label], "label %d is out of range: %d classes have pictures, and labels count them from 0 to %d, without a gap", label, len(classes), len(classes)-1)
			continue
		}
		classes[label] = Class{Folder: names[label], Name: cleanName(l.Call(names[label]))}
	}
	return classes
}

// shorten bounds what a message repeats.
func shorten(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
