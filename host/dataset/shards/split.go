package shards

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/upl-host/upl-host/host/dataset/container"
)

const (
	countName = "nshards.txt"
	// tarExtension is that of shards that can be read at any place.
	tarExtension = ".tar"
)

// packed are the endings of shards that have to be unpacked first.
var packed = []string{".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst"}

// split is a folder of shards.
type split struct {
	name, dir string
	shards    []string // names of files, as people count
}

// findSplits lists the folders that hold shards: those in root, or root itself.
func (o *opening) findSplits() []split {
	var found []split
	folders, err := os.ReadDir(o.root)
	if err != nil {
		o.faults.Add(o.root, "%s", container.Reason(err))
		return nil
	}
	for _, folder := range folders {
		dir := filepath.Join(o.root, folder.Name())
		if info, err := os.Stat(dir); err != nil || !info.IsDir() || strings.HasPrefix(folder.Name(), ".") {
			continue
		}
		if s := o.findShards(container.SplitName(folder.Name()), dir); s != nil {
			found = append(found, *s)
		}
	}
	if s := o.findShards("", o.root); s != nil {
		if len(found) > 0 {
			o.faults.Add(o.root, "has shards beside the folder %s, which has shards too: put each split's into a folder of its own", found[0].name)
			return nil
		}
		found = append(found, *s)
	}
	if len(found) == 0 && o.faults.Len() == 0 {
		o.faults.Add(o.root, "no shards: want train/0.tar, test/0.tar and so on, as CLIP_benchmark writes them, or .tar files in the folder itself")
	}
	return found
}

// findShards lists a folder's shards and holds them against nshards.txt; nil
// where there are none.
func (o *opening) findShards(name, dir string) *split {
	files, err := os.ReadDir(dir)
	if err != nil {
		o.faults.Add(dir, "%s", container.Reason(err))
		return nil
	}
	s := &split{name: name, dir: dir}
	before := o.faults.Len()
	for _, file := range files {
		lower, path := strings.ToLower(file.Name()), filepath.Join(dir, file.Name())
		switch {
		case strings.HasPrefix(lower, "."):
		case strings.HasSuffix(lower, tarExtension):
			s.shards = append(s.shards, file.Name())
		case slices.ContainsFunc(packed, func(ending string) bool { return strings.HasSuffix(lower, ending) }):
			o.faults.Add(path, "is compressed, so that its pictures cannot be read one by one: unpack it with `%s`", unpacking(path))
		}
	}
	slices.SortFunc(s.shards, func(a, b string) int { return strings.Compare(container.Natural(a), container.Natural(b)) })
	o.checkCount(s)
	if len(s.shards) == 0 || o.faults.Len() > before {
		return nil
	}
	return s
}

// unpacking is the command that unpacks a file, going by its name.
func unpacking(path string) string {
	lower := strings.ToLower(path)
	if stem, ok := strings.CutSuffix(lower, ".tgz"); ok {
		return "gunzip -c " + quote(path) + " > " + quote(path[:len(stem)]+tarExtension) + " && rm " + quote(path)
	}
	for _, c := range compressions {
		if strings.HasSuffix(lower, c.ending) {
			return c.unpack + " " + quote(path)
		}
	}
	return "tar"
}

// checkCount holds the shards against nshards.txt, where there is one.
func (o *opening) checkCount(s *split) {
	file := filepath.Join(s.dir, countName)
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return
	}
	if err != nil {
		o.faults.Add(file, "%s", container.Reason(err))
		return
	}
	count, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || count < 1 {
		o.faults.Add(file, "holds %q: want the number of shards", shorten(string(text)))
		return
	}
	if len(s.shards) == count || o.faults.Len() > 0 {
		return
	}
	var missing []string
	for i := range count {
		if name := strconv.Itoa(i) + tarExtension; !slices.Contains(s.shards, name) {
			missing = append(missing, name)
		}
	}
	switch {
	case len(s.shards) > count:
		o.faults.Add(file, "says %d shards, and there are %d: correct it, or remove those that do not belong to the data set", count, len(s.shards))
	case len(missing) == count-len(s.shards):
		o.faults.Add(s.dir, "%d of the %d shards that %s counts are missing: %s; fetch them", len(missing), count, countName, container.Examples(missing))
	default: // other names than 0.tar, 1.tar …
		o.faults.Add(s.dir, "%d of the %d shards that %s counts are missing; fetch them", count-len(s.shards), count, countName)
	}
}

// shorten is the beginning of a text, for a message.
func shorten(text string) string {
	const most = 40
	text = strings.TrimSpace(text)
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
