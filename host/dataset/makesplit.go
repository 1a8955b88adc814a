package dataset

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/upl-host/upl-host/host/dataset/layout"
)

// SplitConfig says how a random split is made.
type SplitConfig struct {
	Kind string // KindFolder, or one of package layout
	Path string // as Config has it
	// Train and Val are the shares of each class; the rest is for testing.
	Train, Val float64
	Seed       uint64
}

// Split is a random split of a data set, the same for the same pictures and seed.
type Split struct {
	Kind, Root       string
	Classes          int
	Train, Val, Test int // pictures
	Ignored          int // files that are no pictures
	items            splitFile
}

// MakeSplit draws a split, stratified: of every class the same shares, rounded half
// to even, as CoOp's code does. What is wrong comes as one *Error.
func MakeSplit(c SplitConfig) (*Split, error) {
	r := newReader(Config{Kind: c.Kind, Path: c.Path})
	if !r.locate() {
		return nil, r.faults.err()
	}
	if r.kind != KindFolder && r.layout.Tree == layout.TreeNone {
		r.faults.add("--kind", "no split can be made of %s: %s", r.kind, r.noTree())
		return nil, r.faults.err()
	}
	if !(c.Train > 0 && c.Val >= 0 && c.Train+c.Val < 1) {
		r.faults.add("--train, --val", "the shares %g and %g leave no test pictures, or are no shares: want above 0, at least 0, and together below 1", c.Train, c.Val)
		return nil, r.faults.err()
	}
	folder := filepath.Join(r.root, filepath.FromSlash(r.layout.Images))
	s := &source{key: "dataset.path", place: folder}
	r.readFolder(s, folder, true)
	r.add(s)
	classes := r.treeClasses(s, folder)
	split := r.draw(classes, c)
	if err := r.faults.err(); err != nil {
		return nil, err
	}
	split.Ignored = len(r.ignored)
	return split, nil
}

// noTree is why a kind's pictures do not tell their classes.
func (r *reader) noTree() string {
	if r.layout.Split == "" {
		return "it has official splits without a split file, or has none"
	}
	return fmt.Sprintf("its labels are in MATLAB files alone; download %s from %s", r.layout.Split, r.layout.Download)
}

// treeClass is a class that a tree of pictures shows: its pictures' paths, from the
// pictures' folder on.
type treeClass struct {
	raw   string
	paths []string
}

// treeClasses sorts the pictures of a tree into classes, and those by name.
func (r *reader) treeClasses(s *source, folder string) []treeClass {
	byName := map[string][]string{}
	var stray []string
	for _, e := range s.entries {
		relative, err := filepath.Rel(folder, e.picture.File)
		if err != nil {
			r.faults.add(folder, "%v", err)
			continue
		}
		raw := r.treeClass(e)
		switch {
		case raw == "":
			stray = append(stray, relative)
		case !slices.Contains(r.layout.Ignored, raw):
			byName[raw] = append(byName[raw], filepath.ToSlash(relative))
		}
	}
	if len(stray) > 0 {
		r.faults.add(folder, "pictures without a class, by %s: %s", r.treeRule(), examples(stray))
	}
	classes := make([]treeClass, 0, len(byName))
	for raw, paths := range byName {
		classes = append(classes, treeClass{raw, paths})
	}
	slices.SortFunc(classes, func(a, b treeClass) int { return cmp.Compare(a.raw, b.raw) })
	found := make([]Class, len(classes))
	for i, class := range classes {
		found[i] = Class{Folder: class.raw, Name: cleanName(r.layout.Call(class.raw))}
	}
	r.setClasses(folder, found)
	return classes
}

// treeClass is what the place of a picture says of its class.
func (r *reader) treeClass(e entry) string {
	switch r.layout.Tree {
	case layout.TreeLetters:
		return e.label
	case layout.TreeStem:
		stem, _ := layout.Stem(filepath.Base(e.picture.File))
		return r.layout.Call(stem)
	}
	return e.className()
}

func (r *reader) treeRule() string {
	if r.layout.Tree == layout.TreeStem {
		return "a number behind the class in their names, great_pyrenees_12.jpg"
	}
	return "a folder for each class"
}

// draw divides each class's pictures by turns that the seed gives them.
func (r *reader) draw(classes []treeClass, c SplitConfig) *Split {
	split := &Split{Kind: r.kind, Root: r.root, Classes: len(classes), items: splitFile{}}
	var small []string
	for label, class := range classes {
		turns := make(map[string]string, len(class.paths))
		for _, path := range class.paths {
			turn := sha256.Sum256(fmt.Appendf(nil, "upl-host split %d %s", c.Seed, path))
			turns[path] = string(turn[:])
		}
		slices.SortFunc(class.paths, func(a, b string) int { return strings.Compare(turns[a], turns[b]) })
		n := len(class.paths)
		train, val := int(math.RoundToEven(float64(n)*c.Train)), int(math.RoundToEven(float64(n)*c.Val))
		if train == 0 || val == 0 && c.Val > 0 || train+val >= n {
			small = append(small, fmt.Sprintf("%s (%d)", class.raw, n))
			continue
		}
		parts := [][]string{class.paths[:train], class.paths[train : train+val], class.paths[train+val:]}
		for i, name := range splitNames {
			slices.Sort(parts[i])
			for _, path := range parts[i] {
				split.items[name] = append(split.items[name], splitItem{path, label, r.layout.Call(class.raw)})
			}
		}
	}
	if len(small) > 0 {
		r.faults.add(r.root, "%d classes have too few pictures for one in every split: %s", len(small), examples(small))
	}
	split.Train, split.Val, split.Test = len(split.items[SplitTraining]), len(split.items[SplitValidation]), len(split.items[SplitTest])
	return split
}

// WriteFile writes the split as CoOp's code reads it, whole or not at all.
func (s *Split) WriteFile(path string) error {
	var out bytes.Buffer
	for i, name := range splitNames {
		fmt.Fprintf(&out, "%s\n  %q: [", []string{"{", ",", ","}[i], name)
		for k, item := range s.items[name] {
			if k > 0 {
				out.WriteByte(',')
			}
			line, err := json.Marshal([]any{item.path, item.label, item.name})
			if err != nil {
				return fmt.Errorf("writing %s: %w", path, err)
			}
			out.WriteString("\n    ")
			out.Write(line)
		}
		out.WriteString("\n  ]")
	}
	out.WriteString("\n}\n")
	if err := renameio.WriteFile(path, out.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
