package dataset

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// readFolder takes all pictures in a folder and the folders in it, which may be
// those of classes.
func (r *reader) readFolder(s *source, folder string, labelled bool) {
	info, err := os.Stat(folder)
	if err != nil {
		r.faults.add(folder, "%s", reason(err))
		return
	}
	w := &walk{reader: r, source: s, labelled: labelled}
	w.folder(folder, ".", []fs.FileInfo{info})
	if labelled {
		r.checkLayouts(folder, s.folders)
	}
}

// checkLayouts refuses the papers' data sets, whose own folders are no classes.
func (r *reader) checkLayouts(folder string, within []string) {
	for _, name := range append([]string{"."}, within...) {
		place := filepath.Join(folder, name)
		if kind := layoutAt(place); kind != "" {
			r.faults.add(place, "is the data set %s, no folder of classes: set dataset.kind to %s", kind, kind)
		}
	}
}

// walk goes through a folder, along symbolic links too.
type walk struct {
	*reader
	source   *source
	labelled bool // by folders
}

// folder takes in one folder; above are the folders that lead to it, itself included.
func (w *walk) folder(dir, relative string, above []fs.FileInfo) {
	files, err := os.ReadDir(dir)
	if err != nil {
		w.faults.add(dir, "%s", reason(err))
		return
	}
	for _, file := range files {
		name := file.Name()
		where := filepath.Join(dir, name)
		if file.Type().IsRegular() {
			w.file(where, relative)
			continue
		}
		info, err := os.Stat(where) // of a link's target
		switch {
		case isHidden(name):
			w.ignored[where] = true
		case err == nil && info.IsDir():
			w.enter(where, path.Join(relative, name), info, above)
		case !IsPicture(name):
			w.ignored[where] = true
		case err != nil:
			w.faults.add(where, "%s", linkReason(file, err))
		case !info.Mode().IsRegular():
			w.faults.add(where, "is no regular file")
		default:
			w.file(where, relative)
		}
	}
}

func linkReason(file fs.DirEntry, err error) string {
	if file.Type()&fs.ModeSymlink != 0 {
		if errors.Is(err, syscall.ELOOP) {
			return "is a symbolic link that leads to itself: remove it"
		}
		return "is a symbolic link whose target " + reason(err) + ": fetch that, or remove the link"
	}
	return reason(err)
}

// enter goes into a folder, unless it is one of those that lead to it.
func (w *walk) enter(dir, relative string, info fs.FileInfo, above []fs.FileInfo) {
	for _, other := range above {
		if os.SameFile(info, other) {
			w.faults.add(dir, "is a symbolic link to a folder that it lies in: remove it")
			return
		}
	}
	if w.labelled && len(above) == 1 {
		if !printable(relative) {
			w.faults.add(dir, "the folder's name %q is not UTF-8 text of one line: rename it", relative)
			return
		}
		w.source.folders = append(w.source.folders, relative)
	}
	w.folder(dir, relative, append(above[:len(above):len(above)], info))
}

// file takes in one regular file.
func (w *walk) file(file, folder string) {
	if !IsPicture(file) {
		w.ignored[file] = true
		return
	}
	if !printable(file) {
		w.faults.add(filepath.Dir(file), "the name %q is not UTF-8 text of one line: rename it", filepath.Base(file))
		return
	}
	e := entry{picture: Picture{ID: w.id(file), File: file}, folder: true}
	if w.labelled && folder != "." {
		e.label = folder
	}
	w.source.entries = append(w.source.entries, e)
}

// IgnoredNote says which files are taken for no pictures, by their endings: among
// them may be pictures of a format that is not read. It is empty where there are none.
func (d *Dataset) IgnoredNote() string {
	if len(d.Ignored) == 0 {
		return ""
	}
	counts := map[string]int{}
	for _, file := range d.Ignored {
		kind := strings.ToLower(filepath.Ext(file))
		switch {
		case isHidden(filepath.Base(file)):
			kind = "hidden"
		case kind == "":
			kind = "without an ending"
		}
		counts[kind]++
	}
	kinds := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	for i, kind := range kinds {
		kinds[i] = fmt.Sprintf("%d %s", counts[kind], kind)
	}
	return fmt.Sprintf("files that are ignored, as their names are not those of pictures: %s", examples(kinds))
}
