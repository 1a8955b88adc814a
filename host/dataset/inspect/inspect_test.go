package inspect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/host/dataset"
	"github.com/upl-host/upl-host/host/dataset/inspect"
	"github.com/upl-host/upl-host/host/dataset/internal/datatest"
)

// picture is a PNG of one colour.
func picture(t testing.TB, width, height int, c color.Color) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		img.Set(i%width, i/width, c)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func grey(level uint8) color.Color { return color.Gray{Y: level} }

func open(t testing.TB, c dataset.Config) (*dataset.Dataset, *dataset.Truth) {
	t.Helper()
	d, truth, err := dataset.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return d, truth
}

func TestShow(t *testing.T) {
	root := datatest.Tree(t, map[string]string{
		"train/big_cat/1.png": picture(t, 4, 2, grey(1)), "train/big_cat/2.png": picture(t, 6, 9, grey(2)), "train/dog/1.png": picture(t, 5, 5, grey(3)),
		"test/big_cat/1.png": picture(t, 1, 7, grey(4)), "test/big_cat/bad.jpg": "no picture", "train/dog/notes.txt": "",
	})
	d, truth := open(t, dataset.Config{Path: root, Unlabeled: "train", Test: "test"})
	progress := atomic.Int64{}
	got, err := inspect.Show(t.Context(), d, truth, inspect.ShowOptions{
		Templates: []string{"a photo of a {}.", "{}"}, Workers: 3, Progress: func(int) { progress.Add(1) },
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &inspect.Overview{
		Root: d.Root, Pictures: 5,
		Splits: []inspect.Split{
			{Name: "unlabeled", Pictures: 3, Labelled: 3, Smallest: &inspect.Extreme{Class: "dog", Pictures: 1}, Largest: &inspect.Extreme{Class: "big cat", Pictures: 2}},
			{Name: "test", Pictures: 2, Labelled: 2, Smallest: &inspect.Extreme{Class: "dog"}, Largest: &inspect.Extreme{Class: "big cat", Pictures: 2}, Empty: 1},
		},
		Classes: []inspect.Class{{Folder: "big_cat", Name: "big cat", Spoken: "big cat", Counts: []int{2, 2}}, {Folder: "dog", Name: "dog", Spoken: "dog", Counts: []int{1, 0}}},
		Formats: []inspect.Format{{Name: "PNG", Pictures: 4}},
		Sizes: &inspect.Sizes{
			Shorter: inspect.Range{Min: 1, Median: 5, Max: 6}, Longer: inspect.Range{Min: 4, Median: 7, Max: 9},
			Smallest: inspect.Sized{Picture: "test/big_cat/1.png", Width: 1, Height: 7}, Largest: inspect.Sized{Picture: "train/big_cat/2.png", Width: 6, Height: 9},
		},
		Sampled: 5, Unreadable: []string{"test/big_cat/bad.jpg"}, Templates: []string{"a photo of a {}.", "{}"},
		Prompts: []string{"a photo of a big cat.", "big cat", "a photo of a dog.", "dog"},
		Notes:   d.Notes,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if progress.Load() != 5 {
		t.Errorf("progress came %d times", progress.Load())
	}
	own, err := inspect.Show(t.Context(), d, truth, inspect.ShowOptions{ClassPrompts: [][]string{{"a cat.", "a big cat."}, {"a dog."}}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a cat.", "a big cat.", "a dog."}, own.Prompts); diff != "" {
		t.Error(diff)
	}
	some, err := inspect.Show(t.Context(), d, truth, inspect.ShowOptions{Sample: 2})
	if err != nil {
		t.Fatal(err)
	}
	if some.Sampled != 2 || !strings.Contains(strings.Join(some.Notes, "\n"), "those of 2 of 5 pictures") {
		t.Errorf("%d headers read, notes %q", some.Sampled, some.Notes)
	}
}

// A header behind much else is found all the same.
func TestHeaderFarBehind(t *testing.T) {
	jpeg, err := os.ReadFile("../../../graphs/preprocess/testdata/pictures/jpeg-17x33.jpg")
	if err != nil {
		t.Fatal(err)
	}
	comment := "\xff\xfe\xf0\x00" + strings.Repeat("x", 0xf000-2)
	root := datatest.Tree(t, map[string]string{"a/1.jpg": string(jpeg[:2]) + comment + string(jpeg[2:]), "b/1.jpg": string(jpeg)})
	d, truth := open(t, dataset.Config{Path: root})
	got, err := inspect.Show(t.Context(), d, truth, inspect.ShowOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Unreadable) > 0 || got.Sizes == nil || got.Sizes.Largest.Width != 17 || got.Splits[0].Name != "unlabeled and test" {
		t.Errorf("%+v", got)
	}
}

// check returns the findings as lines.
func check(t *testing.T, c dataset.Config, options inspect.CheckOptions) []string {
	t.Helper()
	d, truth := open(t, c)
	r, err := inspect.Check(t.Context(), d, truth, options)
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for _, f := range r.Findings {
		lines = append(lines, strings.ReplaceAll(fmt.Sprintf("%s [%s]", f, f.Kind), d.Root, "ROOT"))
	}
	return lines
}

func TestCheckFindsNothing(t *testing.T) {
	root := datatest.Tree(t, map[string]string{"cat/1.png": picture(t, 2, 2, grey(1)), "dog/1.png": picture(t, 2, 2, grey(2))})
	if got := check(t, dataset.Config{Path: root}, inspect.CheckOptions{}); len(got) > 0 {
		t.Errorf("found %q", got)
	}
}

func TestCheckSplits(t *testing.T) {
	a, b, c := picture(t, 2, 2, grey(1)), picture(t, 2, 2, grey(2)), picture(t, 2, 2, grey(3))
	root := datatest.Tree(t, map[string]string{
		"train/cat/1.png": a, "train/cat/2.png": a, "train/dog/1.png": b, "train/dog/2.png": picture(t, 2, 2, grey(9)),
		"test/dog/1.png": c, "test/dog/2.png": b, "test/cow/1.png": b, "test/cow/2.png": picture(t, 3, 3, grey(3)),
	})
	want := []string{
		`error: test/cow/1.png: is in test, and the same picture in unlabeled, as train/dog/1.png (and 1 more): remove it from one of the splits: what is measured must be new to the model [leak]`,
		`warning: test/cow/1.png: is labelled "cow", and the same picture "dog", as test/dog/2.png: correct the label that is wrong [labels]`,
		`warning: train/cat/1.png: is the same picture as train/cat/2.png: remove all but one: each counts as a picture of its own [duplicate]`,
		`warning: class "cow": has no labelled picture in unlabeled: add pictures, or take it off the classes [empty-class]`,
		`warning: class "cat": has no labelled picture in test: add pictures, or take it off the classes [empty-class]`,
	}
	if diff := cmp.Diff(want, check(t, dataset.Config{Path: root, Unlabeled: "train", Test: "test"}, inspect.CheckOptions{})); diff != "" {
		t.Error(diff)
	}
	// Without splits the same pictures are no leak.
	for _, line := range check(t, dataset.Config{Path: filepath.Join(root, "test")}, inspect.CheckOptions{}) {
		if strings.HasPrefix(line, "error") {
			t.Error(line)
		}
	}
}

// Of a picture in all splits it is said that it is tested.
func TestCheckNamesTheWorstLeak(t *testing.T) {
	a := picture(t, 2, 2, grey(1))
	root := datatest.Tree(t, map[string]string{
		"train/a/1.png": a, "val/a/1.png": a, "test/a/1.png": a,
		"train/b/1.png": picture(t, 2, 2, grey(2)), "val/b/1.png": picture(t, 2, 2, grey(3)), "test/b/1.png": picture(t, 2, 2, grey(4)),
	})
	got := check(t, dataset.Config{Path: root, Unlabeled: "train", Validation: "val", Test: "test"}, inspect.CheckOptions{})
	want := "error: test/a/1.png: is in test, and the same picture in validation, as val/a/1.png (and 1 more)"
	if len(got) != 1 || !strings.HasPrefix(got[0], want) {
		t.Errorf("found %q", got)
	}
}

func TestCheckPictures(t *testing.T) {
	whole := picture(t, 40, 40, grey(7))
	root := datatest.Tree(t, map[string]string{
		"cat/cut.png": whole[:len(whole)-20], "cat/empty.png": "", "cat/text.jpg": "a cat, which is no picture", "cat/film.gif": "\x00\x00\x00\x1cftypavif\x00\x00\x00\x00",
		"cat/large.png": picture(t, 50, 50, grey(1)), "dog/1.png": whole, "dog/README": "",
	})
	c := dataset.Config{Path: root}
	got := check(t, c, inspect.CheckOptions{Limits: preprocess.Limits{Pixels: 2000}})
	want := []string{
		"warning: cat/cut.png: decoding PNG: corrupt picture: png: invalid format: unexpected EOF: fetch it again, or remove it; run leaves it out (dataset.corrupt: skip) [corrupt]",
		"warning: cat/empty.png: not a picture of a known format: the file is empty: fetch it again, or remove it; run leaves it out (dataset.corrupt: skip) [corrupt]",
		"warning: cat/film.gif: unsupported kind of picture: AVIF, HEIC or a film: convert it to PNG or JPEG, or remove it; run leaves it out (dataset.corrupt: skip) [corrupt]",
		"warning: cat/large.png: decoding PNG: picture too large: 50 x 50 pixels, limit 2000: make it smaller, or raise dataset.max_pixels; run leaves it out (dataset.corrupt: skip) [too-large]",
		"warning: cat/text.jpg: not a picture of a known format: fetch it again, or remove it; run leaves it out (dataset.corrupt: skip) [corrupt]",
		"note: ROOT: files that are ignored, as their names are not those of pictures: 1 without an ending [ignored-file]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, line := range check(t, c, inspect.CheckOptions{CorruptFails: true})[:4] {
		if !strings.HasPrefix(line, "error: cat/") {
			t.Errorf("where a run fails: %s", line)
		}
	}
	if os.Geteuid() != 0 { // whom no mode stops
		if err := os.Chmod(filepath.Join(root, "dog/1.png"), 0); err != nil {
			t.Fatal(err)
		}
		got = check(t, c, inspect.CheckOptions{})
		if !strings.Contains(strings.Join(got, "\n"), "dog/1.png: cannot be read: permission denied: make it readable") {
			t.Errorf("found %q", got)
		}
	}
}

func TestCheckUndecodableSplit(t *testing.T) {
	root := datatest.Tree(t, map[string]string{"train/cat/1.png": picture(t, 2, 2, grey(1)), "train/dog/1.png": picture(t, 2, 2, grey(2)), "test/cat/1.png": "x", "test/dog/1.png": "y"})
	got := check(t, dataset.Config{Path: root, Unlabeled: "train", Test: "test"}, inspect.CheckOptions{})
	if got[0] != "error: test: none of its 2 pictures can be decoded: mend or replace them [split]" {
		t.Errorf("found %q", got)
	}
}

func TestCheckTables(t *testing.T) {
	root := datatest.Tree(t, map[string]string{
		"a.png": picture(t, 2, 2, grey(1)), "b.png": picture(t, 2, 2, grey(2)), "c.png": picture(t, 2, 2, grey(3)),
		"train.csv": "path,label\na.png,n02123159\ngone.png,dog\n", "test.csv": "path,label\na.png,n02123159\nb.png,dog\nc.png,\n", "none.csv": "path\nb.png\n",
		"classes.txt": "n02123159\ndog\n42\n",
	})
	c := dataset.Config{Kind: dataset.KindCSV, Path: root, Unlabeled: "train.csv", Test: "test.csv", Classes: filepath.Join(root, "classes.txt"), SkipMissing: true}
	long := inspect.Model{Name: "vit", Fits: func(class int) error {
		if class == 1 {
			return errors.New("has 99 tokens")
		}
		return nil
	}}
	want := []string{
		`error: gone.png: is listed, and not there: fetch it, take it off the list, or set dataset.missing to skip [missing]`,
		`error: class "dog": has 99 tokens: shorten the name, in a file that dataset.classes names [class-name]`,
		`warning: class "n02123159": is a code, not a name (and one other class, 42), and prompts say it as it is: give names in a file that dataset.classes names: a folder, a tab and its name a line [class-name]`,
		`warning: class "dog": has no labelled picture in unlabeled (and one other class, 42): add pictures, or take it off the classes [empty-class]`,
		`warning: class "42": has no labelled picture in test: add pictures, or take it off the classes [empty-class]`,
		`warning: c.png: is in test without a label: label it, or take it out: it is classified, and not evaluated [unlabelled]`,
		`warning: a.png: is in unlabeled and in test: take it out of one of them, unless that is what is meant [split]`,
	}
	if diff := cmp.Diff(want, check(t, c, inspect.CheckOptions{MissingFails: true, Models: []inspect.Model{long}})); diff != "" {
		t.Error(diff)
	}
	c.Test = "none.csv"
	got := strings.Join(check(t, c, inspect.CheckOptions{}), "\n")
	for _, want := range []string{"note: gone.png: is listed, and not there: run leaves it out", "note: test: none of its 1 pictures has a label: run shows no accuracy"} {
		if !strings.Contains(got, want) {
			t.Errorf("found %s\nwant %s", got, want)
		}
	}
}

func TestUnopened(t *testing.T) {
	_, _, err := dataset.Open(dataset.Config{Path: datatest.Tree(t, map[string]string{"big_cat/1.png": "", "Big Cat/1.png": ""})})
	r, ok := inspect.Unopened(err)
	if !ok || len(r.Findings) != 1 || r.Count(inspect.Wrong) != 1 || !strings.Contains(r.Findings[0].String(), "big_cat") {
		t.Errorf("%v: %v", err, r)
	}
	if _, ok := inspect.Unopened(errors.New("a full disk")); ok {
		t.Error("any error is the data set's")
	}
}

func TestCheckIsInterrupted(t *testing.T) {
	files := map[string]string{}
	for i := range 50 {
		files[fmt.Sprintf("%c/%d.png", 'a'+i%2, i)] = "x"
	}
	d, truth := open(t, dataset.Config{Path: datatest.Tree(t, files)})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := inspect.Check(ctx, d, truth, inspect.CheckOptions{Workers: 1, Progress: func(done int) {
		if done == 3 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

func TestSheet(t *testing.T) {
	files := map[string]string{"dog/bad.png": "no picture", "dog/1.png": picture(t, 30, 10, grey(30))}
	for i := range 20 {
		files[fmt.Sprintf("cat <b>/%02d.png", i)] = picture(t, 300, 200, grey(uint8(10*i)))
	}
	d, truth := open(t, dataset.Config{Path: datatest.Tree(t, files)})
	for _, name := range []string{"sheet.html", "sheet.png"} {
		file := filepath.Join(t.TempDir(), name)
		failed, err := inspect.WriteSheet(t.Context(), d, truth, preprocess.Limits{}, file)
		if err != nil || failed != 1 {
			t.Fatalf("%s: %d failed, %v", name, failed, err)
		}
		first, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := inspect.WriteSheet(t.Context(), d, truth, preprocess.Limits{}, file); err != nil {
			t.Fatal(err)
		}
		if again, _ := os.ReadFile(file); !bytes.Equal(first, again) {
			t.Errorf("%s is another the second time", name)
		}
		checkSheet(t, name, first)
	}
	if _, err := inspect.WriteSheet(t.Context(), d, truth, preprocess.Limits{}, filepath.Join(t.TempDir(), "sheet.pdf")); err == nil {
		t.Error("a sheet in PDF was written")
	}
}

func checkSheet(t *testing.T, name string, data []byte) {
	if strings.HasSuffix(name, ".png") {
		img, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		// Two lines, two classes of a line and a row each.
		if size := img.Bounds().Size(); size.X != 8+8*168 || size.Y != 8+2*24+2*(24+168) {
			t.Errorf("the PNG has %v pixels", size)
		}
		shades := map[uint32]bool{} // of the eight pictures of the first class
		for i := range 8 {
			r, _, _, _ := img.At(8+i*168+80, 8+3*24+80).RGBA()
			shades[r>>8] = true
		}
		if len(shades) != 8 {
			t.Errorf("the first row shows %d different pictures: %v", len(shades), shades)
		}
		return
	}
	page := string(data)
	for _, want := range []string{"cat &lt;b&gt; <small>20 pictures</small>", "dog <small>2 pictures</small>", `title="cat &lt;b&gt;/17.png"`, "1 picture of 10 could not be shown", "dog/bad.png, dog, cannot be shown"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if n := strings.Count(page, `<img src="data:image/jpeg;base64,`); n != 9 {
		t.Errorf("the page has %d pictures, want 9", n)
	}
	if strings.Contains(page, "http://") || strings.Contains(page, "https://") {
		t.Error("the page needs a network")
	}
}
