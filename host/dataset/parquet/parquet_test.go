package parquet_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	library "github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"github.com/upl-host/upl-host/host/dataset/container"
	"github.com/upl-host/upl-host/host/dataset/internal/datatest"
	"github.com/upl-host/upl-host/host/dataset/parquet"
)

type image struct {
	Bytes []byte `parquet:"bytes,optional"`
	Path  string `parquet:"path,optional"`
}

type row struct {
	Image *image `parquet:"image,optional"`
	Label *int64 `parquet:"label,optional"`
}

func number(n int64) *int64 { return &n }

func picture(text string) *image { return &image{Bytes: []byte(text), Path: "somewhere.jpg"} }

// metadata are what datasets writes of two columns.
func metadata(names ...string) library.WriterOption {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	return library.KeyValueMetadata("huggingface", fmt.Sprintf(
		`{"info": {"features": {"image": {"_type": "Image"}, "label": {"names": [%s], "_type": "ClassLabel"}, "boxes": [{"_type": "Value"}]}}}`, strings.Join(quoted, ", ")))
}

// write makes a Parquet file.
func write[T any](t testing.TB, rows []T, options ...library.WriterOption) string {
	t.Helper()
	var out bytes.Buffer
	w := library.NewGenericWriter[T](&out, options...)
	for i := range rows { // one by one: a page ends where it is full between two calls
		if _, err := w.Write(rows[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestOpen(t *testing.T) {
	names := metadata("tabby cat", "dog")
	train := []row{{picture("one"), number(0)}, {picture("two"), number(1)}}
	root := datatest.Tree(t, map[string]string{
		"data/train-00000-of-00002.parquet":                   write(t, train, names),
		"data/train-00001-of-00002.parquet":                   write(t, []row{{picture("three"), number(1)}}, names),
		"data/validation-00000-of-00001-0123456789ab.parquet": write(t, []row{{picture("four"), number(0)}}, names),
		"data/test-00000-of-00001.parquet":                    write(t, []row{{picture("five"), number(-1)}, {picture(""), nil}}, names),
		".cache/x.parquet":                                    "nothing",
		"README.md":                                           "nothing",
	})
	set, err := parquet.Open(root, parquet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"data/test-00000-of-00001.parquet/0 split=test class=-1 : five",
		"data/test-00000-of-00001.parquet/1 split=test class=-1 : ",
		"data/train-00000-of-00002.parquet/0 split=train class=0 tabby cat: one",
		"data/train-00000-of-00002.parquet/1 split=train class=1 dog: two",
		"data/train-00001-of-00002.parquet/0 split=train class=1 dog: three",
		"data/validation-00000-of-00001-0123456789ab.parquet/0 split=val class=0 tabby cat: four",
	}
	if diff := cmp.Diff(want, datatest.Described(t, set)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"tabby cat", "dog"}, set.Classes); diff != "" {
		t.Error(diff)
	}
	if set.Pictures[0].Content.Stamp() == set.Pictures[1].Content.Stamp() {
		t.Error("two rows have one stamp")
	}
}

func TestOneFile(t *testing.T) {
	type named struct {
		Image *image `parquet:"image,optional"`
		Label string `parquet:"label"`
	}
	root := datatest.Tree(t, map[string]string{"pictures.parquet": write(t, []named{{picture("one"), " dog "}, {picture("two"), ""}})})
	set, err := parquet.Open(filepath.Join(root, "pictures.parquet"), parquet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"pictures.parquet/0 split= class=-1 dog: one", "pictures.parquet/1 split= class=-1 : two"}, datatest.Described(t, set)); diff != "" {
		t.Error(diff)
	}
}

func TestOtherColumns(t *testing.T) {
	type cifar struct {
		Picture image `parquet:"img"`
		Fine    int32 `parquet:"fine_label"`
	}
	of := library.KeyValueMetadata("huggingface", `{"info": {"features": {"img": {"_type": "Image"}, "fine_label": {"names": ["a", "b"], "_type": "ClassLabel"}}}}`)
	set, err := parquet.Open(datatest.Tree(t, map[string]string{"default/train/0000.parquet": write(t, []cifar{{*picture("one"), 1}}, of)}), parquet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"default/train/0000.parquet/0 split=train class=1 b: one"}, datatest.Described(t, set)); diff != "" {
		t.Error(diff)
	}

	type plain struct {
		Image []byte `parquet:"image"`
	}
	set, err = parquet.Open(datatest.Tree(t, map[string]string{"test.parquet": write(t, []plain{{[]byte("one")}})}), parquet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"test.parquet/0 split=test class=-1 : one"}, datatest.Described(t, set)); diff != "" {
		t.Error(diff)
	}
	if len(set.Notes) != 1 || !strings.Contains(set.Notes[0], "no column of labels") {
		t.Errorf("notes %q", set.Notes)
	}
}

// Files that datasets and pyarrow wrote (testdata/make.py): the metadata as they are,
// plain pages, and dictionaries packed with Snappy.
func TestWrittenByDatasets(t *testing.T) {
	set, err := parquet.Open("testdata/datasets", parquet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/pictures.txt")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, p := range set.Pictures {
		data, err := p.Content.Read()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&got, "%s %s %s %x\n", p.ID, p.Split, p.Label, data)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Error(diff)
	}
}

func TestFaults(t *testing.T) {
	type without struct {
		Text  string `parquet:"text"`
		Label int64  `parquet:"label"`
	}
	type many struct {
		Image []image `parquet:"image"`
	}
	type several struct {
		A image `parquet:"front"`
		B image `parquet:"back"`
	}
	type scored struct {
		Image image   `parquet:"image"`
		Label float64 `parquet:"label"`
	}
	good := write(t, []row{{picture("one"), number(0)}, {picture(strings.Repeat("two", 1000)), number(1)}}, metadata("cat", "dog"))
	flipped := []byte(good)
	flipped[len(flipped)-8-int(binary.LittleEndian.Uint32(flipped[len(flipped)-8:]))] ^= 0xff
	for name, c := range map[string]struct {
		files map[string]string
		want  []string // in the error, in this order
	}{
		"nothing": {map[string]string{"a.txt": ""}, []string{"no Parquet files: want data/train-00000-of-00001.parquet"}},
		"empty":   {map[string]string{"a.parquet": ""}, []string{"a.parquet: is empty"}},
		"LZ4": {
			map[string]string{"a.parquet": write(t, []row{{picture("one"), number(0)}}, metadata("cat", "dog"), library.Compression(&library.Lz4Raw))},
			[]string{"a.parquet: is compressed with LZ4, which is not read: write it again with Snappy"},
		},
		"truncated":         {map[string]string{"a.parquet": good[:len(good)-100]}, []string{"a.parquet: is truncated: a Parquet file ends with PAR1; fetch it again"}},
		"another format":    {map[string]string{"a.parquet": "path,label\n"}, []string{"is no Parquet file"}},
		"pointer":           {map[string]string{"a.parquet": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"}, []string{"is a pointer of Git LFS", "`git lfs pull`"}},
		"middle is missing": {map[string]string{"a.parquet": good[:50] + good[len(good)-900:]}, []string{"a.parquet: is "}},
		"footer too long":   {map[string]string{"a.parquet": good[:len(good)-8] + "\xff\xff\xff\x7fPAR1"}, []string{"a.parquet: is damaged: its footer is said to be longer than the file"}},
		"magic alone":       {map[string]string{"a.parquet": "PAR1"}, []string{"a.parquet: is damaged: its footer"}},
		"footer is damaged": {map[string]string{"a.parquet": string(flipped)}, []string{"a.parquet: is damaged", "fetch it again"}},
		"no pictures":       {map[string]string{"a.parquet": write(t, []without{{"x", 0}})}, []string{"has no pictures: want a column image", "its columns are text, label"}},
		"lists of pictures": {map[string]string{"a.parquet": write(t, []many{{[]image{*picture("x")}}})}, []string{"has a list of pictures in each row"}},
		"several columns":   {map[string]string{"a.parquet": write(t, []several{{*picture("x"), *picture("y")}})}, []string{"several columns of that kind, front, back: call the one that is meant image"}},
		"labels no numbers": {map[string]string{"a.parquet": write(t, []scored{{*picture("x"), 0.5}})}, []string{"column label holds values of type DOUBLE"}},
		"paths alone":       {map[string]string{"a.parquet": write(t, []row{{&image{Path: "a.jpg"}, number(0)}}, metadata("cat", "dog"))}, []string{"column image has no bytes, at most paths", "push_to_hub"}},
		"label too large":   {map[string]string{"a.parquet": write(t, []row{{picture("x"), number(0)}, {picture("y"), number(2)}}, metadata("cat", "dog"))}, []string{"a.parquet, row 1: label 2 is out of range: the file names 2 classes, 0 to 1"}},
		"label below -1":    {map[string]string{"a.parquet": write(t, []row{{picture("x"), number(-2)}}, metadata("cat", "dog"))}, []string{"row 0: label -2 is out of range"}},
		"nothing names":     {map[string]string{"a.parquet": write(t, []row{{picture("x"), number(2)}})}, []string{"row 0: the label is a number, and neither"}},
		"name empty":        {map[string]string{"a.parquet": write(t, []row{{picture("x"), number(0)}}, metadata("cat", " "))}, []string{"class 1 \" \": want a name"}},
		"metadata damaged":  {map[string]string{"a.parquet": write(t, []row{{picture("x"), number(0)}}, library.KeyValueMetadata("huggingface", "{"))}, []string{"metadata \"huggingface\" are damaged"}},
		"file is missing":   {map[string]string{"train-00001-of-00003.parquet": good}, []string{"2 of 3 files are missing: train-00000-of-00003.parquet, train-00002-of-00003.parquet; fetch them"}},
		"two of a number":   {map[string]string{"train-00000-of-00001-aa.parquet": good, "train-00000-of-00001-bb.parquet": good}, []string{"is the second file of number 0"}},
		"other names": {map[string]string{"test.parquet": write(t, []row{{picture("x"), number(0)}}, metadata("cat", "cow")), "train.parquet": good}, []string{
			"train.parquet: names other classes than test.parquet (class 1 is \"cow\" there, \"dog\" here)",
		}},
		"two data sets": {map[string]string{"a/train.parquet": good, "b/train.parquet": good}, []string{"split train in ", "a and in ", "b: name the folder"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parquet.Open(datatest.Tree(t, c.files), parquet.Options{})
			var faults *container.Error
			if !errors.As(err, &faults) {
				t.Fatalf("the error is %v", err)
			}
			rest := err.Error()
			for _, want := range c.want {
				_, after, ok := strings.Cut(rest, want)
				if !ok {
					t.Fatalf("the error is %q\nand has no %q where it is wanted", err, want)
				}
				rest = after
			}
		})
	}
	if _, err := parquet.Open(filepath.Join(t.TempDir(), "nowhere"), parquet.Options{}); err == nil || !strings.Contains(err.Error(), "nowhere: does not exist") {
		t.Errorf("a missing path is the error %v", err)
	}
}

func TestLabelsOfTheUsersList(t *testing.T) {
	root := datatest.Tree(t, map[string]string{"a.parquet": write(t, []row{{picture("x"), number(2)}})})
	if _, err := parquet.Open(root, parquet.Options{Classes: 2}); err == nil || !strings.Contains(err.Error(), "the list of classes names 2 classes, 0 to 1") {
		t.Errorf("the error is %v", err)
	}
	set, err := parquet.Open(root, parquet.Options{Classes: 3})
	if err != nil {
		t.Fatal(err)
	}
	if p := set.Pictures[0]; p.Class != 2 || p.Label != "" {
		t.Errorf("class %d, label %q", p.Class, p.Label)
	}
}

// A row without a picture, and damage in a page, are the picture's error, not the
// data set's: others can be read.
func TestDamagedRows(t *testing.T) {
	const rows = 40
	var all []row
	for i := range rows {
		all = append(all, row{picture(strings.Repeat(fmt.Sprint("picture", i), 300)), number(0)})
	}
	all[7].Image = nil
	whole := write(t, all, metadata("cat", "dog"), library.MaxRowsPerRowGroup(10), library.PageBufferSize(1000))
	damaged := []byte(whole)
	at := bytes.Index(damaged, []byte("picture25"))
	for i := range 6000 { // into the pages' heads behind it
		damaged[at+i] ^= 0x5a
	}
	set, err := parquet.Open(datatest.Tree(t, map[string]string{"a.parquet": string(damaged)}), parquet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := set.Pictures[7].Content.Read(); err == nil || !strings.Contains(err.Error(), "a.parquet, row 7: the column image has no bytes there") {
		t.Errorf("row 7 without a picture is the error %v", err)
	}
	if _, err := set.Pictures[27].Content.Read(); err == nil || !strings.Contains(err.Error(), "a.parquet, row 27: is damaged: ") {
		t.Errorf("row 27 behind the damage is the error %v", err)
	}
	for _, i := range []int{0, 9, 10, 24, 39} {
		if data, err := set.Pictures[i].Content.Read(); err != nil || !bytes.Equal(data, all[i].Image.Bytes) {
			t.Errorf("row %d: %d bytes, %v", i, len(data), err)
		}
	}
}

// Whatever the pages, and in whatever order rows are read, from however many
// goroutines: every row has its own bytes.
func TestReadsInAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var rows []row
		for i := range rapid.IntRange(1, 60).Draw(rt, "rows") {
			text := strings.Repeat(fmt.Sprint(i, " "), rapid.IntRange(0, 400).Draw(rt, "size"))
			r := row{picture(text), number(0)}
			if rapid.IntRange(0, 9).Draw(rt, "null") == 0 && i > 0 {
				r.Image = nil
			}
			rows = append(rows, r)
		}
		options := []library.WriterOption{
			metadata("cat", "dog"), library.PageBufferSize(rapid.SampledFrom([]int{64, 1000, 1 << 20}).Draw(rt, "page")),
			library.MaxRowsPerRowGroup(rapid.Int64Range(1, 70).Draw(rt, "group")),
			library.DataPageVersion(rapid.IntRange(1, 2).Draw(rt, "version")),
			library.Compression(&library.Snappy),
		}
		set, err := parquet.Open(datatest.Tree(t, map[string]string{"a.parquet": write(t, rows, options...)}), parquet.Options{})
		if err != nil {
			rt.Fatal(err)
		}
		order := rapid.SliceOfN(rapid.IntRange(0, len(rows)-1), 1, 40).Draw(rt, "order")
		errs := make([]error, len(order))
		var readers sync.WaitGroup
		for n, i := range order {
			readers.Go(func() {
				data, err := set.Pictures[i].Content.Read()
				switch {
				case rows[i].Image == nil && err == nil:
					errs[n] = fmt.Errorf("row %d has no picture, and was read", i)
				case rows[i].Image != nil && err != nil:
					errs[n] = err
				case rows[i].Image != nil && !bytes.Equal(data, rows[i].Image.Bytes):
					errs[n] = fmt.Errorf("row %d is %q, want %q", i, data, rows[i].Image.Bytes)
				}
			})
		}
		readers.Wait()
		if err := errors.Join(slices.DeleteFunc(errs, func(err error) bool { return err == nil })...); err != nil {
			rt.Fatal(err)
		}
	})
}

// Any byte may be wrong: that is an error or another picture, and never the end of
// the program.
func TestEveryByteMayBeWrong(t *testing.T) {
	good := write(t, []row{{picture("one"), number(0)}, {picture("two"), number(1)}}, metadata("cat", "dog"), library.Compression(&library.Snappy))
	root := datatest.Tree(t, map[string]string{"a.parquet": good})
	path, failed := filepath.Join(root, "a.parquet"), 0
	for i := range good {
		bad := []byte(good)
		bad[i] ^= 0x81
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		set, err := parquet.Open(path, parquet.Options{})
		if err == nil {
			for _, p := range set.Pictures {
				_, readErr := p.Content.Read()
				err = errors.Join(err, readErr)
			}
		}
		if err != nil {
			failed++
		}
	}
	if failed == 0 || failed == len(good) {
		t.Errorf("%d of %d damaged files are refused", failed, len(good))
	}
}
