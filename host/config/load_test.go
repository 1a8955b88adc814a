package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/upl-host/upl-host/host/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden holds a text against testdata/NAME. The folder of the tests is
// written as DIR in it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	got = strings.ReplaceAll(got, folder, "DIR")
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), -update writes it:\n%s", path, diff)
	}
}

// home makes paths below the home folder the same on every machine.
func home(t testing.TB) {
	t.Setenv("HOME", "/home/researcher")
	t.Setenv("XDG_CACHE_HOME", "")
}

func load(t *testing.T, s config.Source) *config.Config {
	t.Helper()
	c, err := config.Load(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// files lists the files of a folder of testdata, golden ones left out.
func files(t testing.TB, folder string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join("testdata", folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range all {
		if !strings.HasSuffix(f, ".golden") {
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		t.Fatalf("no files in testdata/%s", folder)
	}
	return found
}

func TestGoodFiles(t *testing.T) {
	home(t)
	for _, file := range files(t, "good") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c := load(t, config.Source{File: file})
			golden(t, filepath.Join("good", filepath.Base(file)+".golden"), string(c.Effective("")))
		})
	}
}

func TestBadFiles(t *testing.T) {
	home(t)
	for _, file := range files(t, "bad") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			_, err := config.Load(config.Source{File: file})
			var faults *config.Error
			if !errors.As(err, &faults) {
				t.Fatalf("error %v, want a config.Error", err)
			}
			golden(t, filepath.Join("bad", filepath.Base(file)+".golden"), err.Error()+"\n")
		})
	}
}

// The three formats say the same.
func TestFormatsAgree(t *testing.T) {
	yaml := load(t, config.Source{File: "testdata/good/glyphs.yaml"})
	for _, file := range []string{"testdata/good/glyphs.toml", "testdata/good/glyphs.json"} {
		if diff := cmp.Diff(yaml, load(t, config.Source{File: file}), cmpopts.IgnoreUnexported(config.Config{})); diff != "" {
			t.Errorf("%s differs (-yaml +):\n%s", file, diff)
		}
	}
}
