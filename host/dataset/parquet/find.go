package parquet

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/upl-host/upl-host/host/dataset/container"
)

const extension = ".parquet"

// file is one of a data set's.
type file struct {
	path, split string
	of          int    // how many there are of its kind, as its name says; 0: it says nothing
	number      int    // which of them it is
	kind        string // what their names have in common
}

// numbered are files such as train-00000-of-00004.parquet; some have a part of a
// hash behind that.
var numbered = regexp.MustCompile(`^(.+)-(\d{5})-of-(\d{5})(?:-[0-9a-f]+)?$`)

// find lists the files of a data set, in the order of their names.
func (o *opening) find(path string) []file {
	path, err := filepath.Abs(path)
	if err != nil {
		o.faults.Add(path, "%v", err)
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		o.faults.Add(path, "%s", container.Reason(err))
		return nil
	}
	if !info.IsDir() {
		o.root = filepath.Dir(path)
		f := describe(path)
		f.split = "" // a file alone is the whole data set
		return []file{f}
	}
	o.root = path
	var found []file
	err = filepath.WalkDir(path, func(place string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case place != path && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir // a cache, a repository's own
			}
		case !entry.IsDir() && strings.EqualFold(filepath.Ext(place), extension):
			found = append(found, describe(place))
		}
		return nil
	})
	if err != nil {
		o.faults.Add(path, "%s", container.Reason(err))
		return nil
	}
	if len(found) == 0 {
		o.faults.Add(path, "no Parquet files: want data/train-00000-of-00001%s and so on", extension)
		return nil
	}
	slices.SortFunc(found, func(a, b file) int { return strings.Compare(a.path, b.path) })
	o.checkNumbers(found)
	o.checkConfigurations(found)
	if o.faults.Len() > 0 {
		return nil
	}
	return found
}

// describe reads a file's name: the split is its beginning, or the folder of a file
// that has a number alone (default/train/0000.parquet).
func describe(path string) file {
	stem := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	f := file{path: path, split: stem}
	if parts := numbered.FindStringSubmatch(stem); parts != nil {
		f.split = parts[1]
		f.number, _ = strconv.Atoi(parts[2]) // five digits
		f.of, _ = strconv.Atoi(parts[3])
		f.kind = filepath.Join(filepath.Dir(path), f.split) + "-of-" + parts[3]
	} else if _, err := strconv.Atoi(stem); err == nil {
		f.split = filepath.Base(filepath.Dir(path))
	}
	f.split = container.SplitName(f.split)
	return f
}

// checkNumbers sees whether all files are there that the others' names count.
func (o *opening) checkNumbers(found []file) {
	there := map[string]map[int]bool{}
	first := map[string]file{}
	for _, f := range found {
		if f.of == 0 {
			continue
		}
		if there[f.kind] == nil {
			there[f.kind], first[f.kind] = map[int]bool{}, f
		}
		if there[f.kind][f.number] {
			o.faults.Add(f.path, "is the second file of number %d: remove the one that is out of date", f.number)
		}
		there[f.kind][f.number] = true
	}
	for _, kind := range slices.Sorted(maps.Keys(there)) {
		f := first[kind]
		var missing []string
		for i := range f.of {
			if !there[kind][i] {
				missing = append(missing, fmt.Sprintf("%s-%05d-of-%05d%s", f.split, i, f.of, extension))
			}
		}
		if len(missing) > 0 {
			o.faults.Add(filepath.Dir(f.path), "%d of %d files are missing: %s; fetch them", len(missing), f.of, container.Examples(missing))
		}
	}
}

// checkConfigurations refuses a folder of several data sets: a repository may have
// a folder for each of its configurations.
func (o *opening) checkConfigurations(found []file) {
	folders := map[string]string{} // of a split's files
	for _, f := range found {
		folder := filepath.Dir(f.path)
		if other, ok := folders[f.split]; ok && other != folder {
			o.faults.Add(o.root, "has pictures of the split %s in %s and in %s: name the folder of one of them", f.split, other, folder)
			return
		}
		folders[f.split] = folder
	}
}
