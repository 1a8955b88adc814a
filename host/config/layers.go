package config

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxExtends bounds how deep files extend files.
const maxExtends = 8

// layers reads a file after those that it extends, each over the ones before.
type layers struct {
	*loader
	files  int  // extended files so far
	broken bool // one cannot be read
}

// read reads a file, whose text may be there already. at is where it is named,
// above are the files that extend it.
func (f *layers) read(file place, text []byte, at place, above []string) {
	var err error
	if text == nil {
		if text, err = read(file.file); err != nil {
			f.fault(at, file, err)
			return
		}
	}
	root, err := parse(file.file, text)
	if err != nil {
		f.fault(file, file, err)
		return
	}
	own, rest := apart(root)
	above = append(slices.Clone(above), filepath.Join(file.base, filepath.Base(file.file)))
	f.source = file
	r := f.reader()
	var axes map[string]any
	r.each(FileRoot(), "", own, func(key *Key, path string, value *yaml.Node) {
		if key.Kind == Section {
			axes = make(map[string]any)
			r.section(key, path, value, func(axis *Key, value any) { axes[axis.Name] = value })
		} else if v, ok := r.value(key, path, value); ok {
			f.extend(v.(Files), r.places, above)
		}
	})
	f.source = file // extended files had it
	r.section(Root(), "", rest, f.merge)
	f.keep(r)
	for name, value := range axes {
		if f.axes == nil {
			f.axes = make(map[string]any)
		}
		f.axes[name] = value
	}
	if axes != nil && f.axes == nil { // `matrix:` without an axis
		f.axes = axes
	}
}

// extend reads the files that a file names.
func (f *layers) extend(files Files, places map[string]place, above []string) {
	for i, file := range files {
		at, ok := places[index("extends", i)]
		if !ok {
			at = places["extends"]
		}
		switch {
		case file == "": // of a path that was refused
			continue
		case slices.Contains(above, file):
			f.faults.add(at, "extends", "%s extends itself, by way of the files that it names", filepath.Base(file))
			f.broken = true
			continue
		case len(above) > maxExtends:
			f.faults.add(at, "extends", "files extend files more than %d deep", maxExtends)
			f.broken = true
			continue
		}
		f.files++
		f.read(f.in(f.shown(file), -f.files), nil, at, above)
	}
}

// shown is how messages call an extended file: as the file that was given is.
func (f *layers) shown(file string) string {
	if relative, err := filepath.Rel(f.working, file); err == nil && !filepath.IsAbs(f.first.file) && !strings.HasPrefix(relative, "..") {
		return relative
	}
	return file
}

// fault reports a file that cannot be read, at a place.
func (f *layers) fault(at, file place, err error) {
	key, name := "", ""
	if at.line > 0 { // where another file names it
		key, name = "extends", file.file+": "
	}
	var syntax *syntaxError
	if errors.As(err, &syntax) {
		at.line, at.column = syntax.line, syntax.column
	}
	f.faults.add(at, key, "%s%v", name, err)
	f.broken = true
}

// apart takes the keys of the file apart from those of the run.
func apart(root *yaml.Node) (file, run *yaml.Node) {
	a, b := *root, *root
	a.Content, b.Content = nil, nil
	for i := 0; i+1 < len(root.Content); i += 2 {
		into := &b
		if FileRoot().child(root.Content[i].Value) != nil {
			into = &a
		}
		into.Content = append(into.Content, root.Content[i], root.Content[i+1])
	}
	return &a, &b
}
