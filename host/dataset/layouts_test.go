package dataset_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/host/dataset"
	"github.com/upl-host/upl-host/host/dataset/internal/datatest"
	"github.com/upl-host/upl-host/host/dataset/layout"
)

// split writes a split file: a picture is "path label name".
func split(t testing.TB, train, val, test string) string {
	t.Helper()
	items := func(lines string) [][]any {
		list := [][]any{}
		for line := range strings.Lines(lines) {
			parts := strings.SplitN(strings.TrimSpace(line), " ", 3)
			list = append(list, []any{parts[0], json.RawMessage(parts[1]), parts[2]})
		}
		return list
	}
	text, err := json.Marshal(map[string]any{"train": items(train), "val": items(val), "test": items(test)})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every set is found by its own folder and by the one that holds all, with its
// official split, class names and template.
func TestSplitFileLayouts(t *testing.T) {
	for _, test := range []struct {
		kind             string
		train, val, test string   // "path label name"
		classes          []string // folder=name
		ids              []string // of train, val, test
	}{
		{
			"caltech101", "airplane/image_0001.jpg 1 airplane\nFaces/image_0001.jpg 0 face", "crab/a.jpg 2 crab", "airplane/b.jpg 1 airplane",
			[]string{"face=face", "airplane=airplane", "crab=crab"},
			[]string{"101_ObjectCategories/Faces/image_0001.jpg=face", "101_ObjectCategories/airplane/image_0001.jpg=airplane", "101_ObjectCategories/crab/a.jpg=crab", "101_ObjectCategories/airplane/b.jpg=airplane"},
		},
		{
			"oxford_pets", "great_pyrenees_1.jpg 1 great_pyrenees", "Abyssinian_1.jpg 0 abyssinian", "Abyssinian_2.jpg 0 abyssinian",
			[]string{"abyssinian=abyssinian", "great_pyrenees=great pyrenees"},
			[]string{"images/great_pyrenees_1.jpg=great pyrenees", "images/Abyssinian_1.jpg=abyssinian", "images/Abyssinian_2.jpg=abyssinian"},
		},
		{
			"stanford_cars", "cars_train/00001.jpg 0 2012 Audi A4 Sedan", "cars_train/00002.jpg 1 Ram C/V Cargo Van Minivan 2012", "cars_test/00001.jpg 0 2012 Audi A4 Sedan",
			[]string{"2012 Audi A4 Sedan=2012 Audi A4 Sedan", "Ram C/V Cargo Van Minivan 2012=2012 Ram C/V Cargo Van Minivan"},
			[]string{"cars_train/00001.jpg=2012 Audi A4 Sedan", "cars_train/00002.jpg=2012 Ram C/V Cargo Van Minivan", "cars_test/00001.jpg=2012 Audi A4 Sedan"},
		},
		{
			"oxford_flowers", "image_00001.jpg 1 colt's foot", "image_00002.jpg 0 pink primrose", "image_00003.jpg 1 colt's foot",
			[]string{"pink primrose=pink primrose", "colt's foot=colt's foot"},
			[]string{"jpg/image_00001.jpg=colt's foot", "jpg/image_00002.jpg=pink primrose", "jpg/image_00003.jpg=colt's foot"},
		},
		{
			"food101", "apple_pie/1.jpg 0 apple_pie", "beef_tartare/1.jpg 1 beef_tartare", "apple_pie/2.jpg 0 apple_pie",
			[]string{"apple_pie=apple pie", "beef_tartare=beef tartare"},
			[]string{"images/apple_pie/1.jpg=apple pie", "images/beef_tartare/1.jpg=beef tartare", "images/apple_pie/2.jpg=apple pie"},
		},
		{
			"sun397", "a/abbey/1.jpg 0 abbey", "a/apartment_building/outdoor/1.jpg 1 outdoor apartment_building", "a/abbey/2.jpg 0 abbey",
			[]string{"abbey=abbey", "outdoor apartment_building=outdoor apartment building"},
			[]string{"SUN397/a/abbey/1.jpg=abbey", "SUN397/a/apartment_building/outdoor/1.jpg=outdoor apartment building", "SUN397/a/abbey/2.jpg=abbey"},
		},
		{
			"dtd", "banded/1.jpg 0 banded", "polka-dotted/1.jpg 1 polka-dotted", "banded/2.jpg 0 banded",
			[]string{"banded=banded", "polka-dotted=polka-dotted"},
			[]string{"images/banded/1.jpg=banded", "images/polka-dotted/1.jpg=polka-dotted", "images/banded/2.jpg=banded"},
		},
		{
			"eurosat", "AnnualCrop/1.jpg 0 Annual Crop Land", "Forest/1.jpg 1 Forest", "SeaLake/1.jpg 2 SeaLake",
			[]string{"Annual Crop Land=Annual Crop Land", "Forest=Forest", "SeaLake=Sea or Lake"},
			[]string{"2750/AnnualCrop/1.jpg=Annual Crop Land", "2750/Forest/1.jpg=Forest", "2750/SeaLake/1.jpg=Sea or Lake"},
		},
		{
			"ucf101", "Apply_Eye_Makeup/v_1.jpg 0 Apply_Eye_Makeup", "Yo_Yo/v_1.jpg 1 Yo_Yo", "Yo_Yo/v_2.jpg 1 Yo_Yo",
			[]string{"Apply_Eye_Makeup=Apply Eye Makeup", "Yo_Yo=Yo Yo"},
			[]string{"UCF-101-midframes/Apply_Eye_Makeup/v_1.jpg=Apply Eye Makeup", "UCF-101-midframes/Yo_Yo/v_1.jpg=Yo Yo", "UCF-101-midframes/Yo_Yo/v_2.jpg=Yo Yo"},
		},
	} {
		t.Run(test.kind, func(t *testing.T) {
			l, ok := layout.ByKind(test.kind)
			if !ok {
				t.Fatal("no such layout")
			}
			files := map[string]string{l.Folder + "/" + l.Split: split(t, test.train, test.val, test.test), l.Folder + "/README": ""}
			for _, lines := range []string{test.train, test.val, test.test} {
				for line := range strings.Lines(lines) {
					path, _, _ := strings.Cut(line, " ")
					files[l.Folder+"/"+l.Images+"/"+path] = ""
				}
			}
			all := datatest.Tree(t, files)
			got := mustOpen(t, dataset.Config{Kind: test.kind, Path: all})
			if diff := cmp.Diff(got, mustOpen(t, dataset.Config{Kind: test.kind, Path: filepath.Join(all, l.Folder)})); diff != "" {
				t.Errorf("by its own folder it is another:\n%s", diff)
			}
			if diff := cmp.Diff(test.classes, got.Classes); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.ids, slices.Concat(got.Unlabeled, got.Validation, got.Test)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{l.Template}, got.Templates); diff != "" {
				t.Error(diff)
			}
			if len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "not the official split of "+l.Name) {
				t.Errorf("notes %v", got.Notes)
			}
			// Roles may take other splits.
			turned := mustOpen(t, dataset.Config{Kind: test.kind, Path: all, Unlabeled: "test", Test: "validation"})
			if !slices.Equal(turned.Unlabeled, got.Test) || !slices.Equal(turned.Test, got.Validation) {
				t.Errorf("test and val for train and test are %v and %v", turned.Unlabeled, turned.Test)
			}
		})
	}
}

func TestAircraft(t *testing.T) {
	root := datatest.Tree(t, map[string]string{
		"fgvc_aircraft/variants.txt":              "707-320\nF/A-18\n\nMD-11\n",
		"fgvc_aircraft/images_variant_train.txt":  "0000002 MD-11\n0000001 707-320\n",
		"fgvc_aircraft/images_variant_val.txt":    "0000003 F/A-18\n",
		"fgvc_aircraft/images_variant_test.txt":   "0000004 MD-11\n",
		"fgvc_aircraft/images/0000001.jpg":        "",
		"fgvc_aircraft/images/0000002.jpg":        "",
		"fgvc_aircraft/images/0000003.jpg":        "",
		"fgvc_aircraft/images/0000004.jpg":        "",
		"fgvc_aircraft/images/not_in_a_split.jpg": "",
	})
	got := mustOpen(t, dataset.Config{Kind: "fgvc_aircraft", Path: root})
	got.Notes = nil
	want := opened{
		Classes:    []string{"707-320=707-320", "F/A-18=F/A-18", "MD-11=MD-11"},
		Unlabeled:  []string{"images/0000001.jpg=707-320", "images/0000002.jpg=MD-11"},
		Validation: []string{"images/0000003.jpg=F/A-18"},
		Test:       []string{"images/0000004.jpg=MD-11"},
		Templates:  []string{"a photo of a {}, a type of aircraft."},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

const someNames = "n01440764 tench\nn01443537 goldfish\nn03773504 missile\nn04008634 missile\n"

// ImageNet's classes are its sorted folders; val serves as the test split; two
// classes of one name differ in name, and not in what prompts say.
func TestImageNet(t *testing.T) {
	root := datatest.Tree(t, map[string]string{
		"imagenet/classnames.txt":                     someNames,
		"imagenet/images/train/n04008634/a.JPEG":      "",
		"imagenet/images/train/n01440764/b.JPEG":      "",
		"imagenet/images/val/n03773504/val_1.JPEG":    "",
		"imagenet/images/val/n01440764/val_2.JPEG":    "",
		"imagenet/images/val/n01440764/desktop.ini":   "",
		"imagenet/images/train/n01443537/goldfish.gz": "",
	})
	c := dataset.Config{Kind: dataset.KindImageNet, Path: root}
	got := mustOpen(t, c)
	want := opened{
		Classes:   []string{"n01440764=tench", "n01443537=goldfish", "n03773504=missile (n03773504)", "n04008634=missile (n04008634)"},
		Unlabeled: []string{"images/train/n01440764/b.JPEG=tench", "images/train/n04008634/a.JPEG=missile (n04008634)"},
		Test:      []string{"images/val/n01440764/val_2.JPEG=tench", "images/val/n03773504/val_1.JPEG=missile (n03773504)"},
		Ignored:   2, Templates: []string{"a photo of a {}."},
		Notes: got.Notes,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	data, _, err := dataset.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	spoken := []string{}
	for _, class := range data.Classes {
		spoken = append(spoken, class.Spoken())
	}
	if diff := cmp.Diff([]string{"tench", "goldfish", "missile", "missile"}, spoken); diff != "" {
		t.Error(diff)
	}
	// Without training pictures, as most have it.
	c.Unlabeled = "test"
	if got = mustOpen(t, c); len(got.Classes) != 2 || !slices.Equal(got.Unlabeled, want.Test) {
		t.Errorf("val alone: %+v", got)
	}
}

func TestImageNetVariants(t *testing.T) {
	root := datatest.Tree(t, map[string]string{
		"imagenet/classnames.txt":                                      someNames,
		"imagenetv2/imagenetv2-matched-frequency-format-val/0/a.jpeg":  "",
		"imagenetv2/imagenetv2-matched-frequency-format-val/2/a.jpeg":  "",
		"imagenetv2/imagenetv2-matched-frequency-format-val/1/b.jpeg":  "",
		"imagenet-sketch/images/n01440764/a.jpeg":                      "",
		"imagenet-sketch/images/n01443537/a.jpeg":                      "",
		"imagenet-sketch/classnames.txt":                               "n01440764 a fish\nn01443537 goldfish\n",
		"imagenet-adversarial/imagenet-a/README.txt":                   "",
		"imagenet-adversarial/imagenet-a/n01440764/a.jpeg":             "",
		"imagenet-adversarial/imagenet-a/n04008634/a.jpeg":             "",
		"imagenet-rendition/imagenet-r/n01443537/a.jpeg":               "",
		"imagenet-rendition/imagenet-r/n03773504/a.jpeg":               "",
		"flat/n01443537/a.jpeg":                                        "",
		"flat/n03773504/a.jpeg":                                        "",
		"flat/classnames.txt":                                          someNames,
		"imagenetv2/imagenetv2-matched-frequency-format-val/notes.txt": "",
	})
	for _, test := range []struct {
		variant, path string
		classes, test []string
	}{
		{"v2", "", []string{"n01440764=tench", "n01443537=goldfish", "n03773504=missile (n03773504)"}, []string{
			"imagenetv2-matched-frequency-format-val/0/a.jpeg=tench", "imagenetv2-matched-frequency-format-val/1/b.jpeg=goldfish", "imagenetv2-matched-frequency-format-val/2/a.jpeg=missile (n03773504)",
		}},
		{"sketch", "imagenet-sketch", []string{"n01440764=a fish", "n01443537=goldfish"}, []string{"images/n01440764/a.jpeg=a fish", "images/n01443537/a.jpeg=goldfish"}},
		{"a", "", []string{"n01440764=tench", "n04008634=missile (n04008634)"}, []string{"imagenet-a/n01440764/a.jpeg=tench", "imagenet-a/n04008634/a.jpeg=missile (n04008634)"}},
		{"r", "imagenet-rendition", []string{"n01443537=goldfish", "n03773504=missile (n03773504)"}, []string{"imagenet-r/n01443537/a.jpeg=goldfish", "imagenet-r/n03773504/a.jpeg=missile (n03773504)"}},
		{"r", "flat", []string{"n01443537=goldfish", "n03773504=missile (n03773504)"}, []string{"n01443537/a.jpeg=goldfish", "n03773504/a.jpeg=missile (n03773504)"}},
	} {
		t.Run(test.variant+" "+test.path, func(t *testing.T) {
			got := mustOpen(t, dataset.Config{Kind: dataset.KindImageNet, Variant: test.variant, Path: filepath.Join(root, test.path)})
			if diff := cmp.Diff(test.classes, got.Classes); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.test, got.Test); diff != "" || !slices.Equal(got.Unlabeled, got.Test) || got.Validation != nil {
				t.Errorf("unlabeled %v, validation %v\n%s", got.Unlabeled, got.Validation, diff)
			}
		})
	}
}

// A tree of class folders with a split file, pictures in the tree's own order.
func TestFolderWithSplitFile(t *testing.T) {
	root := datatest.Tree(t, map[string]string{
		"cat/1.png": "", "cat/2.png": "", "big_dog/1.png": "", "big_dog/2.png": "",
		"my.json":     split(t, "cat/1.png 0 cat\nbig_dog/1.png 1 big_dog", "", "cat/2.png 0 cat\nbig_dog/2.png 1 big_dog"),
		"classes.txt": "big_dog\tlarge dog\ncat\tkitten\n",
	})
	want := opened{
		Classes:   []string{"cat=cat", "big_dog=big dog"},
		Unlabeled: []string{"big_dog/1.png=big dog", "cat/1.png=cat"}, Test: []string{"big_dog/2.png=big dog", "cat/2.png=cat"},
	}
	if diff := cmp.Diff(want, mustOpen(t, dataset.Config{Path: root, Split: "my.json"})); diff != "" {
		t.Error(diff)
	}
	named := mustOpen(t, dataset.Config{Path: root, Split: filepath.Join(root, "my.json"), Classes: filepath.Join(root, "classes.txt")})
	if diff := cmp.Diff([]string{"big_dog/1.png=large dog", "cat/1.png=kitten"}, named.Unlabeled); diff != "" {
		t.Error(diff)
	}
}

// Tables may say in a column what their pictures are for.
func TestSplitColumn(t *testing.T) {
	files := map[string]string{
		"a.png": "", "b.png": "", "c.png": "", "d.png": "",
		"all.csv":   "path,label,split\nc.png,dog,Train\na.png,cat,training\nb.png,dog,valid\nd.png,cat,test\n",
		"all.jsonl": `{"path":"c.png","label":"dog","split":"train"}` + "\n\n" + `{"split":"train","path":"a.png","label":"cat","size":3}` + "\n" + `{"path":"b.png","label":"dog","split":"val"}` + "\n" + `{"path":"d.png","label":"cat","split":"test"}`,
		"few.csv":   "path,split\na.png,test\nb.png,train\n",
	}
	root := datatest.Tree(t, files)
	want := opened{
		Classes: []string{"cat=cat", "dog=dog"}, Unlabeled: []string{"a.png=cat", "c.png=dog"}, Validation: []string{"b.png=dog"}, Test: []string{"d.png=cat"},
	}
	for kind, file := range map[string]string{dataset.KindCSV: "all.csv", dataset.KindJSONL: "all.jsonl"} {
		if diff := cmp.Diff(want, mustOpen(t, dataset.Config{Kind: kind, Path: filepath.Join(root, file)})); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
	// A role of its own takes its split of its own table.
	got := mustOpen(t, dataset.Config{Kind: dataset.KindJSONL, Path: filepath.Join(root, "all.jsonl"), Test: "few.csv"})
	if !slices.Equal(got.Test, []string{"a.png=cat"}) || !slices.Equal(got.Validation, want.Validation) {
		t.Errorf("test %v, validation %v", got.Test, got.Validation)
	}
}

func TestJSONL(t *testing.T) {
	root := datatest.Tree(t, map[string]string{
		"a.png": "", "b.png": "", "t.jsonl": "\ufeff" + `{"path":"b.png","label":3}` + "\r\n" + `{"path":"a.png","label":null}` + "\n", "classes": "3\tcat\n4\tdog\n",
	})
	got := mustOpen(t, dataset.Config{Kind: dataset.KindJSONL, Path: filepath.Join(root, "t.jsonl"), Classes: filepath.Join(root, "classes")})
	if diff := cmp.Diff([]string{"a.png=", "b.png=cat"}, got.Test); diff != "" || !slices.Equal(got.Unlabeled, got.Test) || got.Validation != nil {
		t.Errorf("%+v\n%s", got, diff)
	}
}

func TestValidation(t *testing.T) {
	root := datatest.Tree(t, map[string]string{"train/cat/1.png": "", "train/dog/1.png": "", "val/cat/1.png": "", "test/dog/1.png": ""})
	got := mustOpen(t, dataset.Config{Path: root, Unlabeled: "train", Validation: "val", Test: "test"})
	if diff := cmp.Diff([]string{"val/cat/1.png=cat"}, got.Validation); diff != "" {
		t.Error(diff)
	}
}
