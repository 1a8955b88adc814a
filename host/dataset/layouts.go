package dataset

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/upl-host/upl-host/host/dataset/layout"
)

// The files that data sets without a split file are read by.
const (
	classNamesFile = "classnames.txt" // of ImageNet: wnid name
	variantsFile   = "variants.txt"   // of FGVCAircraft: name
	maxNamesFile   = 16 << 20
)

// layoutRoot is the data set's own folder: Path, or the one of its standard name in
// it.
func (r *reader) layoutRoot() string {
	folder, mark := r.layout.Folder, r.layout.Split
	switch {
	case r.config.Variant != "":
		v, _ := layout.VariantByName(r.config.Variant)
		folder, mark = v.Folder, v.Images
	case r.kind == KindImageNet:
		mark = classNamesFile
	case r.kind == kindAircraft:
		mark = variantsFile
	}
	if exists(filepath.Join(r.main, mark)) {
		return r.main
	}
	if within := filepath.Join(r.main, folder); exists(within) {
		return within
	}
	if filepath.Base(r.main) != folder {
		r.taken = fmt.Sprintf(". %s has no folder %s in it, and so is taken for that folder itself", r.main, folder)
	}
	return r.main
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// keyed is a line of a file of keys and names.
type keyed struct {
	key, name string
	line      int
}

// readKeyed reads lines of a key, a space and a name.
func (r *reader) readKeyed(file string) (lines []keyed, ok bool) {
	text, ok := r.readText(file, maxNamesFile)
	if !ok {
		return nil, false
	}
	scanner := bufio.NewScanner(bytes.NewReader(text))
	for number := 1; scanner.Scan(); number++ {
		key, name, _ := strings.Cut(strings.TrimSpace(scanner.Text()), " ")
		switch name = strings.TrimSpace(name); {
		case key == "":
			continue
		case name == "":
			r.faults.add(at(file, number), "%q has no name behind it", key)
			ok = false
		}
		lines = append(lines, keyed{key, name, number})
	}
	if err := scanner.Err(); err != nil {
		r.faults.add(file, "%v", err)
		ok = false
	}
	return lines, ok
}

// readAircraft reads FGVCAircraft: classes in the order of variants.txt, a list of
// pictures and classes for each split.
func (r *reader) readAircraft(s *source) {
	text, ok := r.readText(filepath.Join(r.root, variantsFile), maxNamesFile)
	if !ok {
		return
	}
	known := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if name := strings.TrimSpace(line); name != "" && !known[name] {
			known[name] = true
			s.classes = append(s.classes, Class{Folder: name, Name: cleanName(r.layout.Call(name))})
		}
	}
	s.split = true
	for _, split := range splitNames {
		if split == SplitValidation && !r.needs(split) {
			continue
		}
		file := filepath.Join(r.root, fmt.Sprintf("images_variant_%s.txt", split))
		lines, ok := r.readKeyed(file)
		if !ok {
			continue
		}
		for _, l := range lines {
			e := entry{split: split, label: l.name, where: at(file, l.line)}
			var err error
			if !known[l.name] {
				err = fmt.Errorf("%q is no variant of %s", l.name, variantsFile)
			} else {
				e.picture, err = r.listedPicture(filepath.Join(r.root, r.layout.Images), l.key+".jpg")
			}
			if err != nil {
				r.faults.add(e.where, "%v", err)
				continue
			}
			s.entries = append(s.entries, e)
		}
	}
	r.noteOfficial(s)
}

// readImageNet reads ImageNet: folders of wnids, named by classnames.txt. There is
// no split file: val, which papers measure on, serves as the test split.
func (r *reader) readImageNet(s *source) {
	names, ok := r.readClassNames(filepath.Join(r.root, classNamesFile))
	if !ok {
		return
	}
	s.split = true
	for _, part := range []struct{ folder, split string }{{"train", SplitTraining}, {"val", SplitTest}} {
		if !r.needs(part.split) {
			continue // train has 1.28 million pictures
		}
		from := len(s.entries)
		r.readWordNet(s, filepath.Join(r.root, r.layout.Images, part.folder))
		for i := range s.entries[from:] {
			s.entries[from+i].split = part.split
		}
	}
	r.nameFolders(s, names)
	r.noteOfficial(s)
}

// readVariant reads another set of pictures of ImageNet's classes. It has no
// splits; its classes are those that it has pictures of.
func (r *reader) readVariant(s *source) {
	v, _ := layout.VariantByName(r.config.Variant)
	file := filepath.Join(r.root, classNamesFile)
	if other := filepath.Join(filepath.Dir(r.root), r.layout.Folder, classNamesFile); !exists(file) && exists(other) {
		file = other
	}
	names, ok := r.readClassNames(file)
	if !ok {
		return
	}
	folder := filepath.Join(r.root, v.Images)
	if !exists(folder) {
		folder = r.root
	}
	r.readWordNet(s, folder)
	if v.Numbered {
		r.renumber(s, names)
	}
	r.nameFolders(s, names)
	if n := len(s.classes); n != v.Classes && len(r.faults.listed) == 0 {
		r.note("%s has %d classes, and there are %d: figures of papers are of those", v.Title, v.Classes, n)
	}
}

// readClassNames reads classnames.txt, in its order.
func (r *reader) readClassNames(file string) (names []keyed, ok bool) {
	names, ok = r.readKeyed(file)
	seen := map[string]int{}
	for _, n := range names {
		if seen[n.key] > 0 {
			r.faults.add(at(file, n.line), "%s is named in line %d already", n.key, seen[n.key])
			ok = false
		}
		seen[n.key] = n.line
	}
	return names, ok
}

// readWordNet reads a folder of class folders, of which every picture is to lie in one.
func (r *reader) readWordNet(s *source, folder string) {
	from := len(s.entries)
	r.readFolder(s, folder, true)
	for i := range s.entries[from:] {
		e := &s.entries[from+i]
		if e.label == "" {
			r.faults.add(folder, "%s lies in no class folder: sort the pictures into folders of wnids, as %s says", filepath.Base(e.picture.File), layout.Instructions)
			return
		}
		e.label, e.folder = e.className(), false
	}
}

// renumber turns folders that are places in classnames.txt into wnids.
func (r *reader) renumber(s *source, names []keyed) {
	wnid := map[string]string{}
	for i, folder := range s.folders {
		n, err := strconv.Atoi(folder)
		if err != nil || n < 0 || n >= len(names) {
			r.faults.add(s.place, "folder %s is no class: want 0 to %d", folder, len(names)-1)
			continue
		}
		wnid[folder] = names[n].key
		s.folders[i] = names[n].key
	}
	for i := range s.entries {
		s.entries[i].label = wnid[s.entries[i].label]
	}
}

// nameFolders makes the folders that were found the classes, sorted, with the names
// that prompts have for them. Two of one name are told apart by their wnids.
func (r *reader) nameFolders(s *source, names []keyed) {
	found := map[string]bool{}
	for _, folder := range s.folders {
		found[folder] = true
	}
	byFolder, uses := map[string]string{}, map[string]int{}
	for _, n := range names {
		byFolder[n.key] = cleanName(n.name)
		uses[key(n.name)]++
	}
	for _, folder := range slices.Sorted(maps.Keys(found)) {
		name, ok := byFolder[folder]
		if !ok {
			r.faults.add(s.place, "folder %s has no name in %s", folder, classNamesFile)
			continue
		}
		class := Class{Folder: folder, Name: name}
		if uses[key(name)] > 1 {
			class.Name, class.Prompt = fmt.Sprintf("%s (%s)", name, folder), name
		}
		s.classes = append(s.classes, class)
	}
	s.folders = slices.Sorted(maps.Keys(found))
}
