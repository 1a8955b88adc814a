package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/session"
)

const root = "../.."

// TestCurrent holds the pictures and tables in the documentation to what the
// policies, and their manifest, say today.
func TestCurrent(t *testing.T) {
	files, err := generate(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, want) {
			t.Errorf("%s is not current, `make strategy-pictures` makes it anew", name)
			if strings.HasSuffix(name, ".md") {
				t.Log(cmp.Diff(strings.Split(string(got), "\n"), strings.Split(string(want), "\n")))
			}
		}
		if strings.HasSuffix(name, ".svg") {
			checkXML(t, name, want)
		}
	}
	for _, folder := range []string{pages, pictures} {
		there, err := os.ReadDir(filepath.Join(root, folder))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range there {
			if files[filepath.Join(folder, file.Name())] == nil {
				t.Errorf("%s: %s is of no policy that ships", folder, file.Name())
			}
		}
	}
}

func checkXML(t *testing.T, name string, document []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(document))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
	}
}

// TestExhibits finds every policy that ships among the exhibits, in the manifest's
// order, and in the index and the guide's list.
func TestExhibits(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, manifest))
	if err != nil {
		t.Fatal(err)
	}
	m, err := plugins.ParseManifest(text)
	if err != nil {
		t.Fatal(err)
	}
	var ship, shown []string
	for _, p := range m.Policies {
		ship = append(ship, p.Name)
	}
	for _, e := range exhibits() {
		shown = append(shown, e.policy.Name)
	}
	if d := cmp.Diff(ship, shown); d != "" {
		t.Errorf("the manifest's policies, and the exhibits (-manifest +exhibits):\n%s", d)
	}
	list, err := os.ReadFile(filepath.Join(root, index))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range ship {
		if !bytes.Contains(list, []byte("\n| [`"+name+"`](strategies/"+name+".md) |")) {
			t.Errorf("%s: no line of %s in the tables of rules", index, name)
		}
	}
}

// TestPages looks for what every page has, and follows its links.
func TestPages(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	check := func(page string, parts ...string) {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Error(err)
			return
		}
		for _, part := range parts {
			if !bytes.Contains(text, []byte(part)) {
				t.Errorf("%s lacks %q", page, part)
			}
		}
		for _, found := range link.FindAllSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(page), string(found[1]))); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
	check(index)
	for _, e := range exhibits() {
		name, command := e.policy.Name, "upl-host select"
		kind := "  selection: {plugin: " + name
		if e.policy.Kind() == sdk.KindEnsemble {
			kind, command = "  ensemble: {plugin: "+name, "upl-host combine"
		}
		check(filepath.Join(pages, name+".md"), "# `"+name+"`\n", "](../images/strategies/"+name+".svg)",
			"\n## The rule\n", "\n## Parameters\n", "\n## Use it\n", "\n## What it reports\n", "\n## When to use it\n", "\n## Source\n", kind, command)
	}
}

// TestJudge counts pictures, not picks, and looks into sets and soft labels.
func TestJudge(t *testing.T) {
	d := &data{classes: []string{"a", "b", "c"}, labels: []int{0, 1, 2, 0}}
	for name, test := range map[string]struct {
		result          session.Selection
		pictures, right int
		counts          []int
	}{
		"hard labels":      {session.Selection{Labels: []session.Label{{Row: 0, Class: 0}, {Row: 1, Class: 2}}}, 2, 1, []int{1, 0, 1}},
		"of two classes":   {session.Selection{Labels: []session.Label{{Row: 3, Class: 0}, {Row: 3, Class: 1}}}, 1, 1, []int{1, 1, 0}},
		"sets":             {session.Selection{Candidates: []session.CandidateSet{{Row: 1, Classes: []int{0, 1}}, {Row: 2, Classes: []int{0}}}}, 2, 1, []int{2, 1, 0}},
		"the largest soft": {session.Selection{Soft: []session.SoftLabel{{Row: 2, P: []sdk.Candidate{{Class: 1, P: 0.25}, {Class: 2, P: 0.75}}}}}, 1, 1, []int{0, 0, 1}},
	} {
		s := judge(d, test.result)
		if s.pictures != test.pictures || s.right != test.right || !slices.Equal(s.counts(3), test.counts) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// TestAllowed has each form of schema that a parameter may have.
func TestAllowed(t *testing.T) {
	one, none, large := 1.0, 0.0, float64(1<<32-1)
	for _, test := range []struct {
		schema schema
		want   string
	}{
		{schema{Type: "integer", Minimum: &none, Maximum: &large}, "an integer, at least 0"},
		{schema{Type: "number", ExclusiveMinimum: &none, Maximum: &one}, "a number, above 0, at most 1"},
		{schema{Enum: []string{"one", "confidence"}}, "`one`, `confidence`"},
		{schema{Type: "boolean"}, "`true`, `false`"},
		{schema{AnyOf: []schema{{Type: "null"}, {Const: "mean"}, {Type: "array", Items: &schema{Type: "number"}}}}, "`null`, or `mean`, or a list, of each a number"},
	} {
		if got, err := test.schema.allowed(); err != nil || got != test.want {
			t.Errorf("%q, not %q: %v", got, test.want, err)
		}
	}
	if _, err := (&schema{}).allowed(); err == nil {
		t.Error("a schema that says nothing is described")
	}
}

// TestFilled refuses a page without the lines of its block.
func TestFilled(t *testing.T) {
	folder := t.TempDir()
	page := filepath.Join(folder, "page.md")
	text := "a\n<!-- numbers: made by make strategy-pictures -->\nold\n<!-- end of numbers -->\nb\n"
	if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := filled(folder, "page.md", block{"numbers", "new\n"})
	if want := strings.Replace(text, "old", "new", 1); err != nil || string(got) != want {
		t.Errorf("%q, not %q: %v", got, want, err)
	}
	if _, err := filled(folder, "page.md", block{"letters", ""}); err == nil || !strings.Contains(err.Error(), `page.md: it lacks the lines "<!-- letters: `) {
		t.Errorf("a page without the block: %v", err)
	}
}
