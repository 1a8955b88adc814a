// Package shards reads WebDatasets as CLIP_benchmark writes them: a folder a
// split with tars of KEY.jpg (.png, .webp, …) and KEY.cls, the class's number;
// nshards.txt beside them; classnames.txt and zeroshot_classification_templates.txt
// above. A tar is indexed once, by its headers; pictures are read at their places.
package shards

import (
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/upl-host/upl-host/host/dataset/container"
)

const (
	classNamesName = "classnames.txt"
	templatesName  = "zeroshot_classification_templates.txt"
	classExtension = ".cls"
)

// pictureExtensions are those of the formats that the host decodes.
var pictureExtensions = []string{".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}

// Options of Open.
type Options struct {
	// Classes is how many classes the user's own list has; 0: there is none, and
	// the names come from classnames.txt.
	Classes int
}

// Open indexes the shards of a data set's folder. What is wrong with them comes as
// one *container.Error.
func Open(root string, options Options) (*container.Set, error) {
	o := &opening{root: root, options: options, set: &container.Set{}}
	o.readNames()
	o.readTemplates()
	for _, s := range o.findSplits() {
		o.readSplit(s)
	}
	if err := o.faults.Err(); err != nil {
		return nil, err
	}
	return o.set, nil
}

// opening is one call of Open.
type opening struct {
	root    string
	options Options
	set     *container.Set
	faults  container.Faults
}

// lines reads a text file's lines, spaces around them left out; nil where there is
// no such file.
func (o *opening) lines(name string) []string {
	file := filepath.Join(o.root, name)
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		o.faults.Add(file, "%s", container.Reason(err))
		return nil
	}
	var lines []string
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		lines = append(lines, strings.TrimSpace(line))
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// readNames reads classnames.txt: the name of class n is in line n + 1.
func (o *opening) readNames() {
	names := o.lines(classNamesName)
	file := filepath.Join(o.root, classNamesName)
	for i, name := range names {
		where := fmt.Sprintf("%s:%d", file, i+1)
		switch {
		case name == "":
			o.faults.Add(where, "is empty, and would be the name of class %d: write it", i)
		case !container.Printable(name):
			o.faults.Add(where, "is not UTF-8: %q", name)
		}
	}
	o.set.Classes = names
}

// readTemplates reads the templates that came with the data set.
func (o *opening) readTemplates() {
	file := filepath.Join(o.root, templatesName)
	for i, line := range o.lines(templatesName) {
		if line == "" {
			continue
		}
		template := strings.ReplaceAll(line, "{c}", "{}")
		if !strings.Contains(template, "{}") {
			o.faults.Add(fmt.Sprintf("%s:%d", file, i+1), "%q has no place for the class name: {c}", line)
			continue
		}
		o.set.Templates = append(o.set.Templates, template)
	}
}

// readSplit indexes a split's shards, some at a time.
func (o *opening) readSplit(s split) {
	indices := make([]*shard, len(s.shards))
	errs := make([]error, len(s.shards))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, name := range s.shards {
		group.Go(func() error {
			indices[i], errs[i] = indexFile(filepath.Join(s.dir, name))
			return nil
		})
	}
	_ = group.Wait() // the errors are in errs, all of them
	labelled, first := 0, len(o.set.Pictures)
	for i, name := range s.shards {
		file := filepath.Join(s.dir, name)
		if errs[i] != nil {
			o.faults.Add(file, "%s", advise(errs[i], file))
			continue
		}
		labelled += o.readShard(s, file, indices[i])
	}
	pictures := o.set.Pictures[first:]
	if len(pictures) == 0 && o.faults.Len() == 0 {
		o.faults.Add(s.dir, "no pictures in its %d shards: want KEY.jpg, .png or .webp beside KEY.cls", len(s.shards))
	}
	o.checkLabels(s, pictures, labelled)
}

// checkLabels wants labels of all of a split's pictures, or of none.
func (o *opening) checkLabels(s split, pictures []container.Picture, labelled int) {
	if labelled == 0 {
		if len(pictures) > 0 && o.faults.Len() == 0 {
			o.set.Notes = append(o.set.Notes, fmt.Sprintf("none of the %d pictures in %s has a %s beside it: they have no labels", len(pictures), s.dir, classExtension))
		}
		return
	}
	var without []string
	for _, p := range pictures {
		if p.Class == container.Unlabelled {
			without = append(without, p.ID)
		}
	}
	if len(without) > 0 && o.faults.Len() == 0 {
		o.faults.Add(s.dir, "%d of its %d pictures have no %s beside them: %s; pack them with their class numbers, or leave all %s out",
			len(without), len(pictures), classExtension, container.Examples(without), classExtension)
	}
}

// shard is a tar's index.
type shard struct {
	file    *container.File
	members []member
}

func indexFile(path string) (*shard, error) {
	stat, err := container.Stat(path)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	members, err := index(io.NewSectionReader(file, 0, stat.Size), stat.Size)
	return &shard{stat, members}, err
}

func advise(err error, path string) string {
	if packed, ok := err.(*compressedError); ok { //nolint:errorlint // made here, never wrapped
		return fmt.Sprintf("%v, so that its pictures cannot be read one by one: unpack it with `%s`", packed, packed.advice(path))
	}
	return container.Reason(err)
}

// sample are the members of one key.
type sample struct {
	picture, class *member
}

// readShard takes a shard's samples in, and returns how many have labels.
func (o *opening) readShard(s split, file string, index *shard) (labelled int) {
	samples := map[string]*sample{}
	var keys []string // in the order of the tar
	for i := range index.members {
		m := &index.members[i]
		key, extension := splitKey(m.name)
		isPicture := slices.Contains(pictureExtensions, extension)
		if !isPicture && extension != classExtension {
			continue // captions, metadata: no matter of ours
		}
		if samples[key] == nil {
			samples[key] = &sample{}
			keys = append(keys, key)
		}
		place := &samples[key].class
		if isPicture {
			place = &samples[key].picture
		}
		if *place != nil {
			o.faults.Add(file, "key %q has both %s and %s: a key is one sample", key, path.Base((*place).name), path.Base(m.name))
			continue
		}
		*place = m
	}
	var lone []string
	for _, key := range keys {
		sample := samples[key]
		if sample.picture == nil {
			lone = append(lone, sample.class.name)
			continue
		}
		if o.addPicture(s, index.file, sample) {
			labelled++
		}
	}
	if len(lone) > 0 {
		o.faults.Add(file, "%d %s have no picture beside them: %s; want KEY.jpg, .png or .webp of the same KEY", len(lone), classExtension, container.Examples(lone))
	}
	return labelled
}

// splitKey takes a member's name apart as WebDataset does: the extension begins at
// the first dot of the name; of several the last decides the kind.
func splitKey(name string) (key, extension string) {
	dir, base := path.Split(name)
	if stem, _, dotted := strings.Cut(base, "."); dotted {
		return dir + stem, strings.ToLower(path.Ext(base))
	}
	return name, ""
}

// addPicture takes a sample in, and reports whether it has a label.
func (o *opening) addPicture(s split, file *container.File, from *sample) bool {
	relative, err := filepath.Rel(o.root, file.Path)
	if err != nil {
		relative = file.Path
	}
	p := container.Picture{
		ID: filepath.ToSlash(relative) + "/" + from.picture.name, File: file.Path, Split: s.name, Class: container.Unlabelled,
		Content: container.Part{File: file, Offset: from.picture.offset, Size: from.picture.size},
	}
	if !container.Printable(p.ID) {
		o.faults.Add(file.Path, "the name %q is not UTF-8 text of one line: pack the file under another", from.picture.name)
		return false
	}
	if from.class != nil {
		p.Class, err = o.class(from.class.text)
		if err != nil {
			o.faults.AddRepeated(file.Path+"/"+from.class.name, "%v", err)
			return true // it has a label, if a wrong one
		}
		if p.Class < len(o.set.Classes) {
			p.Label = o.set.Classes[p.Class]
		}
	}
	o.set.Pictures = append(o.set.Pictures, p)
	return from.class != nil
}

// class reads a class number.
func (o *opening) class(text string) (int, error) {
	number, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return 0, fmt.Errorf("holds %q: want the class's number, from 0", shorten(text))
	}
	classes, source := len(o.set.Classes), classNamesName
	if classes == 0 {
		classes, source = o.options.Classes, "the list of classes"
	}
	switch {
	case classes == 0:
		return 0, fmt.Errorf("holds a class's number, and nothing names the classes: put %s beside the splits, a name a line in the order of the numbers, or name such a file in dataset.classes", classNamesName)
	case number < 0 || number >= classes:
		return 0, fmt.Errorf("class %d is out of range: %s has %d classes, 0 to %d", number, source, classes, classes-1)
	}
	return number, nil
}
