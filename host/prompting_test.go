package host

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/dataset"
)

// The configuration allows every kind of data set that there is, and no other.
func TestKinds(t *testing.T) {
	for _, section := range config.Root().Keys {
		for _, key := range section.Keys {
			if key.Path != "dataset.kind" {
				continue
			}
			allowed, kinds := slices.Sorted(slices.Values(key.Enum)), slices.Sorted(slices.Values(dataset.Kinds()))
			if diff := cmp.Diff(kinds, allowed); diff != "" {
				t.Error(diff)
			}
			return
		}
	}
	t.Error("there is no key dataset.kind")
}

// What is said of the classes is the configuration's, else the data set's own, else
// the default.
func TestPrompting(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"t.txt": "art of a {}.\n", "c.json": `{"tench": ["A fish.", "Fish."], "missile": ["It flies."]}`, "bad.txt": "art"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	classes := []dataset.Class{{Folder: "n1", Name: "tench"}, {Folder: "n2", Name: "missile (n2)", Prompt: "missile"}, {Folder: "n3", Name: "missile (n3)", Prompt: "missile"}}
	digests := map[string]string{}
	for _, test := range []struct {
		set       []string
		own       []string // of the data set
		templates []string
		says      string
	}{
		{nil, nil, []string{"a photo of a [CLS]."}, `"a photo of a [CLS]."`},
		{nil, []string{"{} texture."}, []string{"{} texture."}, `"{} texture."`},
		{[]string{"prompt.template=a {}"}, []string{"{} texture."}, []string{"a {}"}, `"a {}"`},
		{[]string{`prompt.templates=["a {}", "b {c}"]`}, []string{"{} texture."}, []string{"a {}", "b {c}"}, `2 templates, the first "a {}"`},
		{[]string{"prompt.templates_file=" + dir + "/t.txt"}, []string{"{} texture."}, []string{"art of a {}."}, `"art of a {}."`},
		{[]string{"prompt.class_prompts=" + dir + "/c.json"}, []string{"{} texture."}, nil, `4 of the classes' own, such as "A fish."`},
	} {
		p := &plan{config: configured(t, test.set...), data: &dataset.Dataset{Classes: classes, Templates: test.own}}
		if err := p.openPrompting(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"tench", "missile", "missile"}, p.prompting.spoken); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(test.templates, p.prompting.templates); diff != "" || p.prompting.String() != test.says {
			t.Errorf("%v with %v says %s\n%s", test.set, test.own, p.prompting.String(), diff)
		}
		if (p.prompting.ofClasses != nil) != (test.templates == nil) {
			t.Errorf("%v: the classes' own prompts are %v", test.set, p.prompting.ofClasses)
		}
		if before, twice := digests[p.prompting.digest()]; twice {
			t.Errorf("%s has the digest of %s", test.says, before)
		}
		digests[p.prompting.digest()] = test.says
	}
	p := &plan{config: configured(t, "prompt.templates_file="+dir+"/bad.txt"), data: &dataset.Dataset{Classes: classes}}
	var usage *UsageError
	if err := p.openPrompting(); !errors.As(err, &usage) || !strings.Contains(err.Error(), `bad.txt:1: "art" has no place for the class name`) {
		t.Errorf("a template without a placeholder: %v", err)
	}
}
