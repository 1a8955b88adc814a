package dataset_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/host/dataset"
	"github.com/upl-host/upl-host/host/dataset/internal/datatest"
)

func drawn(t *testing.T, c dataset.SplitConfig) (*dataset.Split, string) {
	t.Helper()
	s, err := dataset.MakeSplit(c)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "split.json")
	if err := s.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	return s, path
}

// What is written is read again: every picture once, each class in its shares.
func TestMakeSplit(t *testing.T) {
	files := map[string]string{"notes.txt": "", "cat/deep/x.txt": ""}
	for i := range 10 {
		files[fmt.Sprintf("cat/deep/%d.png", i)] = ""
		files[fmt.Sprintf("big_dog/%d.png", i)] = ""
		if i < 5 { // 2.5 and 1 of 5: half to even
			files[fmt.Sprintf("Ape/é %d.png", i)] = ""
		}
	}
	root := datatest.Tree(t, files)
	config := dataset.SplitConfig{Kind: dataset.KindFolder, Path: root, Train: 0.5, Val: 0.2, Seed: 3}
	s, path := drawn(t, config)
	if s.Classes != 3 || s.Train != 12 || s.Val != 5 || s.Test != 8 || s.Ignored != 2 {
		t.Errorf("drawn is %+v", s)
	}
	got := mustOpen(t, dataset.Config{Path: root, Split: path})
	if diff := cmp.Diff([]string{"Ape=Ape", "big_dog=big dog", "cat=cat"}, got.Classes); diff != "" {
		t.Error(diff)
	}
	all := slices.Concat(got.Unlabeled, got.Validation, got.Test)
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != 25 {
		t.Errorf("%d pictures in all, not 25: %v", n, all)
	}
	for split, want := range map[string]struct {
		pictures []string
		counts   map[string]int
	}{
		"train": {got.Unlabeled, map[string]int{"Ape": 2, "big dog": 5, "cat": 5}},
		"val":   {got.Validation, map[string]int{"Ape": 1, "big dog": 2, "cat": 2}},
		"test":  {got.Test, map[string]int{"Ape": 2, "big dog": 3, "cat": 3}},
	} {
		counts := map[string]int{}
		for _, p := range want.pictures {
			_, label, _ := strings.Cut(p, "=")
			counts[label]++
		}
		if diff := cmp.Diff(want.counts, counts); diff != "" {
			t.Errorf("%s: %s", split, diff)
		}
	}
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, path = drawn(t, config)
	if again, err := os.ReadFile(path); err != nil || string(again) != string(first) {
		t.Errorf("the same seed gives another split (%v)", err)
	}
	config.Seed++
	_, path = drawn(t, config)
	if other, err := os.ReadFile(path); err != nil || string(other) == string(first) {
		t.Errorf("another seed gives the same split (%v)", err)
	}
}

// Of the eleven, the trees that show classes: by CoOp's names, without what is none.
func TestMakeSplitOfLayouts(t *testing.T) {
	for _, test := range []struct {
		kind, folder string
		classes      map[string]string // a picture's path, %d in it, and the class's name in the end
		other        string            // a picture of no class
	}{
		{"caltech101", "caltech-101/101_ObjectCategories", map[string]string{"Faces/%d.jpg": "face", "crab/%d.jpg": "crab"}, "BACKGROUND_Google/1.jpg"},
		{"eurosat", "eurosat/2750", map[string]string{"SeaLake/SeaLake_%d.jpg": "Sea or Lake", "River/River_%d.jpg": "River"}, ""},
		{"oxford_pets", "oxford_pets/images", map[string]string{"Abyssinian_%d.jpg": "abyssinian", "great_pyrenees_%d.jpg": "great pyrenees"}, ""},
		{"sun397", "sun397/SUN397", map[string]string{"a/abbey/%d.jpg": "abbey", "a/apartment_building/outdoor/%d.jpg": "outdoor apartment building"}, ""},
		{"dtd", "dtd/images", map[string]string{"banded/%d.jpg": "banded", "dotted/%d.jpg": "dotted"}, ""},
		{"food101", "food-101/images", map[string]string{"apple_pie/%d.jpg": "apple pie", "ramen/%d.jpg": "ramen"}, ""},
		{"ucf101", "ucf101/UCF-101-midframes", map[string]string{"Apply_Eye_Makeup/v_%d.jpg": "Apply Eye Makeup", "Yo_Yo/v_%d.jpg": "Yo Yo"}, ""},
	} {
		t.Run(test.kind, func(t *testing.T) {
			files := map[string]string{}
			for path := range test.classes {
				for i := range 6 {
					files[test.folder+"/"+fmt.Sprintf(path, i)] = ""
				}
			}
			if test.other != "" {
				files[test.folder+"/"+test.other] = ""
			}
			root := datatest.Tree(t, files)
			s, path := drawn(t, dataset.SplitConfig{Kind: test.kind, Path: root, Train: 0.5, Val: 0.2, Seed: 1})
			if s.Train != 6 || s.Val != 2 || s.Test != 4 {
				t.Errorf("drawn is %+v", s)
			}
			got := mustOpen(t, dataset.Config{Kind: test.kind, Path: root, Split: path})
			for _, p := range slices.Concat(got.Unlabeled, got.Validation, got.Test) {
				id, label, _ := strings.Cut(p, "=")
				ok := false
				for pattern, name := range test.classes {
					prefix, _, _ := strings.Cut(pattern, "%d")
					ok = ok || name == label && strings.Contains(id, prefix)
				}
				if !ok {
					t.Errorf("%s has the label %s", id, label)
				}
			}
			if len(got.Notes) != 0 { // that it is not the official split is plain
				t.Errorf("notes %v", got.Notes)
			}
		})
	}
}

func TestMakeSplitRefuses(t *testing.T) {
	root := datatest.Tree(t, map[string]string{
		"data/cat/1.png": "", "data/cat/2.png": "", "data/dog/1.png": "", "data/dog/2.png": "", "data/dog/3.png": "",
		"loose/1.png": "", "loose/cat/1.png": "", "pets/images/bad.jpg": "", "alike/a_b/1.png": "", "alike/A b/1.png": "",
	})
	for _, test := range []struct {
		kind, path string
		train, val float64
		want       []string
	}{
		{"folder", "data", 0.5, 0.2, []string{"2 classes have too few pictures for one in every split: cat (2), dog (3)"}},
		{"folder", "data", 0.5, 0.5, []string{"the shares 0.5 and 0.5 leave no test pictures"}},
		{"folder", "data", 0, 0.5, []string{"the shares 0 and 0.5"}},
		{"folder", "loose", 0.5, 0.2, []string{"pictures without a class, by a folder for each class: 1.png"}},
		{"folder", "none", 0.5, 0.2, []string{"none: does not exist"}},
		{"folder", "alike", 0.5, 0, []string{`"A b" and "a_b" are the same class name`}},
		{"oxford_pets", "pets", 0.5, 0.2, []string{"pictures without a class, by a number behind the class in their names", "bad.jpg"}},
		{"stanford_cars", "data", 0.5, 0.2, []string{"labels are in MATLAB files alone; download split_zhou_StanfordCars.json from https://"}},
		{"imagenet", "data", 0.5, 0.2, []string{"no split can be made of imagenet"}},
		{"csv", "data", 0.5, 0.2, []string{"no split can be made of csv"}},
		{"cats", "data", 0.5, 0.2, []string{`"cats" is no kind of data set`}},
	} {
		_, err := dataset.MakeSplit(dataset.SplitConfig{Kind: test.kind, Path: filepath.Join(root, test.path), Train: test.train, Val: test.val})
		if err == nil {
			t.Errorf("%s %s: no error", test.kind, test.path)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s %s: want %q in\n%v", test.kind, test.path, want, err)
			}
		}
	}
}
