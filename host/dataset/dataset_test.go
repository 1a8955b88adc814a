package dataset_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/upl-host/upl-host/host/dataset"
	"github.com/upl-host/upl-host/host/dataset/internal/datatest"
)

// tree makes files below a folder: their content by their paths; a content that
// begins with -> makes a symbolic link.
// opened is a data set as a test compares it: pictures by IDs, labels by names.
type opened struct {
	Classes, Unlabeled, Validation, Test []string // a class as folder=name, a picture as id=label
	Missing, Notes, Templates            []string
	Ignored                              int // how many
}

func describe(data *dataset.Dataset, truth *dataset.Truth) opened {
	o := opened{Missing: data.Missing, Notes: data.Notes, Templates: data.Templates, Ignored: len(data.Ignored)}
	for _, class := range data.Classes {
		o.Classes = append(o.Classes, class.Folder+"="+class.Name)
	}
	named := func(indices []int) (names []string) {
		for _, i := range indices {
			label := ""
			if class := truth.Label(i); class >= 0 {
				label = data.Classes[class].Name
			}
			names = append(names, data.Pictures[i].ID+"="+label)
		}
		return names
	}
	o.Unlabeled, o.Validation, o.Test = named(data.Unlabeled), named(data.Validation), named(data.Test)
	return o
}

func mustOpen(t testing.TB, c dataset.Config) opened {
	t.Helper()
	data, truth, err := dataset.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, picture := range data.Pictures {
		if !filepath.IsAbs(picture.File) {
			t.Errorf("file %s is not absolute", picture.File)
		}
		if _, err := os.Stat(picture.File); err != nil {
			t.Error(err)
		}
	}
	if !slices.IsSortedFunc(data.Pictures, func(a, b dataset.Picture) int { return strings.Compare(a.ID, b.ID) }) {
		t.Errorf("pictures are not sorted: %v", data.Pictures)
	}
	return describe(data, truth)
}

func TestFolder(t *testing.T) {
	root := datatest.Tree(t, map[string]string{
		"tabby_cat/2.JPG": "", "tabby_cat/10.png": "", "tabby_cat/more/1.webp": "", "tabby_cat/notes.txt": "",
		"Dog/a.tiff": "", "Dog/._a.tiff": "", "Dog/.thumbnails/a.jpg": "", "README": "", "empty/": "",
		"Dog/1.HEIC": "", "Dog/2.heic": "", "__MACOSX/Dog/a.tiff": "", "Dog/@eaDir/thumb.jpg": "",
	})
	want := opened{
		Classes: []string{"Dog=Dog", "empty=empty", "tabby_cat=tabby cat"},
		Unlabeled: []string{
			"Dog/a.tiff=Dog", "tabby_cat/10.png=tabby cat", "tabby_cat/2.JPG=tabby cat", "tabby_cat/more/1.webp=tabby cat",
		},
		Ignored: 8,
		Notes:   []string{"files that are ignored, as their names are not those of pictures: 4 hidden, 2 .heic, 1 .txt, 1 without an ending", "class folders without pictures: empty"},
	}
	want.Test = want.Unlabeled
	if diff := cmp.Diff(want, mustOpen(t, dataset.Config{Path: root})); diff != "" {
		t.Error(diff)
	}
}

func TestFolderSplits(t *testing.T) {
	root := datatest.Tree(t, map[string]string{
		"images/train/cat/1.png": "", "images/train/loose.png": "", "images/test/dog/1.png": "", "images/test/cat/1.png": "",
		"classes.txt": "\ufeff# folder, tab, name\r\ndog\tbig_dog\r\n\r\ncat\t house  cat \r\n",
	})
	got := mustOpen(t, dataset.Config{
		Kind: dataset.KindFolder, Path: filepath.Join(root, "images"), Classes: filepath.Join(root, "classes.txt"),
		Unlabeled: "train", Test: filepath.Join(root, "images", "test"),
	})
	want := opened{
		Classes:   []string{"dog=big dog", "cat=house cat"},
		Unlabeled: []string{"train/cat/1.png=house cat", "train/loose.png="},
		Test:      []string{"test/cat/1.png=house cat", "test/dog/1.png=big dog"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A classes file of names alone finds folders up to case, spaces and _; class
// folders may lie deeper.
func TestFolderNames(t *testing.T) {
	root := datatest.Tree(t, map[string]string{
		"Tabby_Cat/1.png": "", "a/abbey/1.png": "", "a/arch/in/1.png": "",
		"classes.txt": "tabby cat\na/abbey\tabbey\na/arch\tarch\n",
	})
	got := mustOpen(t, dataset.Config{Path: root, Classes: filepath.Join(root, "classes.txt")})
	if diff := cmp.Diff([]string{"Tabby_Cat/1.png=tabby cat", "a/abbey/1.png=abbey", "a/arch/in/1.png=arch"}, got.Test); diff != "" {
		t.Error(diff)
	}
}

func TestFolderWithTableOfSplit(t *testing.T) {
	root := datatest.Tree(t, map[string]string{"cat/1.png": "", "dog/1.png": "", "few.csv": "path\ncat/1.png\n"})
	got := mustOpen(t, dataset.Config{Path: root, Unlabeled: "few.csv"})
	if diff := cmp.Diff([]string{"cat/1.png=cat"}, got.Unlabeled); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"cat/1.png=cat", "dog/1.png=dog"}, got.Test); diff != "" {
		t.Error(diff)
	}
}

func TestTable(t *testing.T) {
	elsewhere := datatest.Tree(t, map[string]string{"x.png": ""})
	root := datatest.Tree(t, map[string]string{
		"in/a.jpg": "", "in/b.jpg": "", "c d.png": "",
		"all.csv":  "\ufeffsize, Path ,LABEL\n3,in/b.jpg,\"ice cream, vanilla\"\n1,./in/a.jpg,tabby_cat\n2,c d.png,\n4," + elsewhere + "/x.png,Tabby Cat\n",
		"some.csv": "path\nc d.png\n",
		"classes":  "ice cream, vanilla\ntabby cat\n",
	})
	want := opened{
		Classes: []string{"ice cream, vanilla=ice cream, vanilla", "tabby cat=tabby cat"},
		Unlabeled: []string{
			filepath.ToSlash(elsewhere) + "/x.png=tabby cat", "c d.png=", "in/a.jpg=tabby cat", "in/b.jpg=ice cream, vanilla",
		},
	}
	want.Test = want.Unlabeled
	c := dataset.Config{Kind: dataset.KindCSV, Path: filepath.Join(root, "all.csv"), Classes: filepath.Join(root, "classes")}
	if diff := cmp.Diff(want, mustOpen(t, c)); diff != "" {
		t.Error(diff)
	}
	want.Test = []string{"c d.png="}
	c.Test = "some.csv"
	if diff := cmp.Diff(want, mustOpen(t, c)); diff != "" {
		t.Error(diff)
	}
	// The same by two tables below a folder, classes from the labels.
	c = dataset.Config{Kind: dataset.KindCSV, Path: root, Unlabeled: "some.csv", Test: "labels.csv"}
	if err := os.WriteFile(filepath.Join(root, "labels.csv"), []byte("label,path\nsea_lion,in/a.jpg\ncat,in/b.jpg\nsea_lion,c d.png\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := mustOpen(t, c)
	if diff := cmp.Diff([]string{"cat=cat", "sea lion=sea lion"}, got.Classes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"c d.png=sea lion"}, got.Unlabeled); diff != "" {
		t.Error(diff)
	}
}

func TestList(t *testing.T) {
	root := datatest.Tree(t, map[string]string{
		"b.png": "", "deep/er/a.gif": "", "deep/link.bmp": "->../b.png", "linked": "->deep/er", "list.txt": "# some\n\n b.png \ndeep/er/a.gif\n", "classes": "cat\ndog\n",
	})
	c := dataset.Config{Kind: dataset.KindList, Path: root, Classes: filepath.Join(root, "classes")}
	want := opened{
		Classes:   []string{"cat=cat", "dog=dog"},
		Unlabeled: []string{"b.png=", "deep/er/a.gif=", "deep/link.bmp=", "linked/a.gif="},
		Ignored:   2,
		Notes:     []string{"files that are ignored, as their names are not those of pictures: 1 .txt, 1 without an ending"},
	}
	want.Test = want.Unlabeled
	if diff := cmp.Diff(want, mustOpen(t, c)); diff != "" {
		t.Error(diff)
	}
	c.Path = filepath.Join(root, "list.txt")
	data, truth, err := dataset.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	if truth.Has() || truth.Label(0) != -1 || truth.Label(99) != -1 {
		t.Error("a list has labels")
	}
	if got := describe(data, truth).Test; !cmp.Equal(got, []string{"b.png=", "deep/er/a.gif="}) {
		t.Errorf("list: %v", got)
	}
}

func TestSkipMissing(t *testing.T) {
	root := datatest.Tree(t, map[string]string{"a.png": "", "b.png": "", "all.csv": "path,label\na.png,x\ngone.png,y\nb.png,y\n"})
	got := mustOpen(t, dataset.Config{Kind: dataset.KindCSV, Path: filepath.Join(root, "all.csv"), SkipMissing: true})
	want := opened{
		Classes: []string{"x=x", "y=y"}, Unlabeled: []string{"a.png=x", "b.png=y"}, Test: []string{"a.png=x", "b.png=y"},
		Missing: []string{"gone.png"}, Notes: []string{"1 listed pictures are missing and left out: gone.png"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Labels cannot be reached from what training and plugins are given.
func TestDatasetHoldsNoLabels(t *testing.T) {
	want := []string{
		"Root string", "Classes []dataset.Class", "Pictures []dataset.Picture", "Templates []string", "Unlabeled []int", "Test []int", "Validation []int",
		"Ignored []string", "Missing []string", "Notes []string",
	}
	fields := reflect.VisibleFields(reflect.TypeFor[dataset.Dataset]())
	have := make([]string, 0, len(fields))
	for _, field := range fields {
		have = append(have, fmt.Sprint(field.Name, " ", field.Type))
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("a new field: be sure that it tells nothing of labels\n%s", diff)
	}
}

// What is read does not depend on the order in which it was written, and a limit
// takes an ordered part of it.
func TestOrderAndLimit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-c_é]/[A-Za-z0-9 é]{1,3}`), 2, 12, rapid.ID).Draw(rt, "names")
		lines := make([]string, len(names))
		files := map[string]string{"classes": "a\nb\nc\n-\té\n", "x/x.png": ""}
		for i, name := range names {
			files["pictures/"+name+".png"] = ""
			lines[i] = fmt.Sprintf("%q", "pictures/"+name+".png")
		}
		files["one.csv"] = "path\n" + strings.Join(lines, "\n") + "\n"
		files["two.csv"] = "path\n" + strings.Join(rapid.Permutation(lines).Draw(rt, "order"), "\n") + "\n"
		root := datatest.Tree(t, files)
		c := dataset.Config{Kind: dataset.KindCSV, Path: filepath.Join(root, "one.csv"), Classes: filepath.Join(root, "classes")}
		one := mustOpen(t, c)
		c.Path = filepath.Join(root, "two.csv")
		if diff := cmp.Diff(one, mustOpen(t, c)); diff != "" {
			rt.Fatal(diff)
		}
		c.Limit = rapid.IntRange(1, 15).Draw(rt, "limit")
		limited := mustOpen(t, c).Test
		if len(limited) != min(c.Limit, len(names)) || !slices.IsSorted(limited) {
			rt.Fatalf("limit %d of %d: %v", c.Limit, len(names), limited)
		}
		for _, picture := range limited {
			if !slices.Contains(one.Test, picture) {
				rt.Fatalf("%s is not among %v", picture, one.Test)
			}
		}
	})
}

func TestDemo(t *testing.T) {
	const demo = "../../examples/demo"
	data, truth, err := dataset.Open(dataset.Config{
		Path: demo + "/images/glyphs", Classes: demo + "/classes.txt", Unlabeled: "train", Test: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(data.Classes) != 24 || len(data.Pictures) != 950 || len(data.Unlabeled)+len(data.Test) != 950 || !truth.Has() || len(data.Notes) > 0 {
		t.Errorf("demo: %d classes, %d pictures, %d + %d, notes %v", len(data.Classes), len(data.Pictures), len(data.Unlabeled), len(data.Test), data.Notes)
	}
	for i, picture := range data.Pictures {
		if folder := filepath.Base(filepath.Dir(picture.File)); data.Classes[truth.Label(i)].Folder != folder {
			t.Errorf("%s has the label %s", picture.ID, data.Classes[truth.Label(i)].Name)
		}
	}
}

func TestErrorIsTyped(t *testing.T) {
	_, _, err := dataset.Open(dataset.Config{Path: filepath.Join(t.TempDir(), "none")})
	var wrong *dataset.Error
	if !errors.As(err, &wrong) || len(wrong.Faults) != 1 || wrong.Faults[0].Message != "does not exist" {
		t.Errorf("missing folder: %v", err)
	}
}
