package shards_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/host/dataset/container"
	"github.com/upl-host/upl-host/host/dataset/internal/datatest"
	"github.com/upl-host/upl-host/host/dataset/shards"
)

// pack makes a tar of names and contents, in turn.
func pack(t testing.TB, files ...string) string {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := 0; i < len(files); i += 2 {
		h := &tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1])), Typeflag: tar.TypeReg}
		if strings.HasSuffix(files[i], "/") {
			h.Typeflag = tar.TypeDir
		}
		if target, link := strings.CutPrefix(files[i+1], "->"); link {
			h.Typeflag, h.Linkname, h.Size, files[i+1] = tar.TypeSymlink, target, 0, ""
		}
		if err := w.WriteHeader(h); err != nil {
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

func TestOpen(t *testing.T) {
	long := strings.Repeat("very/long/", 20)
	root := datatest.Tree(t, map[string]string{
		"classnames.txt":                        "\ufefftabby cat\r\ndog\n\n",
		"zeroshot_classification_templates.txt": "a photo of a {c}.\n\na {} of {c}\n",
		"train/nshards.txt":                     "2\n",
		"train/0.tar":                           pack(t, "s0.cls", "0", "s0.jpg", "one", "s1.json", "{}", "s1.WEBP", "two", "s1.cls", " 1\n"),
		"train/1.tar":                           pack(t, "./", "", "./s0.png", strings.Repeat("x", 1000), "./s0.cls", "1", long+"s2.seg.jpg", "deep", long+"s2.cls", "0"),
		"test/0.tar":                            pack(t, "0.jpg", "", "0.cls", "0"),
		"test/README.txt":                       "nothing",
		".cache/0.tar":                          "nothing",
	})
	set, err := shards.Open(root, shards.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"test/0.tar/0.jpg split=test class=0 tabby cat: ",
		"train/0.tar/s0.jpg split=train class=0 tabby cat: one",
		"train/0.tar/s1.WEBP split=train class=1 dog: two",
		"train/1.tar/s0.png split=train class=1 dog: " + strings.Repeat("x", 1000),
		"train/1.tar/" + long + "s2.seg.jpg split=train class=0 tabby cat: deep",
	}
	if diff := cmp.Diff(want, datatest.Described(t, set)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"tabby cat", "dog"}, set.Classes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a photo of a {}.", "a {} of {}"}, set.Templates); diff != "" {
		t.Error(diff)
	}
	for _, p := range set.Pictures {
		if !filepath.IsAbs(p.File) {
			t.Errorf("container %s is not absolute", p.File)
		}
	}
}

func TestShardsAreInOrderOfTheirNumbers(t *testing.T) {
	files := map[string]string{"train/nshards.txt": "11"}
	for i := range 11 {
		files[fmt.Sprintf("train/%d.tar", i)] = pack(t, fmt.Sprintf("s%d.jpg", i), "x")
	}
	set, err := shards.Open(datatest.Tree(t, files), shards.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range set.Pictures {
		if want := fmt.Sprintf("train/%d.tar/s%d.jpg", i, i); p.ID != want {
			t.Errorf("picture %d is %s, want %s", i, p.ID, want)
		}
	}
	if len(set.Notes) != 1 || !strings.Contains(set.Notes[0], "none of the 11 pictures in") {
		t.Errorf("pictures without labels are noted as %q", set.Notes)
	}
}

func TestShardsWithoutSplits(t *testing.T) {
	set, err := shards.Open(datatest.Tree(t, map[string]string{"a.tar": pack(t, "s.jpg", "x", "s.cls", "1")}), shards.Options{Classes: 2})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a.tar/s.jpg split= class=1 : x"}, datatest.Described(t, set)); diff != "" {
		t.Error(diff)
	}
}

func TestFaults(t *testing.T) {
	good := pack(t, "a.jpg", strings.Repeat("x", 3000), "a.cls", "0", "b.jpg", "y", "b.cls", "1")
	second := int64(bytes.Index([]byte(good), []byte("b.jpg")))
	names := map[string]string{"classnames.txt": "cat\ndog\n"}
	for name, c := range map[string]struct {
		files map[string]string
		want  []string // in the error, in this order
	}{
		"nothing":          {map[string]string{}, []string{"no shards: want train/0.tar"}},
		"cut in a file":    {map[string]string{"train/0.tar": good[:1800]}, []string{"train/0.tar: is truncated, at or behind", "fetch it again"}},
		"cut in a header":  {map[string]string{"train/0.tar": good[:second+100]}, []string{"train/0.tar: is truncated, at or behind a.cls (2 files are whole)"}},
		"cut between":      {map[string]string{"train/0.tar": good[:second]}, []string{"train/0.tar: is truncated: the two empty blocks", "not there"}},
		"end cut off":      {map[string]string{"train/0.tar": good[:len(good)-1024]}, []string{"is truncated: the two empty blocks"}},
		"joined":           {map[string]string{"train/0.tar": good + good}, []string{"more behind its end", "--ignore-zeros"}},
		"empty file":       {map[string]string{"train/0.tar": ""}, []string{"train/0.tar: is empty"}},
		"no tar":           {map[string]string{"train/0.tar": strings.Repeat("<html>", 300)}, []string{"train/0.tar: is no tar"}},
		"gzip by name":     {map[string]string{"train/0.tar.gz": "\x1f\x8b"}, []string{"train/0.tar.gz: is compressed", "`gunzip ", "train/0.tar.gz`"}},
		"tgz":              {map[string]string{"train/0.tgz": "\x1f\x8b"}, []string{"`gunzip -c ", "0.tgz > ", "0.tar && rm "}},
		"gzip by content":  {map[string]string{"train/0.tar": "\x1f\x8b\x08\x00" + good}, []string{"is compressed with gzip", "`mv ", "0.tar.gz && gunzip ", "0.tar.gz`"}},
		"zstd by content":  {map[string]string{"train/0.tar": "\x28\xb5\x2f\xfd" + good}, []string{"is compressed with zstd", "unzstd --rm "}},
		"shards missing":   {map[string]string{"train/0.tar": good, "train/2.tar": good, "train/nshards.txt": "4"}, []string{"train: 2 of the 4 shards that nshards.txt counts are missing: 1.tar, 3.tar; fetch them"}},
		"no shard at all":  {map[string]string{"train/nshards.txt": "1"}, []string{"1 of the 1 shards", "0.tar"}},
		"names of others":  {map[string]string{"train/x-000.tar": good, "train/nshards.txt": "2"}, []string{"1 of the 2 shards that nshards.txt counts are missing; fetch"}},
		"too many shards":  {map[string]string{"train/0.tar": good, "train/1.tar": good, "train/nshards.txt": "1"}, []string{"nshards.txt: says 1 shards, and there are 2"}},
		"no count":         {map[string]string{"train/0.tar": good, "train/nshards.txt": "many"}, []string{"nshards.txt: holds \"many\""}},
		"beside folders":   {map[string]string{"train/0.tar": good, "0.tar": good}, []string{"has shards beside the folder train"}},
		"class too large":  {map[string]string{"train/0.tar": pack(t, "a.jpg", "x", "a.cls", "2")}, []string{"train/0.tar/a.cls: class 2 is out of range: classnames.txt has 2 classes, 0 to 1"}},
		"class below 0":    {map[string]string{"train/0.tar": pack(t, "a.jpg", "x", "a.cls", "-1")}, []string{"class -1 is out of range"}},
		"class is a name":  {map[string]string{"train/0.tar": pack(t, "a.jpg", "x", "a.cls", "cat")}, []string{"a.cls: holds \"cat\": want the class's number"}},
		"class is long":    {map[string]string{"train/0.tar": pack(t, "a.jpg", "x", "a.cls", strings.Repeat("1", 5000))}, []string{"a.cls: holds \"1111"}},
		"class is missing": {map[string]string{"train/0.tar": pack(t, "a.jpg", "x", "a.cls", "0", "b.jpg", "y")}, []string{"train: 1 of its 2 pictures have no .cls beside them: train/0.tar/b.jpg"}},
		"picture missing":  {map[string]string{"train/0.tar": pack(t, "a.jpg", "x", "a.cls", "0", "b.cls", "1")}, []string{"train/0.tar: 1 .cls have no picture beside them: b.cls"}},
		"captions alone":   {map[string]string{"train/0.tar": pack(t, "a.txt", "a cat")}, []string{"train: no pictures in its 1 shards"}},
		"key twice":        {map[string]string{"train/0.tar": pack(t, "a.jpg", "x", "a.png", "y", "a.cls", "0")}, []string{"key \"a\" has both a.jpg and a.png"}},
		"link":             {map[string]string{"train/0.tar": pack(t, "a.jpg", "->b.jpg")}, []string{"\"a.jpg\" is no regular file in the tar"}},
		"name of lines":    {map[string]string{"train/0.tar": pack(t, "a\nb.jpg", "x")}, []string{"the name \"a\\nb.jpg\" is not UTF-8 text of one line"}},
		"class name empty": {map[string]string{"classnames.txt": "cat\n\ndog", "train/0.tar": good}, []string{"classnames.txt:2: is empty, and would be the name of class 1"}},
		"no placeholder":   {map[string]string{"zeroshot_classification_templates.txt": "a {c}\na photo.", "train/0.tar": good}, []string{"templates.txt:2: \"a photo.\" has no place for the class name"}},
		"several at once":  {map[string]string{"train/0.tar": good[:second], "train/1.tar": ""}, []string{"train/0.tar: is truncated", "train/1.tar: is empty"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{}
			for _, of := range []map[string]string{names, c.files} {
				for name, content := range of {
					files[name] = content
				}
			}
			_, err := shards.Open(datatest.Tree(t, files), shards.Options{})
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
}

func TestLabelsWithoutNames(t *testing.T) {
	root := datatest.Tree(t, map[string]string{"train/0.tar": pack(t, "a.jpg", "x", "a.cls", "3")})
	for classes, want := range map[int]string{
		0: "a.cls: holds a class's number, and nothing names the classes: put classnames.txt beside the splits",
		3: "class 3 is out of range: the list of classes has 3 classes, 0 to 2",
		4: "",
	} {
		_, err := shards.Open(root, shards.Options{Classes: classes})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("with %d classes the error is %v, want %q", classes, err, want)
		}
	}
}

// Pictures of many shards are read at once, while others are read.
func TestConcurrentReads(t *testing.T) {
	files := map[string]string{}
	for i := range 4 {
		var members []string
		for k := range 50 {
			members = append(members, fmt.Sprintf("%03d.jpg", k), strings.Repeat(fmt.Sprintf("%d-%d ", i, k), k+1))
		}
		files[fmt.Sprintf("train/%d.tar", i)] = pack(t, members...)
	}
	set, err := shards.Open(datatest.Tree(t, files), shards.Options{})
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, len(set.Pictures))
	for n, p := range set.Pictures {
		go func() {
			data, err := p.Content.Read()
			if want := strings.Repeat(fmt.Sprintf("%d-%d ", n/50, n%50), n%50+1); err == nil && string(data) != want {
				err = fmt.Errorf("%s is %q, want %q", p.ID, data, want)
			}
			errs <- err
		}()
	}
	var all []error
	for range set.Pictures {
		all = append(all, <-errs)
	}
	if err := errors.Join(slices.DeleteFunc(all, func(err error) bool { return err == nil })...); err != nil {
		t.Error(err)
	}
}
