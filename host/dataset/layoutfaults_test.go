package dataset_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/host/dataset"
	"github.com/upl-host/upl-host/host/dataset/internal/datatest"
)

func TestLayoutFaults(t *testing.T) {
	dtd := func(text string, more ...string) map[string]string {
		files := map[string]string{"images/a/1.jpg": "", "images/a/2.jpg": "", "images/b/1.jpg": "", "split_zhou_DescribableTextures.json": text}
		for _, name := range more {
			files[name] = ""
		}
		return files
	}
	good := split(t, "a/1.jpg 0 a", "", "b/1.jpg 1 b")
	for _, test := range []struct {
		name   string
		files  map[string]string
		config dataset.Config // Path is relative to the tree
		want   []string
	}{
		{
			"no split file",
			map[string]string{"dtd/images/a/1.jpg": ""},
			dataset.Config{Kind: "dtd"},
			[]string{
				"dtd/split_zhou_DescribableTextures.json: does not exist: it is the official split of DTD; download it from https://drive.google.com/file/d/1u3_QfB467jqHgNXC00UIzbLZRQCg2S7x",
				"https://github.com/KaiyangZhou/CoOp/blob/main/DATASETS.md", "`upl-host dataset split ", "/dtd --kind dtd -o my_split.json`", "not those of papers",
			},
		},
		{ // whose splits are then not said to be missing too
			"no split file where splits are named",
			map[string]string{"dtd/images/a/1.jpg": ""},
			dataset.Config{Kind: "dtd", Unlabeled: "train", Test: "test"},
			[]string{"data set: /"},
		},
		{
			"no split file of cars",
			map[string]string{"cars_train/1.jpg": ""},
			dataset.Config{Kind: "stanford_cars"},
			[]string{"split_zhou_StanfordCars.json: does not exist: it is the official split of StanfordCars; download"},
		},
		{"no own split file", dtd(good), dataset.Config{Kind: "dtd", Split: "mine.json"}, []string{"mine.json: does not exist"}},
		{
			"pictures missing", dtd(split(t, "a/1.jpg 0 a\na/8.jpg 0 a\na/9.jpg 0 a", "", "b/1.jpg 1 b")),
			dataset.Config{Kind: "dtd"},
			[]string{"2 listed pictures are missing: images/a/8.jpg (", "Textures.json, train[1])", "images/a/9.jpg", "set dataset.missing to skip"},
		},
		{"no JSON", dtd("{"), dataset.Config{Kind: "dtd"}, []string{"Textures.json: is no split: unexpected end", `want {"train": [[`}},
		{"other keys", dtd(`{"train": [], "dev": [["a/1.jpg", 0, "a"]]}`), dataset.Config{Kind: "dtd"}, []string{`has the key "dev"`}},
		{"items", dtd(`{"train": [["a/1.jpg", 0], ["a/1.jpg", -1, "a"], ["a/1.jpg", 0.5, "a"], [null, 0, "a"], ["a/1.jpg", 0, " "], ["a/1.jpg", null, "a"], 3]}`), dataset.Config{Kind: "dtd"}, []string{
			"7 faults", `train[0]: is not [path, label, name]: ["a/1.jpg", 0]`, "train[1]: the label is no whole number of at least 0: -1", "train[2]: the label", "train[3]: the path is no string", "train[4]: the class name is no string, or empty", "train[5]: the label", "train[6]: is not [path",
		}},
		{
			"labels out of range", dtd(split(t, "a/1.jpg 0 a\nb/1.jpg 7 b", "", "a/2.jpg 0 a")),
			dataset.Config{Kind: "dtd"},
			[]string{"train[1]: label 7 is out of range: 2 classes have pictures, and labels count them from 0 to 1"},
		},
		{
			"a label of two names", dtd(split(t, "a/1.jpg 0 a", "", "a/2.jpg 0 c\nb/1.jpg 1 b")),
			dataset.Config{Kind: "dtd"},
			[]string{`test[0]: label 0 is called "c", but "a" in `, "train[0]"},
		},
		{
			"names that collide", dtd(split(t, "a/1.jpg 0 Polka_dot\nb/1.jpg 1 polka  dot", "", "a/2.jpg 0 Polka_dot")),
			dataset.Config{Kind: "dtd"},
			[]string{`"Polka_dot" and "polka  dot" are the same class name`},
		},
		{
			"a picture in two splits", dtd(split(t, "a/1.jpg 0 a\nb/1.jpg 1 b", "", "a/1.jpg 0 a")),
			dataset.Config{Kind: "dtd"},
			[]string{"pictures in two splits: images/a/1.jpg (train and test); a test picture that is learnt from is no test"},
		},
		{
			"a picture twice", dtd(split(t, "a/1.jpg 0 a\na/1.jpg 0 a", "", "b/1.jpg 1 b")),
			dataset.Config{Kind: "dtd"},
			[]string{"train[1]: picture images/a/1.jpg is listed in split_zhou_DescribableTextures.json, train[0] already"},
		},
		{"paths that lead out", dtd(split(t, "../../x.jpg 0 a", "", "b/1.jpg 1 b")), dataset.Config{Kind: "dtd"}, []string{"train[0]: the path ../../x.jpg leads out of the data set's folder"}},
		{"no test pictures", dtd(split(t, "a/1.jpg 0 a\nb/1.jpg 1 b", "", "")), dataset.Config{Kind: "dtd"}, []string{"dataset.test: ", "has no pictures of the split test"}},
		{"no training pictures", dtd(split(t, "", "", "a/1.jpg 0 a\nb/1.jpg 1 b")), dataset.Config{Kind: "dtd"}, []string{"dataset.unlabeled: ", "of the split train: set the key to one that it has (test)"}},
		{"another folder", map[string]string{"a/1.jpg": ""}, dataset.Config{Kind: "dtd"}, []string{"has no folder dtd in it, and so is taken for that folder itself"}},
		{"no such split", dtd(good), dataset.Config{Kind: "dtd", Test: "dev"}, []string{`dataset.test: "dev" is no split of the data set: want train, val or test`}},
		{"no validation", dtd(good), dataset.Config{Kind: "dtd", Validation: "val"}, []string{"dataset.validation: ", "has no pictures of the split val"}},
		{"a file for a set", dtd(good), dataset.Config{Kind: "dtd", Path: "images/a/1.jpg"}, []string{"is a file, but kind dtd reads the data set's folder, dtd"}},
		{"a split file for a table", dtd(good), dataset.Config{Kind: "csv", Split: "x"}, []string{"dataset.split: kind csv has no use for a split file: give its table a column split"}},
		{"a split file for ImageNet", dtd(good), dataset.Config{Kind: "imagenet", Split: "x"}, []string{"its folders and lists are the split"}},
		{"a variant of none", dtd(good), dataset.Config{Kind: "dtd", Variant: "v2"}, []string{`dataset.variant: "v2" is a variant of kind imagenet, not of dtd`}},
		{"no such variant", dtd(good), dataset.Config{Kind: "imagenet", Variant: "v9"}, []string{`"v9" is no variant of ImageNet`}},
		{"no class names", map[string]string{"images/val/n1/1.jpg": ""}, dataset.Config{Kind: "imagenet"}, []string{"classnames.txt: does not exist: it comes with the data set (https://drive.google.com/file/d/1-61f_ol79pViBFDG_IDlUQSwoLcn2XXF)"}},
		{
			"class names",
			map[string]string{"images/val/n1/1.jpg": "", "images/val/n4/1.jpg": "", "classnames.txt": "n1 tench\nn2\nn1 eel\n"},
			dataset.Config{Kind: "imagenet", Unlabeled: "test"},
			[]string{`classnames.txt:2: "n2" has no name behind it`, "classnames.txt:3: n1 is named in line 1 already"},
		},
		{
			"a class without a name",
			map[string]string{"images/val/n1/1.jpg": "", "images/val/n4/1.jpg": "", "classnames.txt": "n1 tench\nn2 eel\n"},
			dataset.Config{Kind: "imagenet", Unlabeled: "test"},
			[]string{"folder n4 has no name in classnames.txt"},
		},
		{
			"validation pictures without folders",
			map[string]string{"images/val/ILSVRC2012_val_00000001.JPEG": "", "classnames.txt": "n1 tench\nn2 eel\n"},
			dataset.Config{Kind: "imagenet", Unlabeled: "test"},
			[]string{"ILSVRC2012_val_00000001.JPEG lies in no class folder: sort the pictures into folders of wnids"},
		},
		{
			"no training pictures",
			map[string]string{"images/val/n1/1.jpg": "", "images/val/n2/1.jpg": "", "classnames.txt": "n1 tench\nn2 eel\n"},
			dataset.Config{Kind: "imagenet"},
			[]string{"images/train: does not exist"},
		},
		{
			"numbers of no class",
			map[string]string{"imagenetv2-matched-frequency-format-val/2/1.jpg": "", "imagenetv2-matched-frequency-format-val/x/1.jpg": "", "classnames.txt": "n1 tench\nn2 eel\n"},
			dataset.Config{Kind: "imagenet", Variant: "v2"},
			[]string{"folder 2 is no class: want 0 to 1", "folder x is no class"},
		},
		{
			"splits of a set without",
			map[string]string{"imagenet-r/n1/1.jpg": "", "imagenet-r/n2/1.jpg": "", "classnames.txt": "n1 tench\nn2 eel\n"},
			dataset.Config{Kind: "imagenet", Variant: "r", Unlabeled: "train"},
			[]string{"dataset.unlabeled: the data set has no splits: leave the key out"},
		},
		{
			"aircraft",
			map[string]string{
				"variants.txt": "707\nMD-11\n", "images/1.jpg": "", "images_variant_train.txt": "1 707\n2 MD-12\n3\n", "images_variant_test.txt": "1 707\n",
			},
			dataset.Config{Kind: "fgvc_aircraft"},
			[]string{`images_variant_train.txt:3: "3" has no name behind it`, "images_variant_val.txt: does not exist: it comes with the data set (https://www.robots.ox.ac.uk"},
		},
		{
			"no variant",
			map[string]string{
				"variants.txt": "707\nMD-11\n", "images/1.jpg": "", "images_variant_train.txt": "1 707\n2 MD-12\n", "images_variant_val.txt": "", "images_variant_test.txt": "1 707\n",
			},
			dataset.Config{Kind: "fgvc_aircraft"},
			[]string{`images_variant_train.txt:2: "MD-12" is no variant of variants.txt`},
		},
		{
			"splits of a table",
			map[string]string{"a.png": "", "b.png": "", "t.csv": "path,label,split\na.png,cat,dev\nb.png,dog,\n"},
			dataset.Config{Kind: "csv", Path: "t.csv"},
			[]string{`t.csv:2: the split "dev" is none of train, val and test`, `t.csv:3: the split "" is none`},
		},
		{
			"objects",
			map[string]string{"a.png": "", "t.jsonl": "{\"path\":\"a.png\",\"label\":\"cat\"}\n{\n{\"label\":\"dog\"}\n{\"path\":\"a.png\",\"label\":1.5}\n{\"path\":\"../a.png\"}\n[]\n"},
			dataset.Config{Kind: "jsonl", Path: "t.jsonl"},
			[]string{`t.jsonl:2: want an object {"path"`, "t.jsonl:3: has no key path", "t.jsonl:4: the label 1.5 is neither", "t.jsonl:5: the path ../a.png leads out", "t.jsonl:6: want an object"},
		},
		{
			"a folder beside validation",
			map[string]string{"train/a/1.png": "", "val/a/1.png": ""},
			dataset.Config{Validation: "val", Unlabeled: "train"},
			[]string{"dataset.test: name the folder of this split too: dataset."},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := test.config
			c.Path = filepath.Join(datatest.Tree(t, test.files), c.Path)
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

// Pictures that a split file lists and that are not there are left out on request.
func TestSkipMissingOfSplitFile(t *testing.T) {
	root := datatest.Tree(t, map[string]string{
		"dtd/images/a/1.jpg": "", "dtd/images/b/1.jpg": "",
		"dtd/split_zhou_DescribableTextures.json": split(t, "a/1.jpg 0 a\nc/1.jpg 2 c", "", "b/1.jpg 1 b"),
	})
	got := mustOpen(t, dataset.Config{Kind: "dtd", Path: root, SkipMissing: true})
	if len(got.Classes) != 3 || len(got.Unlabeled) != 1 || len(got.Missing) != 1 || got.Missing[0] != "images/c/1.jpg" {
		t.Errorf("%+v", got)
	}
}
