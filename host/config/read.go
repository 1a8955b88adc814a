package config

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// reader turns nodes of one source into values of the keys' kinds, and
// remembers where each stands.
type reader struct {
	// source is the place of the source as a whole.
	source place
	faults *faults
	// places are those of keys and of lists' items, by path.
	places map[string]place
}

// seedCount is a number of seeds, which begin at the run's.
type seedCount int

func (r *reader) at(n *yaml.Node) place {
	p := r.source
	if p.origin == "" && p.line == 0 { // a cell's known values all stand where the cell does
		p.line, p.column = n.Line, n.Column
	}
	return p
}

// section reads a mapping of keys and all below it. put receives each value
// (see [reader.value]).
func (r *reader) section(key *Key, path string, n *yaml.Node, put func(*Key, any)) {
	r.each(key, path, n, func(child *Key, childPath string, value *yaml.Node) {
		if child.Kind == Section {
			r.section(child, childPath, value, put)
		} else if v, ok := r.value(child, childPath, value); ok {
			put(child, v)
		}
	})
}

// each calls f for each known key of a mapping, and reports what is not one.
func (r *reader) each(key *Key, path string, n *yaml.Node, f func(*Key, string, *yaml.Node)) {
	if n.ShortTag() == "!!null" { // a heading whose keys are all commented out
		return
	}
	if n.Kind != yaml.MappingNode {
		r.faults.add(r.at(n), path, "a mapping of keys is wanted, not %s", describe(n))
		return
	}
	r.pairs(path, n, func(name string, label, value *yaml.Node) {
		child := key.child(name)
		if child == nil {
			r.faults.add(r.at(label), join(path, shorten(name)), "%v", unknownKey{key, path, name})
			return
		}
		childPath := join(path, name)
		r.places[childPath] = r.at(label)
		f(child, childPath, value)
	})
}

// pairs calls f for each pair of a mapping, and reports keys that are no
// strings or come twice.
func (r *reader) pairs(path string, n *yaml.Node, f func(name string, label, value *yaml.Node)) {
	first := make(map[string]int)
	for i := 0; i < len(n.Content); i += 2 {
		label, value := n.Content[i], n.Content[i+1]
		if label.Kind != yaml.ScalarNode {
			r.faults.add(r.at(label), path, "a key is wanted, not %s", describe(label))
			continue
		}
		if line, twice := first[label.Value]; twice {
			where := ""
			if r.source.origin == "" {
				where = fmt.Sprintf(", first in line %d", line)
			}
			r.faults.add(r.at(label), join(path, shorten(label.Value)), "given twice%s", where)
			continue
		}
		first[label.Value] = label.Line
		f(label.Value, label, value)
	}
}

// value reads the value of a key that is no section. Lists of sections are
// []any of map[string]any, a number of seeds is a seedCount, everything else
// is of its field's type but for the size of numbers.
func (r *reader) value(key *Key, path string, n *yaml.Node) (any, bool) {
	if n.ShortTag() == "!!null" {
		hint := ""
		if !key.Required {
			hint = "; leave the key out for its default"
		}
		r.faults.add(r.at(n), path, "no value%s", hint)
		return nil, false
	}
	r.places[path] = r.at(n)
	switch key.Kind {
	case Items:
		return r.items(key, path, n)
	case Strings:
		return elements(r, path, n, wanted[String], stringOf)
	case Integers:
		return r.counts(path, n)
	case Paths:
		return r.files(key, path, n)
	case Cells:
		return r.cells(key, path, n)
	case Overlay:
		if n.Kind == yaml.MappingNode {
			return n, true
		}
	case SeedList:
		if n.Kind == yaml.SequenceNode {
			seeds, ok := elements(r, path, n, "a seed, an integer from 0 on,", seed)
			return Seeds(seeds), ok
		}
		if v, ok := integer(n); ok && r.inRange(key, path, n, float64(v)) {
			return seedCount(v), true
		} else if ok {
			return nil, false
		}
	case Shares:
		if n.Kind == yaml.SequenceNode {
			values, ok := elements(r, path, n, wanted[Number], number)
			if len(values) == 0 { // as if it were not given
				values = nil
			}
			return Prior{Values: values}, ok
		}
		if text, ok := stringOf(n); ok {
			file, ok := r.resolve(key, path, text)
			name, _ := file.(string)
			return Prior{File: name}, ok
		}
	case TemplateList:
		if n.Kind == yaml.SequenceNode {
			list, ok := elements(r, path, n, wanted[String], stringOf)
			if len(list) == 0 { // as if it were not given
				list = nil
			}
			return Templates{List: list}, ok
		}
		if set, ok := stringOf(n); ok {
			return Templates{Set: set}, true
		}
	case Mapping:
		if n.Kind == yaml.MappingNode {
			v, ok := r.plain(path, n)
			m, _ := v.(map[string]any)
			return Params(m), ok
		}
	default:
		if v, ok := scalar(key.Kind, n); ok {
			return r.single(key, path, n, v)
		}
		// The word true, where it is one of a key's values, needs no quotes.
		if n.ShortTag() == "!!bool" && slices.Contains(key.Enum, n.Value) {
			return n.Value, true
		}
	}
	hint := ""
	if key.Kind == String && n.Kind == yaml.ScalarNode {
		hint = "; in quotes it would be one"
	}
	r.faults.add(r.at(n), path, "%s is wanted, not %s%s", wanted[key.Kind], describe(n), hint)
	return nil, false
}

// single resolves paths and holds numbers against their range.
func (r *reader) single(key *Key, path string, n *yaml.Node, v any) (any, bool) {
	switch v := v.(type) {
	case string:
		if key.path != "" {
			return r.resolve(key, path, v)
		}
	case int64:
		return v, r.inRange(key, path, n, float64(v))
	case float64:
		return v, r.inRange(key, path, n, v)
	case time.Duration:
		return v, r.inRange(key, path, n, float64(v))
	case Size:
		return v, r.inRange(key, path, n, float64(v))
	}
	return v, true
}

func (r *reader) inRange(key *Key, path string, n *yaml.Node, v float64) bool {
	if key.Range.Contains(v) {
		return true
	}
	r.faults.add(r.at(n), path, "%s is out of range (%v)", shorten(n.Value), key.Range)
	return false
}

// elements reads a list of single values, each by read.
func elements[T any](r *reader, path string, n *yaml.Node, wants string, read func(*yaml.Node) (T, bool)) ([]T, bool) {
	if n.Kind != yaml.SequenceNode {
		r.faults.add(r.at(n), path, "a list is wanted, not %s", describe(n))
		return nil, false
	}
	whole := true
	list := make([]T, len(n.Content))
	for i, item := range n.Content {
		v, ok := read(item)
		if !ok {
			r.faults.add(r.at(item), index(path, i), "%s is wanted, not %s", wants, describe(item))
		}
		list[i], whole = v, whole && ok
	}
	return list, whole
}

// wanted says in messages what a kind is.
var wanted = map[Kind]string{
	Items:     "a list",
	String:    "a string",
	Bool:      "true or false",
	Integer:   "an integer",
	Number:    "a finite number",
	Strings:   "a list of strings",
	Duration:  "a duration (90s, 1h30m)",
	ByteCount: "a size (512MiB, 2GB)",
	SeedList:  "a number of seeds, or a list of seeds,",
	Shares:    "a path, or a list of numbers,",
	Mapping:   "a mapping",
	Paths:     "a path, or a list of paths,",
	Overlay:   "a mapping of keys",

	TemplateList: "the name of a set, or a list of strings,",
}

// items reads a list of sections.
func (r *reader) items(key *Key, path string, n *yaml.Node) (any, bool) {
	if n.Kind != yaml.SequenceNode {
		r.faults.add(r.at(n), path, "a list is wanted, not %s", describe(n))
		return nil, false
	}
	list := make([]any, len(n.Content))
	for i, item := range n.Content {
		list[i] = r.item(key, index(path, i), item)
	}
	return list, true
}

// item reads one section of a list.
func (r *reader) item(key *Key, path string, n *yaml.Node) map[string]any {
	r.places[path] = r.at(n)
	values := make(map[string]any)
	r.each(key, path, n, func(child *Key, childPath string, value *yaml.Node) {
		if v, ok := r.value(child, childPath, value); ok {
			values[child.Name] = v
		}
	})
	return values
}

// scalar reads a single value of a kind.
func scalar(kind Kind, n *yaml.Node) (any, bool) {
	if n.Kind != yaml.ScalarNode {
		return nil, false
	}
	tag := n.ShortTag()
	isString := tag == "!!str" || tag == "!!timestamp"
	switch kind {
	case String:
		return n.Value, isString
	case Bool:
		v, err := strconv.ParseBool(n.Value)
		return v, tag == "!!bool" && err == nil
	case Integer:
		return integer(n)
	case Number:
		var v float64
		ok := (tag == "!!int" || tag == "!!float") && n.Decode(&v) == nil
		return v, ok && !math.IsNaN(v) && !math.IsInf(v, 0)
	case Duration:
		v, err := time.ParseDuration(n.Value)
		return v, isString && err == nil
	case ByteCount:
		v, err := ParseSize(n.Value)
		return v, (isString || tag == "!!int") && err == nil
	}
	return nil, false
}

// integer reads an integer, also one written as 1e6. It is an int64.
func integer(n *yaml.Node) (int64, bool) {
	switch n.ShortTag() {
	case "!!int":
		var v int64
		err := n.Decode(&v)
		return v, err == nil
	case "!!float":
		v, err := strconv.ParseFloat(n.Value, 64)
		return int64(v), err == nil && v == math.Trunc(v) && math.Abs(v) <= 1<<53
	}
	return 0, false
}

func seed(n *yaml.Node) (uint64, bool) {
	v, ok := integer(n)
	return uint64(v), ok && v >= 0
}

func number(n *yaml.Node) (float64, bool) {
	v, ok := scalar(Number, n)
	value, _ := v.(float64)
	return value, ok
}

func stringOf(n *yaml.Node) (string, bool) {
	v, ok := scalar(String, n)
	text, _ := v.(string)
	return text, ok
}

// plain reads a value that is not ours, in the types of [Params].
func (r *reader) plain(path string, n *yaml.Node) (any, bool) {
	switch n.Kind {
	case yaml.MappingNode:
		whole := true
		m := make(map[string]any)
		r.pairs(path, n, func(name string, _, value *yaml.Node) {
			v, ok := r.plain(join(path, name), value)
			m[name], whole = v, whole && ok
		})
		return m, whole
	case yaml.SequenceNode:
		whole := true
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			v, ok := r.plain(index(path, i), item)
			list[i], whole = v, whole && ok
		}
		return list, whole
	}
	switch n.ShortTag() {
	case "!!null":
		return nil, true
	case "!!bool":
		return scalar(Bool, n)
	case "!!int":
		if v, ok := integer(n); ok {
			return v, true
		}
		var v uint64
		if n.Decode(&v) == nil {
			return v, true
		}
	case "!!float":
		if v, ok := scalar(Number, n); ok {
			return v, true
		}
	default:
		return n.Value, true
	}
	r.faults.add(r.at(n), path, "%s is beyond what JSON and float64 can carry", describe(n))
	return nil, false
}

// join appends a name to a key's path.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// index appends an index to a key's path.
func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// forget drops the places below a path, of a value that another replaces.
func forget(places map[string]place, path string) {
	maps.DeleteFunc(places, func(key string, _ place) bool {
		return slices.ContainsFunc([]string{"[", "."}, func(s string) bool { return strings.HasPrefix(key, path+s) })
	})
}
