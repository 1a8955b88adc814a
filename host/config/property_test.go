package config_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/upl-host/upl-host/host/config"
)

// plain draws a value of a plugin's parameter.
func plain(depth int) *rapid.Generator[any] {
	leaves := []*rapid.Generator[any]{
		rapid.Just[any](nil),
		rapid.Bool().AsAny(),
		rapid.Int64().AsAny(),
		rapid.Uint64Min(1 << 63).AsAny(),
		rapid.Float64().AsAny(),
		rapid.String().AsAny(),
		rapid.SampledFrom([]string{"yes", "~", "null", "1", "1.0", "0x10", "<<", "2024-01-01", " ", "- a", "# b", "a: b", "'", "\u2028", "\ufeff", "\u0085", "\r\n"}).AsAny(),
	}
	if depth > 0 {
		leaves = append(
			leaves,
			rapid.SliceOfN(plain(depth-1), 0, 3).AsAny(),
			rapid.MapOfN(rapid.String(), plain(depth-1), 0, 3).AsAny(),
		)
	}
	return rapid.OneOf(leaves...)
}

// path draws a path that may be relative, absolute, or in the home folder.
func path() *rapid.Generator[string] {
	element := rapid.StringMatching(`[a-zA-Z0-9 ._~é#:-]{1,6}`)
	return rapid.Custom(func(t *rapid.T) string {
		prefix := rapid.SampledFrom([]string{"./", "../", "/", "~/", "../../"}).Draw(t, "prefix")
		return prefix + strings.Join(rapid.SliceOfN(element, 1, 3).Draw(t, "elements"), "/")
	})
}

// assignments draws --set assignments that are allowed.
func assignments(t *rapid.T) []string {
	quoted := func(v string) string { return fmt.Sprintf("%q", v) }
	all := map[string]*rapid.Generator[string]{
		"name":                        rapid.StringMatching(`[a-zA-Z0-9][^/\\\x00-\x1f]{0,5}`),
		"seed":                        rapid.Map(rapid.Uint64Max(1<<53-1), func(v uint64) string { return fmt.Sprint(v) }),
		"device":                      rapid.SampledFrom([]string{"auto", "cpu", "gpu", "gpu:1"}),
		"models.0.path":               rapid.Map(path(), func(p string) string { return p + "/model" }),
		"models.0.name":               rapid.StringMatching(`[a-zA-Z0-9]{1,5}`),
		"dataset.path":                path(),
		"dataset.classes":             path(),
		"dataset.unlabeled":           path(),
		"dataset.validation":          path(),
		"dataset.split":               path(),
		"dataset.kind":                rapid.SampledFrom([]string{"csv", "dtd", "imagenet"}),
		"dataset.test":                rapid.SampledFrom([]string{"test", "a/b", ".", "./~x", "/t"}),
		"prompt.template":             rapid.Map(rapid.StringMatching(`[^\x00]{0,6}`), func(s string) string { return s + "[CLS]" }),
		"label.selection.plugin":      rapid.OneOf(rapid.SampledFrom([]string{"top-k", "a b", "yes"}), path()),
		"label.prior":                 rapid.OneOf(rapid.SampledFrom([]string{"[1, 0.5]", "[1e-3]", "[]"}), path()),
		"label.limits.time":           rapid.SampledFrom([]string{"1ms", "1h", "1h0m1s", "90s", "1.5s"}),
		"label.lock":                  path(),
		"label.limits.memory":         rapid.Map(rapid.Int64Range(1<<16, 1<<32), func(v int64) string { return fmt.Sprint(v) }),
		"learn.initial_words":         rapid.String(),
		"learn.learning_rate":         rapid.Map(rapid.Float64Range(1e-300, 1000), func(v float64) string { return fmt.Sprint(v) }),
		"learn.momentum":              rapid.Map(rapid.Float64Range(0, 0.999), func(v float64) string { return fmt.Sprint(v) }),
		"learn.seeds":                 rapid.SampledFrom([]string{"1", "5", "[3]", "[2, 1]"}),
		"run.out":                     path(),
		"cache.dir":                   path(),
		"label.ensemble.params.Key":   rapid.Map(rapid.String(), quoted),
		"label.ensemble.params.other": rapid.SampledFrom([]string{"1", "1.0", "1e3", "'1'", "[a, {B: c}]", "-0.0"}),
	}
	var set []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if rapid.Bool().Draw(t, "set "+key) {
			set = append(set, key+"="+all[key].Draw(t, key))
		}
	}
	return set
}

var ignore = cmpopts.IgnoreUnexported(config.Config{})

// A configuration written out and loaded again is the same, wherever it lies.
func TestEffectiveLoadsAgain(t *testing.T) {
	home(t)
	const folder = "/some/where"
	rapid.Check(t, func(t *rapid.T) {
		c, err := config.Load(config.Source{
			File: folder + "/study.yaml", Text: []byte(minimal), Set: assignments(t),
		})
		if err != nil {
			t.Fatal(err)
		}
		c.Label.Selection.Params = rapid.MapOfN(rapid.String(), plain(2), 0, 4).Draw(t, "params")
		where := rapid.SampledFrom([]string{"", folder, "/some/where/runs/study", "/another", "/"}).Draw(t, "where")
		written := c.Effective(where)
		again, err := config.Load(config.Source{File: where + "/run.yaml", Text: written})
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		if diff := cmp.Diff(c, again, ignore); diff != "" {
			t.Fatalf("loaded again (-was +is):\n%s\n%s", diff, written)
		}
		if d := config.Diff(c, again); d != nil {
			t.Fatalf("differences %v", d)
		}
		if c.Fingerprint() != again.Fingerprint() {
			t.Fatal("another fingerprint")
		}
		if diff := cmp.Diff(string(written), string(again.Effective(where))); diff != "" {
			t.Fatalf("written again (-was +is):\n%s", diff)
		}
	})
}

// No text, variable or assignment brings Load down; what it accepts loads
// again, and what it refuses is an Error with bounded faults.
func FuzzLoad(f *testing.F) {
	home(f)
	for _, file := range append(files(f, "good"), files(f, "bad")...) {
		if text, err := os.ReadFile(file); err == nil {
			f.Add(file[strings.LastIndexByte(file, '.'):], text, "learn.seeds", "2")
		}
	}
	f.Add(".yaml", []byte(minimal), "models.0", "{path: x}")
	f.Add(".toml", []byte("[[a]]\n[a.b]\n[[a.b.c]]\nd.e = {f = [1, {g = 2}]}"), "label.selection.params.a.b", "[1]")
	f.Add(".json", []byte(`{"a": [[{}], "\ud800"]}`), "prompt.templates", "[a")
	f.Fuzz(func(t *testing.T, ending string, text []byte, key, value string) {
		variable := "UPL_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_")) + "=" + value
		c, err := config.Load(config.Source{
			File: "/study/run" + ending, Text: text, Environ: []string{variable}, Set: []string{key + "=" + value},
		})
		if err != nil {
			var faults *config.Error
			if !errors.As(err, &faults) {
				t.Fatalf("%T: %v", err, err)
			}
			if n := len(faults.Faults); n == 0 || n > 20 {
				t.Fatalf("%d faults", n)
			}
			return
		}
		again, err := config.Load(config.Source{File: "/study/run.yaml", Text: c.Effective("/study")})
		if err != nil {
			t.Fatalf("loading again: %v", err)
		}
		if diff := cmp.Diff(c, again, ignore, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("loaded again (-was +is):\n%s", diff)
		}
	})
}
