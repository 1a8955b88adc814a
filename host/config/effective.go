package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Effective returns the configuration as YAML: every key, in the order of the
// reference, with its value. It loads again as the same configuration. Paths
// that were written relative are relative to folder, where the text is to lie;
// absolute where folder is empty.
func (c *Config) Effective(folder string) []byte {
	if folder != "" {
		if absolute, err := filepath.Abs(folder); err == nil {
			folder = absolute
		}
	}
	return encode(c.tree(Root(), "", reflect.ValueOf(*c), folder, func(*Key) bool { return true }))
}

// Fingerprint returns the SHA-256, in hexadecimal, of all that determines the
// results: not the run's name and folder, device, threads, caches, limits,
// report and log. Models and data are known by their paths alone here.
func (c *Config) Fingerprint() string {
	sum := sha256.Sum256(encode(c.tree(Root(), "", reflect.ValueOf(*c), "", c.decides)))
	return hex.EncodeToString(sum[:])
}

// decides reports whether a key determines results: of `learn`, zero-shot
// classification has the method alone.
func (c *Config) decides(key *Key) bool {
	const learn = "learn."
	idle := c.Learn.Method == MethodZeroShot && strings.HasPrefix(key.Path, learn) && key.Path != learn+"method"
	return key.Results && !idle
}

// Difference is a key that differs between two configurations.
type Difference struct {
	// Key is the key's path. Lists differ as a whole.
	Key string
	// A and B are the values, as YAML in one line.
	A, B string
	// Results says whether the key determines results, of one of them at least.
	Results bool
}

func (d Difference) String() string { return fmt.Sprintf("%s: %s, was %s", d.Key, d.B, d.A) }

// Diff lists the keys whose values differ, in the order of the reference.
func Diff(a, b *Config) []Difference {
	var differences []Difference
	for _, key := range Root().Leaves() {
		x, y := a.value(key), b.value(key)
		if x != y {
			differences = append(differences, Difference{Key: key.Path, A: x, B: y, Results: a.decides(key) || b.decides(key)})
		}
	}
	return differences
}

// value returns a key's value as YAML in one line.
func (c *Config) value(key *Key) string {
	v := reflect.ValueOf(*c)
	section := Root()
	for name := range strings.SplitSeq(key.Path, ".") {
		section = section.child(name)
		v = v.FieldByName(section.Field)
	}
	n := c.tree(key, key.Path, v, "", func(*Key) bool { return true })
	flow(n)
	return strings.TrimSpace(string(encode(n)))
}

// flow makes a node and all below it one line.
func flow(n *yaml.Node) {
	n.Style |= yaml.FlowStyle
	if n.Kind == yaml.ScalarNode {
		n.Style = 0
		if n.Tag == "!!str" && !isPlain(n.Value) {
			n.Style = yaml.DoubleQuotedStyle
		}
	}
	for _, child := range n.Content {
		flow(child)
	}
}

// tree returns the node of a key's value. Of a section it has the keys that
// keep allows.
func (c *Config) tree(key *Key, path string, v reflect.Value, folder string, keep func(*Key) bool) *yaml.Node {
	switch key.Kind {
	case Section:
		return c.mapping(key, path, v, folder, keep)
	case Items:
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range v.Len() {
			list.Content = append(list.Content, c.mapping(key, index(path, i), v.Index(i), folder, keep))
		}
		return list
	case String:
		if key.path != "" {
			return node(c.relocated(key, path, v.String(), folder))
		}
	case Shares:
		prior := v.Interface().(Prior)
		if len(prior.Values) == 0 {
			return node(c.relocated(key, path, prior.File, folder))
		}
		return node(prior.Values)
	case TemplateList:
		templates := v.Interface().(Templates)
		if templates.Set != "" {
			return node(templates.Set)
		}
		return node(templates.List)
	}
	return node(v.Interface())
}

func (c *Config) mapping(key *Key, path string, v reflect.Value, folder string, keep func(*Key) bool) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode}
	for _, child := range key.Keys {
		if child.Kind != Section && !keep(child) {
			continue
		}
		value := c.tree(child, join(path, child.Name), v.FieldByName(child.Field), folder, keep)
		if child.Kind == Section && len(value.Content) == 0 {
			continue
		}
		m.Content = append(m.Content, node(child.Name), value)
	}
	return m
}

// node returns the node of a value, such that reading it gives the same value
// of the same type.
func node(value any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode}
	switch v := value.(type) {
	case nil:
		n.Tag, n.Value = "!!null", "null"
	case bool:
		n.Tag, n.Value = "!!bool", strconv.FormatBool(v)
	case float64:
		n.Tag, n.Value = "!!float", formatFloat(v)
	case string:
		n.Tag, n.Value = "!!str", v
		if !isPlain(v) {
			n.Style = yaml.DoubleQuotedStyle
		}
	case time.Duration:
		return node(formatDuration(v))
	case Size:
		n.Tag, n.Value = "!!str", v.String()
		if strings.Trim(n.Value, "0123456789") == "" {
			n.Tag = "!!int"
		}
	case Params:
		return node(map[string]any(v))
	case map[string]any:
		n.Kind = yaml.MappingNode
		for _, key := range slices.Sorted(maps.Keys(v)) {
			n.Content = append(n.Content, node(key), node(v[key]))
		}
		if len(v) == 0 {
			n.Style = yaml.FlowStyle
		}
	case []any:
		return list(v)
	case []string:
		return list(v)
	case []float64:
		n := list(v)
		n.Style = yaml.FlowStyle
		return n
	case Seeds:
		n := list(v)
		n.Style = yaml.FlowStyle
		return n
	default: // an integer
		n.Tag, n.Value = "!!int", fmt.Sprint(v)
	}
	return n
}

func list[T any](items []T) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for _, item := range items {
		n.Content = append(n.Content, node(item))
	}
	if len(items) == 0 {
		n.Style = yaml.FlowStyle
	}
	return n
}

// isPlain says whether text is safe without quotes in any YAML.
func isPlain(text string) bool {
	for _, r := range text {
		if r < ' ' || r > '~' {
			return false
		}
	}
	switch strings.ToLower(text) {
	case "", "y", "n", "yes", "no", "on", "off", "<<", "=":
		return false
	}
	return text == strings.TrimSpace(text)
}

// formatDuration writes a duration without its zeros: 1h, not 1h0m0s.
func formatDuration(d time.Duration) string {
	text := d.String()
	if whole, ok := strings.CutSuffix(text, "m0s"); ok {
		text = whole + "m"
	}
	if whole, ok := strings.CutSuffix(text, "h0m"); ok {
		text = whole + "h"
	}
	return text
}

// formatFloat writes a float64 such that it is one when it is read again.
func formatFloat(v float64) string {
	switch {
	case math.IsNaN(v):
		return ".nan"
	case math.IsInf(v, 1):
		return ".inf"
	case math.IsInf(v, -1):
		return "-.inf"
	}
	text := strconv.FormatFloat(v, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text
}

func encode(n *yaml.Node) []byte {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		// The nodes are ours, and a buffer takes everything.
		panic(fmt.Errorf("config: encoding: %w", err))
	}
	return b.Bytes()
}
