package dataset_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/host/dataset"
	"github.com/upl-host/upl-host/host/dataset/internal/datatest"
)

func TestFaults(t *testing.T) {
	const two = "cat\ndog\n"
	for _, test := range []struct {
		name   string
		files  map[string]string
		config dataset.Config // paths relative to the tree
		want   []string
	}{
		{"no kind", nil, dataset.Config{Kind: "zip", Path: "."}, []string{`"zip" is no kind`, "folder, csv, jsonl, list, parquet, webdataset, imagenet, caltech101"}},
		{"no path", nil, dataset.Config{}, []string{"dataset.path: name the data set's folder"}},
		{"limit", nil, dataset.Config{Path: ".", Limit: -1}, []string{"dataset.limit: -1 is below 0"}},
		{"no pictures", map[string]string{"cat/a.txt": "", "dog/": ""}, dataset.Config{Path: "."}, []string{"dataset.path: no pictures in", ".jpg .jpeg .png"}},
		{"a file for a folder", map[string]string{"a.csv": ""}, dataset.Config{Path: "a.csv"}, []string{"is a file, but kind folder", "set kind to csv, jsonl or list"}},
		{"a folder for a table", map[string]string{"t/": ""}, dataset.Config{Kind: "csv", Path: "t"}, []string{"dataset.test: name a table"}},
		{"a folder for a split's table", map[string]string{"t/": ""}, dataset.Config{Kind: "csv", Path: ".", Unlabeled: "t", Test: "t"}, []string{"is a folder: kind csv reads tables"}},
		{"splits missing", map[string]string{"a/1.png": "", "b/1.png": ""}, dataset.Config{Path: ".", Unlabeled: "train", Test: "test"}, []string{"2 faults", "dataset.unlabeled: ", "train does not exist", "dataset.test: "}},
		{"one split of two", map[string]string{"train/a/1.png": "", "test/a/1.png": ""}, dataset.Config{Path: ".", Unlabeled: "train"}, []string{`dataset.test: name the folder of this split too: dataset.unlabeled is "train"`}},
		{"one class", map[string]string{"cat/1.png": ""}, dataset.Config{Path: "."}, []string{`only the class "cat"`, "two at least"}},
		{"class folders one deeper", map[string]string{"data/cat/1.png": "", "data/dog/1.png": ""}, dataset.Config{Path: "."}, []string{`only the class "data"`, "set dataset.path to it"}},
		{"splits taken for classes", map[string]string{"Train/a/1.png": "", "test/a/1.png": ""}, dataset.Config{Path: "."}, []string{"the folders in it (Train, test) are splits, not classes: name those to use"}},
		{"no classes", map[string]string{"1.png": ""}, dataset.Config{Kind: "list", Path: "."}, []string{"dataset.classes: nothing says what the classes are"}},
		{"classes missing", map[string]string{"1.png": ""}, dataset.Config{Kind: "list", Path: ".", Classes: "c"}, []string{"c: does not exist"}},
		{"classes empty", map[string]string{"1.png": "", "c": "# nothing\n\n"}, dataset.Config{Kind: "list", Path: ".", Classes: "c"}, []string{"c: names no class"}},
		{
			"classes",
			map[string]string{"1.png": "", "c": "cat\nfolder\t_ _\n\tdog\nCat\nTabby__Cat\ntabby cat\na\tb\tc\na\tbird\na\tfish\nx\x01y\n\xff\n"},
			dataset.Config{Kind: "list", Path: ".", Classes: "c"},
			[]string{
				"8 faults", "c:2: class name is empty", `c:3: the folder of class "dog" is empty`, `c:4: class name "Cat" is that of line 1`,
				`c:6: class name "tabby cat" is that of line 5`, "c:7: has more than one tab", `c:9: folder "a" has a class in line 8 already`,
				`c:10: class name "x\x01y" has control characters`, `c:11: is not UTF-8: "\xff"`,
			},
		},
		{"folders alike", map[string]string{"Cat/1.png": "", "cat/1.png": "", "dog/1.png": ""}, dataset.Config{Path: "."}, []string{`"Cat" and "cat" are the same class name`}},
		{
			"labels unknown",
			map[string]string{"smiley_fase/1.png": "", "smiley_fase/2.png": "", "dog/1.png": "", "zzzzzzzz/1.png": "", "c": "smiley_face\tsmiley face\ndog\n"},
			dataset.Config{Path: ".", Classes: "c"},
			[]string{`1.png: label "smiley_fase", of 2 pictures, is no class: did you mean "smiley face"?`, `label "zzzzzzzz", of 1 pictures, is no class: add it to the classes, or mend it`},
		},
		{
			"table",
			map[string]string{"a.png": "", "d/": "", "c": two, "t.csv": "path,label\na.png,cat\n../up.png,cat\n,cat\na.png,dog\nd,dog\na.png,cat,no\nb.png,do\n\xff.png,cat\n"},
			dataset.Config{Kind: "csv", Path: "t.csv", Classes: "c"},
			[]string{
				"t.csv:3: the path ../up.png leads out of", "t.csv:4: the path is empty", "t.csv:5: picture a.png is listed in t.csv:2 already",
				"t.csv:7: has 3 fields, the header 2", "1 listed pictures are missing: b.png (", `t.csv:8: label "do", of 1 pictures`, "t.csv:6: d is no regular", "t.csv:9: the path \"\\xff.png\" is not UTF-8",
			},
		},
		{
			"labels and files of a table",
			map[string]string{"a.png": "", "d/": "", "c": two, "t.csv": "path,label\na.png,catt\nd,dog\ngone.png,dog\n"},
			dataset.Config{Kind: "csv", Path: "t.csv", Classes: "c"},
			[]string{
				`t.csv:2: label "catt", of 1 pictures, is no class: did you mean "cat"?`, "t.csv:3: d is no regular file",
				"1 listed pictures are missing: gone.png (", "t.csv:4)", "set dataset.missing to skip",
			},
		},
		{"header", map[string]string{"c": two, "t.csv": "file;label\na;b\n"}, dataset.Config{Kind: "csv", Path: "t.csv", Classes: "c"}, []string{"t.csv:1: the header has no column path: it has [\"file;label\"]"}},
		{"header's separator", map[string]string{"c": two, "t.csv": "path\tlabel\na\tb\n"}, dataset.Config{Kind: "csv", Path: "t.csv", Classes: "c"}, []string{"has no column path", "put commas between columns"}},
		{"header's names", map[string]string{"c": two, "t.csv": "file,class\na,b\n"}, dataset.Config{Kind: "csv", Path: "t.csv", Classes: "c"}, []string{"has no column path", "call the column of the pictures path, and that of their classes label"}},
		{"header's encoding", map[string]string{"c": two, "t.csv": "\xff\xfep\x00a\x00t\x00h\x00\n\x00"}, dataset.Config{Kind: "csv", Path: "t.csv", Classes: "c"}, []string{"has no column path", "write it as UTF-8"}},
		{"table without rows", map[string]string{"c": two, "t.csv": "path,label\n"}, dataset.Config{Kind: "csv", Path: "t.csv", Classes: "c"}, []string{"t.csv lists no picture"}},
		{"labels of pandas", map[string]string{"a.png": "", "b.png": "", "t.csv": "path,label\na.png,cat\nb.png,nan\n"}, dataset.Config{Kind: "csv", Path: "t.csv"}, []string{`t.csv:3: the label "nan" is what programs write where there is none: leave it empty`}},
		{"paths of Windows", map[string]string{"in/a.png": "", "c": two, "t.csv": "path,label\nin\\a.png,cat\n"}, dataset.Config{Kind: "csv", Path: "t.csv", Classes: "c"}, []string{`missing: in\a.png (`, `write paths with / in place of \`}},
		{"an array", map[string]string{"c": two, "t.jsonl": `[{"path": "a.png"}]`}, dataset.Config{Kind: "jsonl", Path: "t.jsonl", Classes: "c"}, []string{"t.jsonl:1: want an object", "of one line: this begins an array"}},
		{"no object", map[string]string{"c": two, "t.jsonl": "7\n{\"path\": 7}\n{\n"}, dataset.Config{Kind: "jsonl", Path: "t.jsonl", Classes: "c"}, []string{"t.jsonl:1: want an object", "this is of type number", "t.jsonl:2", "its path is of type number", "t.jsonl:3", "unexpected end of JSON"}},
		{
			"data sets taken for classes",
			map[string]string{
				"dtd/split_zhou_DescribableTextures.json": "{}", "dtd/images/a/1.png": "", "imagenet/classnames.txt": "", "imagenet/images/val/n1/1.png": "",
				"fgvc_aircraft/variants.txt": "", "fgvc_aircraft/images_variant_test.txt": "", "fgvc_aircraft/images/1.png": "",
			},
			dataset.Config{Path: "."},
			[]string{"3 faults", "dtd: is the data set dtd, no folder of classes: set dataset.kind to dtd", "dataset.kind to fgvc_aircraft", "dataset.kind to imagenet"},
		},
		{
			"a data set taken for a folder of classes",
			map[string]string{"split_zhou_StanfordCars.json": "{}", "cars_train/1.png": "", "cars_test/1.png": ""},
			dataset.Config{Path: "."},
			[]string{"set dataset.kind to stanford_cars"},
		},
		{"header twice", map[string]string{"c": two, "t.csv": "path,label,Path\n"}, dataset.Config{Kind: "csv", Path: "t.csv", Classes: "c"}, []string{"the header has the column path twice"}},
		{"table empty", map[string]string{"c": two, "t.csv": ""}, dataset.Config{Kind: "csv", Path: "t.csv", Classes: "c"}, []string{"t.csv: is empty: want a header"}},
		{"quotes", map[string]string{"c": two, "t.csv": "path\n\"a\nb\n"}, dataset.Config{Kind: "csv", Path: "t.csv", Classes: "c"}, []string{"t.csv: record on line 2", "quote"}},
		{
			"splits disagree",
			map[string]string{"a.png": "", "1.csv": "path,label\na.png,cat\n", "2.csv": "path,label\na.png,dog\n"},
			dataset.Config{Kind: "csv", Path: ".", Unlabeled: "1.csv", Test: "2.csv"},
			[]string{`2.csv:2: picture a.png is labelled "dog" here and "cat" in another split`},
		},
		{"all missing", map[string]string{"c": two, "t.csv": "path\ngone.png\n"}, dataset.Config{Kind: "csv", Path: "t.csv", Classes: "c", SkipMissing: true}, []string{"none of the pictures that", "is there"}},
		{"link to itself", map[string]string{"cat/1.png": "", "dog/1.png": "", "dog/again": "->..", "cat/x.png": "->x.png"}, dataset.Config{Path: "."}, []string{"again: is a symbolic link to a folder that it lies in", "x.png: is a symbolic link that leads to itself: remove it"}},
		{"link to nothing", map[string]string{"cat/1.png": "", "dog/1.png": "->gone.png", "cat/x.txt": "->gone"}, dataset.Config{Path: "."}, []string{"1.png: is a symbolic link whose target does not exist"}},
		{"names of bytes", map[string]string{"cat/\xff.png": "", "do\ng/1.png": ""}, dataset.Config{Path: "."}, []string{`the name "\xff.png" is not UTF-8 text`, `the folder's name "do\ng"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := datatest.Tree(t, test.files)
			c := test.config
			if c.Path != "" {
				c.Path = filepath.Join(root, c.Path)
			}
			if c.Classes != "" {
				c.Classes = filepath.Join(root, c.Classes)
			}
			_, _, err := dataset.Open(c)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("want %q in\n%v", want, err)
				}
			}
		})
	}
}

func TestUnreadableFolder(t *testing.T) {
	if os.Getuid() == 0 {
		return // whom nothing is forbidden
	}
	root := datatest.Tree(t, map[string]string{"cat/1.png": "", "dog/1.png": ""})
	if err := os.Chmod(filepath.Join(root, "dog"), 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := dataset.Open(dataset.Config{Path: root}); err == nil || !strings.Contains(err.Error(), "dog: permission denied") {
		t.Errorf("unreadable folder: %v", err)
	}
}

func TestFaultsAreBounded(t *testing.T) {
	var classes strings.Builder
	for i := range 100 {
		fmt.Fprintf(&classes, "folder%d\t\n", i)
	}
	root := datatest.Tree(t, map[string]string{"1.png": "", "c": classes.String()})
	_, _, err := dataset.Open(dataset.Config{Kind: dataset.KindList, Path: root, Classes: filepath.Join(root, "c")})
	if err == nil || !strings.Contains(err.Error(), "100 faults") || !strings.Contains(err.Error(), "and 80 more") || strings.Count(err.Error(), "\n") != 21 {
		t.Errorf("%v", err)
	}
}

// Whatever a table or a classes file says, pictures are files below the root or
// were named in full, classes are distinct, and labels are classes.
func FuzzTable(f *testing.F) {
	f.Add("path,label\na.png,cat\n", "cat\ndog\n")
	f.Add("\ufeffPATH\n\"a\n.png\"\n../b.png\n", "a\tb\n\n#x\n")
	f.Add("label,path\nx,a.png\ny,sub/b.png", "")
	root := datatest.Tree(f, map[string]string{"a.png": "", "sub/b.png": ""})
	f.Fuzz(func(t *testing.T, table, classes string) {
		dir := t.TempDir()
		c := dataset.Config{Kind: dataset.KindCSV, Path: root, Unlabeled: filepath.Join(dir, "t.csv"), Test: filepath.Join(dir, "t.csv")}
		if err := os.WriteFile(c.Test, []byte(table), 0o600); err != nil {
			t.Fatal(err)
		}
		if classes != "" {
			c.Classes = filepath.Join(dir, "classes")
			if err := os.WriteFile(c.Classes, []byte(classes), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		data, truth, err := dataset.Open(c)
		if err != nil {
			if len(err.Error()) > 1<<16 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if len(data.Classes) < 2 || len(data.Test) == 0 {
			t.Errorf("%d classes, %d pictures", len(data.Classes), len(data.Test))
		}
		names := map[string]bool{}
		for _, class := range data.Classes {
			if class.Name == "" || names[class.Name] {
				t.Errorf("class name %q", class.Name)
			}
			names[class.Name] = true
		}
		for i, picture := range data.Pictures {
			if !filepath.IsAbs(picture.ID) && !strings.HasPrefix(picture.File, root) {
				t.Errorf("picture %+v leads out", picture)
			}
			if label := truth.Label(i); label < -1 || label >= len(data.Classes) {
				t.Errorf("label %d", label)
			}
		}
	})
}
