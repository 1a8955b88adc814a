package config

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
	"go.yaml.in/yaml/v3"
)

// parseTOML returns the root, or nil where there is none. The decoder gives
// the values, the parser under it their positions.
func parseTOML(text []byte) (*yaml.Node, error) {
	if bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > maxNodes {
		return nil, &syntaxError{message: "too many lists and tables"}
	}
	t := tomlTree{
		offsets: make(map[string]int), tables: make(map[string]int),
		defined: make(map[string]bool), lines: newLines(text),
	}
	var values map[string]any
	if err := toml.Unmarshal(text, &values); err != nil {
		var decoding *toml.DecodeError
		if errors.As(err, &decoding) {
			line, column := decoding.Position()
			return nil, &syntaxError{line, column, strings.TrimPrefix(decoding.Error(), "toml: ")}
		}
		// What is defined twice comes without a position.
		t.locate(text)
		fault := &syntaxError{message: strings.TrimPrefix(err.Error(), "toml: ")}
		if t.twice > 0 {
			fault.line, fault.column = t.lines.position(t.twice)
		}
		return nil, fault
	}
	if len(values) == 0 {
		return nil, nil
	}
	t.locate(text)
	return t.node(values, "", 0, 0)
}

// tomlTree knows where each key stands. Paths are keys and indices, each after
// a zero byte.
type tomlTree struct {
	offsets map[string]int
	// tables counts the elements so far of each array of tables.
	tables map[string]int
	// defined holds the tables and values so far; twice is where the first of
	// them is defined again, or 0.
	defined map[string]bool
	twice   int
	lines   lines
}

// locate walks the expressions of a document.
func (t *tomlTree) locate(text []byte) {
	var p unstable.Parser
	p.Reset(text)
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table:
			_, table = t.path("", e.Key())
			t.define(table, e)
		case unstable.ArrayTable:
			list, _ := t.path("", e.Key())
			table = element(list, t.tables[list])
			t.tables[list]++
			t.offsets[table] = offset(e)
		case unstable.KeyValue:
			t.pair(table, e)
		}
	}
}

// offset is where the key of a table or value begins.
func offset(e *unstable.Node) int {
	keys := e.Key()
	keys.Next()
	return int(keys.Node().Raw.Offset)
}

func (t *tomlTree) define(path string, e *unstable.Node) {
	if t.defined[path] && t.twice == 0 {
		t.twice = offset(e)
	}
	t.defined[path] = true
}

func element(list string, i int) string { return list + "\x00" + strconv.Itoa(i) }

// path extends a path by a dotted key. A list of tables on its way stands for
// its last element; bare is the path that does not so for the key's end.
func (t *tomlTree) path(prefix string, keys unstable.Iterator) (bare, whole string) {
	whole = prefix
	// Beyond the depth there is nothing to place: node refuses it.
	for depth := 0; depth <= maxDepth && keys.Next(); depth++ {
		key := keys.Node()
		bare = whole + "\x00" + string(key.Data)
		if _, ok := t.offsets[bare]; !ok {
			t.offsets[bare] = int(key.Raw.Offset)
		}
		whole = bare
		if n := t.tables[bare]; n > 0 {
			whole = element(bare, n-1)
		}
	}
	return bare, whole
}

func (t *tomlTree) pair(table string, e *unstable.Node) {
	_, path := t.path(table, e.Key())
	t.define(path, e)
	t.value(path, e.Value())
}

// value locates the keys within a value.
func (t *tomlTree) value(path string, v *unstable.Node) {
	children := v.Children()
	switch v.Kind {
	case unstable.InlineTable:
		for children.Next() {
			t.pair(path, children.Node())
		}
	case unstable.Array:
		for i := 0; children.Next(); i++ {
			t.value(element(path, i), children.Node())
		}
	}
}

// node makes a node of a value at a path. A value that has no key of its own
// stands where its parent does.
func (t *tomlTree) node(value any, path string, at, depth int) (*yaml.Node, error) {
	if own, ok := t.offsets[path]; ok {
		at = own
	}
	n := &yaml.Node{Kind: yaml.ScalarNode}
	n.Line, n.Column = t.lines.position(at)
	if depth > maxDepth {
		return nil, &syntaxError{n.Line, n.Column, "nested too deeply"}
	}
	switch v := value.(type) {
	case map[string]any:
		n.Kind, n.Tag = yaml.MappingNode, "!!map"
		for _, key := range slices.Sorted(maps.Keys(v)) {
			child, err := t.node(v[key], path+"\x00"+key, at, depth+1)
			if err != nil {
				return nil, err
			}
			name := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key, Line: child.Line, Column: child.Column}
			n.Content = append(n.Content, name, child)
		}
	case []any:
		n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		for i, item := range v {
			child, err := t.node(item, element(path, i), at, depth+1)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, child)
		}
	case bool:
		n.Tag, n.Value = "!!bool", strconv.FormatBool(v)
	case int64:
		n.Tag, n.Value = "!!int", strconv.FormatInt(v, 10)
	case float64:
		n.Tag, n.Value = "!!float", formatFloat(v)
	default: // a string, a date, a time
		n.Tag, n.Value = "!!str", fmt.Sprint(v)
	}
	return n, nil
}
