package prompts_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/host/prompts"
)

func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadTemplates(t *testing.T) {
	got, err := prompts.ReadTemplates(file(t, "\ufeffa photo of a {}.\r\n\r\n  art of {c} \n[CLS]"))
	if diff := cmp.Diff([]string{"a photo of a {}.", "art of {c}", "[CLS]"}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for text, want := range map[string]string{
		"a {}\na photo":  `:2: "a photo" has no place for the class name: {}`,
		"\n\n":           "has no templates",
		"a {}\n\xff {}.": "is not UTF-8",
	} {
		if _, err := prompts.ReadTemplates(file(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := prompts.ReadTemplates(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestReadClassPrompts(t *testing.T) {
	got, err := prompts.ReadClassPrompts(file(t, `{"Sea_Lion": ["A sea lion swims.", " It barks. "], "cow": ["moo"], "missile": ["It flies."]}`), []string{"missile", "sea lion", "missile"})
	if diff := cmp.Diff([][]string{{"It flies."}, {"A sea lion swims.", "It barks."}, {"It flies."}}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for text, want := range map[string]string{
		`{"a": ["x"], "b": []}`:     "6 classes have no prompts: b, c, d, e, f and 1 more",
		`{"a": ["x"], "A ": ["y"]}`: "is in it twice",
		`{"a": [" "]}`:              `a prompt of class "a" is empty`,
		`{"a": "x"}`:                `want {"class name": ["a prompt.", …], …}`,
		`[`:                         "want {",
		"{\"a\": [\"\xff\"]}":       "is not UTF-8",
		`{"a":["x"],"b":["x"],"c":["x"],"d":["x"]}`: "3 classes have no prompts: e, f, g",
	} {
		if _, err := prompts.ReadClassPrompts(file(t, text), strings.Split("abcdefg", "")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
