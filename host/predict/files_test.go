package predict_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/predict"
)

func TestFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"a/1.png", "a/b/2.JPG", "a/b/notes.txt", "a/.3.png", "c [x].png", "d/4.webp"} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"link": "a", "a/to-d": "../d", "a/b/back": "..", "a/gone.png": "nowhere"} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		arguments []string
		stdin     string
		want      []string
	}{
		{[]string{"a"}, "", []string{"a/1.png", "a/b/2.JPG", "a/gone.png", "a/to-d/4.webp"}},
		{[]string{"link/b"}, "", []string{"link/b/2.JPG", "link/b/back/1.png", "link/b/back/gone.png", "link/b/back/to-d/4.webp"}},
		{[]string{"c [x].png"}, "", []string{"c [x].png"}}, // a file before a pattern
		{[]string{"a/b/notes.txt"}, "", []string{"a/b/notes.txt"}},
		{[]string{"?/*.png", "d"}, "", []string{"a/1.png", "a/gone.png", "d/4.webp"}},
		{[]string{"-", "d"}, "x.png\r\n\n  \ny y.png", []string{"x.png", "y y.png", "d/4.webp"}},
	} {
		got, err := predict.Files(test.arguments, strings.NewReader(test.stdin))
		if err != nil {
			t.Errorf("%q: %v", test.arguments, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q:\n%s", test.arguments, diff)
		}
	}
	for _, arguments := range [][]string{{"nowhere.png"}, {"*.gif"}, {"[x"}, {"-"}} {
		var usage *host.UsageError
		if _, err := predict.Files(arguments, strings.NewReader("\n")); !errors.As(err, &usage) {
			t.Errorf("%q gives %v", arguments, err)
		}
	}
}

// A pipe that is called like a picture is none: reading it would not end.
func TestFilesWithoutPipes(t *testing.T) {
	folder := t.TempDir()
	picture := filepath.Join(folder, "a.png")
	if err := errors.Join(os.WriteFile(picture, nil, 0o600), syscall.Mkfifo(filepath.Join(folder, "b.png"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if files, err := predict.Files([]string{folder}, nil); err != nil || len(files) != 1 || files[0] != picture {
		t.Errorf("found %q: %v", files, err)
	}
}
