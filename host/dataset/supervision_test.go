package dataset_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/host/dataset"
	"github.com/upl-host/upl-host/host/dataset/internal/datatest"
)

// labelled is a data set of ten cats, five dogs and one cow for training, two of
// each for validation, and three test pictures; 3.png of the cats has no label.
func labelled(t *testing.T) (*dataset.Dataset, *dataset.Truth) {
	t.Helper()
	files := map[string]string{"classes.txt": "cat\ncow\ndog\n"}
	tables := map[string]*strings.Builder{}
	for name, counts := range map[string]map[string]int{
		"train": {"cat": 10, "dog": 5, "cow": 1}, "val": {"cat": 2, "dog": 2, "cow": 2}, "test": {"cat": 1, "dog": 1, "cow": 1},
	} {
		tables[name] = &strings.Builder{}
		tables[name].WriteString("path,label\n")
		for class, n := range counts {
			for i := range n {
				path := fmt.Sprintf("%s/%s/%d.png", name, class, i)
				files[path] = ""
				label := class
				if name == "train" && class == "cat" && i == 3 {
					label = ""
				}
				fmt.Fprintf(tables[name], "%s,%s\n", path, label)
			}
		}
		files[name+".csv"] = tables[name].String()
	}
	root := datatest.Tree(t, files)
	data, truth, err := dataset.Open(dataset.Config{
		Kind: dataset.KindCSV, Path: root, Classes: root + "/classes.txt", Unlabeled: "train.csv", Validation: "val.csv", Test: "test.csv",
	})
	if err != nil {
		t.Fatal(err)
	}
	return data, truth
}

func TestSupervisionKnowsNoTestLabel(t *testing.T) {
	data, truth := labelled(t)
	s, err := truth.Supervision(data)
	if err != nil {
		t.Fatal(err)
	}
	for i, picture := range data.Pictures {
		want := truth.Label(i)
		if slices.Contains(data.Test, i) {
			want = -1
		}
		if got := s.Label(i); got != want {
			t.Errorf("%s has the label %d, want %d", picture.ID, got, want)
		}
	}
	if s.Label(-1) != -1 || s.Label(len(data.Pictures)) != -1 {
		t.Error("a picture that there is not has a label")
	}
}

// Nothing that a Supervision holds leads to the whole truth.
func TestSupervisionHoldsNoTruth(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var visit func(reflect.Type)
	visit = func(of reflect.Type) {
		if seen[of] {
			return
		}
		seen[of] = true
		if of == reflect.TypeFor[dataset.Truth]() || of == reflect.TypeFor[dataset.Dataset]() {
			t.Errorf("a Supervision leads to a %v", of)
		}
		switch of.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			visit(of.Elem())
		case reflect.Struct:
			for i := range of.NumField() {
				visit(of.Field(i).Type)
			}
		}
	}
	visit(reflect.TypeFor[dataset.Supervision]())
}

func TestShots(t *testing.T) {
	data, truth := labelled(t)
	s, err := truth.Supervision(data)
	if err != nil {
		t.Fatal(err)
	}
	counts := func(shots []int) map[int]int {
		n := map[int]int{}
		for _, i := range shots {
			n[truth.Label(i)]++
		}
		return n
	}
	before := []int{}
	for k, want := range []map[int]int{{0: 9, 1: 1, 2: 5}, {0: 1, 1: 1, 2: 1}, {0: 2, 1: 1, 2: 2}, {0: 3, 1: 1, 2: 3}} {
		shots, err := s.Shots(data, k, 7)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, counts(shots)); diff != "" || !slices.IsSorted(shots) {
			t.Errorf("%d shots are %v\n%s", k, shots, diff)
		}
		for _, i := range shots {
			if !slices.Contains(data.Unlabeled, i) {
				t.Errorf("shot %s is no training picture", data.Pictures[i].ID)
			}
		}
		for _, i := range before {
			if k > 1 && !slices.Contains(shots, i) {
				t.Errorf("a shot of %d is none of %d", k-1, k)
			}
		}
		before = shots
	}
	if validation, err := s.ShotsOf(data, dataset.SplitValidation, data.Validation, 4, 7); err != nil || len(validation) != 6 {
		t.Errorf("of the validation split: %v, %v", validation, err)
	}
	if _, err := s.Shots(data, -1, 7); err == nil {
		t.Error("-1 shots are drawn")
	}
	if _, err := s.ShotsOf(data, "test", data.Test, 1, 7); err == nil {
		t.Error("test pictures are drawn")
	}
}

// Seeds draw others; what other pictures there are changes no picture's turn.
func TestShotsAreOfTheSeed(t *testing.T) {
	data, truth := labelled(t)
	s, err := truth.Supervision(data)
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[string]bool{}
	for seed := range uint64(20) {
		shots, err := s.Shots(data, 1, seed)
		if err != nil {
			t.Fatal(err)
		}
		drawn[fmt.Sprint(shots)] = true
		var others []int // without one that was not drawn
		for _, i := range data.Unlabeled {
			if slices.Contains(shots, i) || i != data.Unlabeled[0] {
				others = append(others, i)
			}
		}
		again, err := s.ShotsOf(data, dataset.SplitTraining, others, 1, seed)
		if err != nil || !slices.Equal(again, shots) {
			t.Errorf("seed %d draws %v of all pictures and %v of most (%v)", seed, shots, again, err)
		}
	}
	if len(drawn) < 10 {
		t.Errorf("20 seeds draw but %d different shots", len(drawn))
	}
}

func TestSupervisionRefusesTestPictures(t *testing.T) {
	root := datatest.Tree(t, map[string]string{
		"cat/1.png": "", "cat/2.png": "", "dog/1.png": "",
		"some.csv": "path\ncat/1.png\n", "rest.csv": "path,label\ncat/2.png,cat\ndog/1.png,dog\n",
	})
	data, truth, err := dataset.Open(dataset.Config{Path: root})
	if err != nil {
		t.Fatal(err)
	}
	var wrong *dataset.Error
	if _, err := truth.Supervision(data); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "dataset.unlabeled: 3 of its pictures are test pictures too (cat/1.png, cat/2.png, dog/1.png)") {
		t.Errorf("the same pictures for both: %v", err)
	}
	data, truth, err = dataset.Open(dataset.Config{Path: root, Unlabeled: "some.csv", Test: "rest.csv", Validation: "rest.csv"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := truth.Supervision(data); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "dataset.validation: 2 of its pictures") {
		t.Errorf("validation pictures for testing: %v", err)
	}
	root = datatest.Tree(t, map[string]string{"1.png": "", "2.png": "", "train.csv": "path\n1.png\n", "test.csv": "path,label\n2.png,cat\n", "classes": "cat\ndog\n"})
	data, truth, err = dataset.Open(dataset.Config{Kind: dataset.KindCSV, Path: root, Unlabeled: "train.csv", Test: "test.csv", Classes: root + "/classes"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := truth.Supervision(data); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "dataset.unlabeled: none of its pictures has a label") {
		t.Errorf("labels of test pictures alone: %v", err)
	}
}
