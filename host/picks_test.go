package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/host/dataset"
	"github.com/upl-host/upl-host/host/folder"
)

// pictured is a run of four pictures and two classes, of which c.png was skipped
// and d.png is for testing.
func pictured(t *testing.T, files map[string]string) *run {
	t.Helper()
	f := opened(t, t.TempDir())
	for name, text := range files {
		if err := f.Write(name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	data := &dataset.Dataset{Unlabeled: []int{0, 1, 2}, Test: []int{1, 3}}
	for _, id := range []string{"a.png", "b.png", "c.png", "d.png"} {
		data.Pictures = append(data.Pictures, dataset.Picture{ID: id, File: filepath.Join(f.Path, id)})
	}
	return newTestRun(f, data)
}

func newTestRun(f *folder.Folder, data *dataset.Dataset) *run {
	return &run{plan: &plan{data: data, classNames: []string{"cat", "dog, small"}}, folder: f, manifest: &Manifest{}}
}

const keptPictures = "path,split,label\na.png,unlabeled,\nb.png,both,cat\nd.png,test,\n"

func TestKeptPictures(t *testing.T) {
	r := pictured(t, map[string]string{picturesName: keptPictures})
	if err := r.readKept(); err != nil {
		t.Fatal(err)
	}
	got := [][]int{r.kept.all, r.kept.unlabeled, r.kept.test, {r.kept.skipped}, r.rows(0, r.kept.test), r.rows(1, r.kept.unlabeled)}
	want := [][]int{{0, 1, 3}, {0, 1}, {1, 3}, {1}, {1, 2}, {0, 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if d := r.manifest.Dataset; d.Unlabeled != 2 || d.Test != 2 || d.Skipped != 1 {
		t.Errorf("the manifest counts %+v", d)
	}
}

func TestNoKeptPictures(t *testing.T) {
	for split, want := range map[string]string{"unlabeled": "dataset.test", "test": "dataset.unlabeled"} {
		r := pictured(t, map[string]string{picturesName: "path,split,label\na.png," + split + ",\n"})
		if err := r.readKept(); err == nil || !strings.HasPrefix(err.Error(), want+":") {
			t.Errorf("nothing but %s pictures gives %v", split, err)
		}
	}
}

func TestPicks(t *testing.T) {
	const header = "path,class,weight,probability\n"
	for _, test := range []struct{ name, rows, says string }{
		{"good", "b.png,\"dog, small\",0.5,0.25\na.png,cat,1,0.75\n", ""},
		{"none", "", ""},
		{"a skipped picture", "c.png,cat,1,1\n", "c.png"},
		{"a test picture", "d.png,cat,1,1\n", "d.png"},
		{"a class there is not", "a.png,cow,1,1\n", "cow"},
		{"no number", "a.png,cat,heavy,1\n", "pseudo_labels.csv:2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := pictured(t, map[string]string{picturesName: keptPictures, pseudoLabelsName: header + test.rows})
			if err := r.readKept(); err != nil {
				t.Fatal(err)
			}
			picks, err := r.picks()
			switch {
			case test.says != "":
				if err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("%v, want %q in it", err, test.says)
				}
			case err != nil:
				t.Fatal(err)
			case test.name == "good":
				want := []pick{{row: 1, class: 1, weight: 0.5, probability: 0.25}, {row: 0, class: 0, weight: 1, probability: 0.75}}
				if diff := cmp.Diff(want, picks, cmp.AllowUnexported(pick{})); diff != "" {
					t.Error(diff)
				}
			case len(picks) != 0:
				t.Errorf("picks %v out of nothing", picks)
			}
		})
	}
}

// A picture that changed, came or went makes the encoding stage begin again.
func TestDataDigest(t *testing.T) {
	r := pictured(t, map[string]string{"a.png": "one"})
	seen := map[string]string{}
	for _, change := range []struct {
		name string
		do   func() error
	}{
		{"as it was", func() error { return nil }},
		{"a longer file", func() error { return os.WriteFile(r.data.Pictures[0].File, []byte("longer"), 0o600) }},
		{"a file that came", func() error { return os.WriteFile(r.data.Pictures[1].File, []byte("b"), 0o600) }},
		{"a file that went", func() error { return os.Remove(r.data.Pictures[0].File) }},
		{"another content of a container", func() error { r.data.Pictures[1].Content = contained("b"); return nil }},
		{"another split", func() error { r.data.Test = []int{0, 3}; return nil }},
		{"another class", func() error { r.classNames = []string{"cat", "dog"}; return nil }},
	} {
		if err := change.do(); err != nil {
			t.Fatal(err)
		}
		digest := r.dataDigest()
		if before, twice := seen[digest]; twice {
			t.Errorf("%s: the digest is that of %s", change.name, before)
		}
		if digest != r.dataDigest() {
			t.Errorf("%s: the digest changes by itself", change.name)
		}
		seen[digest] = change.name
	}
}

func TestShortList(t *testing.T) {
	for want, names := range map[string][]string{
		"":                         nil,
		"a":                        {"a"},
		"a, b, c, d, e":            {"a", "b", "c", "d", "e"},
		"a, b, c, d, e and 2 more": {"a", "b", "c", "d", "e", "f", "g"},
	} {
		if got := shortList(names); got != want {
			t.Errorf("%v becomes %q, want %q", names, got, want)
		}
	}
}

// contained is a picture inside a container.
type contained string

func (c contained) Read() ([]byte, error) { return []byte(c), nil }
func (c contained) Stamp() string         { return string(c) }

// The report finds pictures by what the run's tables call them, in containers too.
func TestReadPicture(t *testing.T) {
	r := pictured(t, map[string]string{"a.png": "one"})
	r.data.Pictures[3].Content = contained("four")
	for path, want := range map[string]string{"a.png": "one", "d.png": "four"} {
		if got, err := r.readPicture(path); err != nil || string(got) != want {
			t.Errorf("%s holds %q (%v), want %q", path, got, err, want)
		}
	}
	if _, err := r.readPicture("e.png"); err == nil || !strings.Contains(err.Error(), "e.png") {
		t.Errorf("a picture that there is not: %v", err)
	}
}
