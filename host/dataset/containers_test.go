package dataset_test

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/host/dataset"
	"github.com/upl-host/upl-host/host/dataset/internal/datatest"
)

// pack makes a tar of names and contents, in turn.
func pack(t testing.TB, files ...string) string {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func webDataset(t testing.TB) map[string]string {
	return map[string]string{
		"classnames.txt": "tabby_cat\ndog\n", "zeroshot_classification_templates.txt": "a {c}.\n",
		"train/0.tar":     pack(t, "1.jpg", "one", "1.cls", "1", "2.png", "two", "2.cls", "0"),
		"train/1.tar":     pack(t, "3.jpg", "three", "3.cls", "1"),
		"test/0.tar":      pack(t, "4.jpg", "four", "4.cls", "0"),
		"unlabeled/0.tar": pack(t, "5.jpg", "five", "6.jpg", "six"),
	}
}

func TestWebDataset(t *testing.T) {
	root := datatest.Tree(t, webDataset(t))
	c := dataset.Config{Kind: dataset.KindWebDataset, Path: root}
	want := opened{
		Classes:   []string{"tabby_cat=tabby cat", "dog=dog"},
		Unlabeled: []string{"train/0.tar/1.jpg=dog", "train/0.tar/2.png=tabby cat", "train/1.tar/3.jpg=dog"},
		Test:      []string{"test/0.tar/4.jpg=tabby cat"},
		Templates: []string{"a {}."},
		Notes: []string{
			"none of the 2 pictures in " + filepath.Join(root, "unlabeled") + " has a .cls beside it: they have no labels",
			"pictures of the split unlabeled that are left out: 2; train, val and test are read",
		},
	}
	if diff := cmp.Diff(want, mustOpen(t, c)); diff != "" {
		t.Error(diff)
	}
	data, _, err := dataset.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range data.Pictures {
		if content, err := p.Read(); p.ID == "train/1.tar/3.jpg" && (err != nil || string(content) != "three") {
			t.Errorf("%s is %q, %v", p.ID, content, err)
		}
	}
	// Roles may take other splits.
	c.Unlabeled, c.Test = "test", "train"
	if got := mustOpen(t, c); len(got.Unlabeled) != 1 || len(got.Test) != 3 {
		t.Errorf("%d unlabeled and %d test pictures", len(got.Unlabeled), len(got.Test))
	}
}

// A list of classes gives the numbers other names, and an order where it has theirs.
func TestClassesOfContainers(t *testing.T) {
	files := webDataset(t)
	delete(files, "unlabeled/0.tar")
	files["cats.txt"] = "cat\nhound\n"
	files["turned.txt"] = "dog\ntabby_cat\thouse cat\n"
	root := datatest.Tree(t, files)
	for file, want := range map[string]opened{
		"cats.txt":   {Classes: []string{"cat=cat", "hound=hound"}, Test: []string{"test/0.tar/4.jpg=cat"}},
		"turned.txt": {Classes: []string{"dog=dog", "tabby_cat=house cat"}, Test: []string{"test/0.tar/4.jpg=house cat"}},
	} {
		got := mustOpen(t, dataset.Config{Kind: dataset.KindWebDataset, Path: root, Classes: filepath.Join(root, file)})
		if diff := cmp.Diff(want, opened{Classes: got.Classes, Test: got.Test}); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
		if noted := strings.Contains(strings.Join(got.Notes, "\n"), "called by number"); noted != (file == "cats.txt") {
			t.Errorf("%s: notes %q", file, got.Notes)
		}
	}
	if err := os.Remove(filepath.Join(root, "classnames.txt")); err != nil {
		t.Fatal(err)
	}
	got := mustOpen(t, dataset.Config{Kind: dataset.KindWebDataset, Path: root, Classes: filepath.Join(root, "cats.txt")})
	if diff := cmp.Diff([]string{"test/0.tar/4.jpg=cat"}, got.Test); diff != "" {
		t.Error(diff)
	}
}

// Two classes of one name, as in ImageNet's list, are two classes; a user's list may
// name them both.
func TestClassesOfTheSameName(t *testing.T) {
	root := datatest.Tree(t, map[string]string{
		"classnames.txt": "cat\nsunglasses\nsunglasses\n", "mine.txt": "cat\nsunglasses\ndark glasses\n",
		"0.tar": pack(t, "0.jpg", "", "0.cls", "0", "1.jpg", "", "1.cls", "1", "2.jpg", "", "2.cls", "2"),
	})
	c := dataset.Config{Kind: dataset.KindWebDataset, Path: root}
	data, _, err := dataset.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	var spoken []string
	for _, class := range data.Classes {
		spoken = append(spoken, class.Spoken())
	}
	if diff := cmp.Diff([]string{"cat", "sunglasses", "sunglasses"}, spoken); diff != "" {
		t.Error(diff)
	}
	got := mustOpen(t, c)
	if diff := cmp.Diff([]string{"0.tar/0.jpg=cat", "0.tar/1.jpg=sunglasses (1)", "0.tar/2.jpg=sunglasses (2)"}, got.Test); diff != "" {
		t.Error(diff)
	}
	if len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "told apart by their numbers") {
		t.Errorf("notes %q", got.Notes)
	}
	c.Classes = filepath.Join(root, "mine.txt")
	if diff := cmp.Diff([]string{"0.tar/0.jpg=cat", "0.tar/1.jpg=sunglasses", "0.tar/2.jpg=dark glasses"}, mustOpen(t, c).Test); diff != "" {
		t.Error(diff)
	}
}

func TestParquet(t *testing.T) {
	got := mustOpen(t, dataset.Config{Kind: dataset.KindParquet, Path: "parquet/testdata/datasets"})
	if diff := cmp.Diff([]string{"red=red", "dark_blue=dark blue"}, got.Classes); diff != "" {
		t.Error(diff)
	}
	if len(got.Unlabeled) != 12 || got.Unlabeled[1] != "data/train-00000-of-00001.parquet/01=dark blue" {
		t.Errorf("unlabeled %q", got.Unlabeled)
	}
	if len(got.Test) != 3 || got.Test[0] != "data/test-00000-of-00001.parquet/0=" {
		t.Errorf("test %q", got.Test)
	}
	// One file is the whole data set: no splits.
	got = mustOpen(t, dataset.Config{Kind: dataset.KindParquet, Path: "parquet/testdata/datasets/data/train-00000-of-00001.parquet"})
	if len(got.Unlabeled) != 12 || len(got.Test) != 12 || got.Test[0] != "train-00000-of-00001.parquet/00=red" {
		t.Errorf("test %q", got.Test)
	}
}

func TestContainerFaults(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		kind  string
		want  string
	}{
		"cut off":    {map[string]string{"classnames.txt": "a\nb", "train/0.tar": pack(t, "1.jpg", "one")[:700]}, dataset.KindWebDataset, "train/0.tar: is truncated"},
		"no test":    {map[string]string{"classnames.txt": "a\nb", "train/0.tar": pack(t, "1.jpg", "x", "1.cls", "0")}, dataset.KindWebDataset, "dataset.test: "},
		"same names": {map[string]string{"classnames.txt": "a_b\nA b", "0.tar": pack(t, "1.jpg", "x", "1.cls", "0")}, dataset.KindWebDataset, `"a_b" and "A b" are the same class name`},
		"no Parquet": {map[string]string{"a.parquet": "PAR1"}, dataset.KindParquet, "a.parquet: is "},
	} {
		_, _, err := dataset.Open(dataset.Config{Kind: c.kind, Path: datatest.Tree(t, c.files)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v, want %q", name, err, c.want)
		}
	}
	_, _, err := dataset.Open(dataset.Config{Kind: dataset.KindWebDataset, Path: filepath.Join(datatest.Tree(t, map[string]string{"0.tar": ""}), "0.tar")})
	if err == nil || !strings.Contains(err.Error(), "is a file, but kind webdataset reads the folder") {
		t.Errorf("one tar is the error %v", err)
	}
}

func TestDetect(t *testing.T) {
	for want, files := range map[string][]string{
		dataset.KindFolder: {"cat/1.png", "dog/1.png", "train/cat/1.png"}, dataset.KindParquet: {"data/train-00000-of-00001.parquet"},
		dataset.KindWebDataset: {"classnames.txt", "train/0.tar"}, "dtd": {"split_zhou_DescribableTextures.json", "images/a/1.jpg"},
		"imagenet": {"classnames.txt", "images/val/n1/1.JPEG"}, "fgvc_aircraft": {"variants.txt", "images_variant_test.txt"},
	} {
		content := map[string]string{}
		for _, name := range files {
			content[name] = ""
		}
		if got, err := dataset.Detect(datatest.Tree(t, content)); got != want {
			t.Errorf("%q is detected as %s, not %s: %v", files, got, want, err)
		}
	}
	root := datatest.Tree(t, map[string]string{"t.csv": "", "t.JSONL": "", "t.parquet": "", "0.tar": "", "list": ""})
	for name, want := range map[string]string{"t.csv": "csv", "t.JSONL": "jsonl", "t.parquet": "parquet", "0.tar": "webdataset", "list": "list", "nowhere": "folder"} {
		if got, err := dataset.Detect(filepath.Join(root, name)); got != want {
			t.Errorf("%s is detected as %s, not %s: %v", name, got, want, err)
		}
	}
	// The folder that holds all data sets, with one, and with two.
	all := map[string]string{"dtd/split_zhou_DescribableTextures.json": "", "other/cat/1.png": ""}
	if got, err := dataset.Detect(datatest.Tree(t, all)); got != "dtd" {
		t.Errorf("a folder with DTD in it is detected as %s: %v", got, err)
	}
	all["fgvc_aircraft/variants.txt"], all["fgvc_aircraft/images_variant_test.txt"] = "", ""
	if got, err := dataset.Detect(datatest.Tree(t, all)); err == nil || !strings.Contains(err.Error(), "holds several data sets (dtd, fgvc_aircraft): say which") {
		t.Errorf("a folder of two data sets is detected as %s: %v", got, err)
	}
}
