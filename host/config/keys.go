package config

import (
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Key describes one key of a configuration: what the tags of its field say.
type Key struct {
	// Path is learn.epochs; a key of a list's items is models[].path. The
	// root's is empty.
	Path string
	// Name is the last element of Path.
	Name string
	// Kind is what the key holds.
	Kind Kind
	// Struct and Field name the Go field, whose comment is the key's meaning.
	Struct, Field string
	// Default is the value without the key, as YAML; Derived, in words, one
	// that Load works out. Both are empty where there is none.
	Default, Derived string
	// Enum lists the allowed strings.
	Enum []string
	// Pattern is what a string must match as a whole, Allowed the same in words.
	Pattern, Allowed string
	// Range bounds a number, a size, a duration, or a list's length.
	Range Interval
	// Required keys have no default.
	Required bool
	// Results says whether the value changes what a run computes.
	Results bool
	// Source is where the default comes from, Example a value, as YAML.
	Source, Example string
	// Keys are those of a section, or of each item of a list of sections.
	Keys []*Key

	path    string
	pattern *regexp.Regexp
}

// Kind is what a key holds.
type Kind string

// The kinds of keys.
const (
	Section   Kind = "section"
	Items     Kind = "list of sections"
	String    Kind = "string"
	Bool      Kind = "true or false"
	Integer   Kind = "integer"
	Number    Kind = "number"
	Strings   Kind = "list of strings"
	Duration  Kind = "duration"
	ByteCount Kind = "size"
	SeedList  Kind = "integer or list of integers"
	Shares    Kind = "path or list of numbers"
	Mapping   Kind = "mapping"
	Paths     Kind = "path or list of paths"
	Integers  Kind = "list of integers"
	Cells     Kind = "list of names or sections"
	Overlay   Kind = "mapping of keys"
	// TemplateList is a list of strings too.
	TemplateList Kind = "name of a set, or list of strings"
)

// Interval is a range of numbers; of sizes in bytes, of durations in
// nanoseconds. The zero value allows every number.
type Interval struct {
	Min, Max                   float64
	ExclusiveMin, ExclusiveMax bool
	// Text is the interval as it is written, "(0,1]"; empty where there is none.
	Text string
}

// Contains says whether v lies in the interval.
func (i Interval) Contains(v float64) bool {
	switch {
	case i.Text == "":
		return true
	case v < i.Min, v > i.Max:
		return false
	case i.ExclusiveMin && v == i.Min, i.ExclusiveMax && v == i.Max:
		return false
	}
	return true
}

// Root returns the description of a whole configuration: a section without a
// name. It is shared and must not be changed.
func Root() *Key { return root() }

var root = sync.OnceValue(func() *Key {
	k := &Key{Kind: Section, Struct: "Config"}
	k.Keys = fields(reflect.TypeFor[Config](), "", nil)
	return k
})

// FileRoot returns the description of what a file may hold beside a run's keys. It
// is shared and must not be changed.
func FileRoot() *Key { return fileRoot() }

var fileRoot = sync.OnceValue(func() *Key {
	k := &Key{Kind: Section, Struct: "File"}
	k.Keys = fields(reflect.TypeFor[File](), "", nil)
	return k
})

// Leaves returns the keys below k that hold values, in order. Items count as
// one value.
func (k *Key) Leaves() []*Key {
	if k.Kind != Section {
		return []*Key{k}
	}
	var leaves []*Key
	for _, child := range k.Keys {
		leaves = append(leaves, child.Leaves()...)
	}
	return leaves
}

// child returns the key of that name below k, or nil.
func (k *Key) child(name string) *Key {
	for _, c := range k.Keys {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// fields describes the fields of a struct. defaults are those that the tag of
// a section gives to its keys, over their own.
func fields(t reflect.Type, prefix string, defaults map[string]string) []*Key {
	var keys []*Key
	for f := range t.Fields() {
		name := f.Tag.Get("yaml")
		if name == "" {
			continue
		}
		k := &Key{
			Path: prefix + name, Name: name, Struct: t.Name(), Field: f.Name,
			Kind:    kindOf(f.Type),
			Default: f.Tag.Get("default"), Derived: f.Tag.Get("derived"),
			Pattern: f.Tag.Get("pattern"), Allowed: f.Tag.Get("allowed"),
			Required: f.Tag.Get("required") == "yes",
			Results:  f.Tag.Get("results") != "no",
			Source:   f.Tag.Get("source"), Example: f.Tag.Get("example"),
			path: f.Tag.Get("path"),
		}
		if d, ok := defaults[name]; ok {
			k.Default = d
		}
		if text := f.Tag.Get("enum"); text != "" {
			k.Enum = strings.Split(text, ",")
		}
		if k.Pattern != "" {
			k.pattern = regexp.MustCompile("^(?:" + k.Pattern + ")$")
		}
		k.Range = mustInterval(f.Tag.Get("range"))
		switch k.Kind {
		case Section:
			k.Keys = fields(f.Type, k.Path+".", sectionDefaults(k.Default))
			k.Default = ""
		case Items, Cells:
			k.Keys = fields(f.Type.Elem(), k.Path+"[].", nil)
		}
		keys = append(keys, k)
	}
	return keys
}

// kindOf returns the kind of a field. A field of no kind is a mistake in
// Config, which every test finds.
func kindOf(t reflect.Type) Kind {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return Duration
	case reflect.TypeFor[Size]():
		return ByteCount
	case reflect.TypeFor[Seeds]():
		return SeedList
	case reflect.TypeFor[Prior]():
		return Shares
	case reflect.TypeFor[Params]():
		return Mapping
	case reflect.TypeFor[[]string]():
		return Strings
	case reflect.TypeFor[Files]():
		return Paths
	case reflect.TypeFor[Counts]():
		return Integers
	case reflect.TypeFor[[]Cell]():
		return Cells
	case reflect.TypeFor[Keys]():
		return Overlay
	case reflect.TypeFor[Templates]():
		return TemplateList
	}
	switch t.Kind() {
	case reflect.Struct:
		return Section
	case reflect.Slice:
		return Items
	case reflect.String:
		return String
	case reflect.Bool:
		return Bool
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return Integer
	case reflect.Float64:
		return Number
	}
	panic("config: no kind of key holds a " + t.String())
}

// sectionDefaults reads a section's default tag: "{plugin: mean}".
func sectionDefaults(text string) map[string]string {
	if text == "" {
		return nil
	}
	defaults := make(map[string]string)
	for pair := range strings.SplitSeq(strings.Trim(text, "{}"), ", ") {
		name, value, _ := strings.Cut(pair, ": ")
		defaults[name] = value
	}
	return defaults
}

// mustInterval reads a range tag.
func mustInterval(text string) Interval {
	if text == "" {
		return Interval{}
	}
	low, high, ok := strings.Cut(text[1:len(text)-1], ",")
	i := Interval{Text: text, ExclusiveMin: text[0] == '(', ExclusiveMax: strings.HasSuffix(text, ")")}
	var err, err2 error
	i.Min, err = bound(low)
	i.Max, err2 = bound(high)
	if !ok || err != nil || err2 != nil {
		panic("config: no interval: " + text)
	}
	return i
}

// bound reads an end of an interval: a number, a duration or a size.
func bound(text string) (float64, error) {
	if v, err := strconv.ParseFloat(text, 64); err == nil {
		return v, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return float64(d), nil
	}
	s, err := ParseSize(text)
	return float64(s), err
}

// String says what the interval allows: "1 to 1000", "above 0 up to 1".
func (i Interval) String() string {
	low, high, _ := strings.Cut(strings.Trim(i.Text, "[]()"), ",")
	switch {
	case i.ExclusiveMin && i.ExclusiveMax:
		return "above " + low + " and below " + high
	case i.ExclusiveMin:
		return "above " + low + " up to " + high
	case i.ExclusiveMax:
		return low + " up to below " + high
	}
	return low + " to " + high
}
