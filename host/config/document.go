package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Bounds of a configuration file: bytes, depth of nesting, nodes once aliases
// are written out.
const (
	maxBytes = 256 << 10
	maxDepth = 64
	maxNodes = 50_000
)

// syntaxError is a text that is not of its format.
type syntaxError struct {
	line, column int
	message      string
}

func (e *syntaxError) Error() string { return e.message }

// parse reads a file's text into one tree of YAML nodes, with positions and
// without aliases, whatever its format. The root is a mapping. Errors are
// syntax errors.
func parse(file string, text []byte) (*yaml.Node, error) {
	if len(text) > maxBytes {
		return nil, &syntaxError{message: fmt.Sprintf("%d bytes are no configuration: at most %d are read", len(text), maxBytes)}
	}
	if !utf8.Valid(text) {
		at := 0
		for r, n := utf8.DecodeRune(text); r != utf8.RuneError || n > 1; r, n = utf8.DecodeRune(text[at:]) {
			at += n
		}
		line, column := newLines(text).position(at)
		return nil, &syntaxError{line, column, "not UTF-8"}
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	var (
		node *yaml.Node
		err  error
	)
	switch ending := strings.ToLower(filepath.Ext(file)); ending {
	case ".yaml", ".yml":
		node, err = parseYAML(text)
	case ".toml":
		node, err = parseTOML(text)
	case ".json":
		node, err = parseJSON(text)
	default:
		return nil, &syntaxError{message: fmt.Sprintf("the file's ending %q names no format: .yaml, .yml, .toml or .json", ending)}
	}
	if err != nil {
		return nil, err
	}
	if node == nil {
		return nil, &syntaxError{message: "the file is empty"}
	}
	if node.Kind != yaml.MappingNode {
		return nil, &syntaxError{node.Line, node.Column, "a configuration maps keys to values; this is " + describe(node)}
	}
	return node, nil
}

// parseYAML returns the root of the only document, or nil where there is none.
func parseYAML(text []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(text))
	var document, second yaml.Node
	if err := d.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, yamlError(text, err)
	}
	if err := d.Decode(&second); err == nil {
		return nil, &syntaxError{second.Line, second.Column, "a second document: a configuration is one"}
	} else if !errors.Is(err, io.EOF) {
		return nil, yamlError(text, err)
	}
	e := expander{left: maxNodes}
	return e.expand(document.Content[0], 0)
}

var (
	yamlLine       = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)
	tabIndentation = regexp.MustCompile(`(?m)^ *\t`)
)

// yamlError finds the line in an error of the YAML package.
func yamlError(text []byte, err error) error {
	match := yamlLine.FindStringSubmatch(err.Error())
	if match == nil {
		return &syntaxError{message: err.Error()}
	}
	message := strings.TrimPrefix(err.Error(), match[0])
	line, _ := strconv.Atoi(match[1]) // no line is 0
	if tab := tabIndentation.FindIndex(text); tab != nil && strings.Contains(message, "cannot start any token") {
		line, column := newLines(text).position(tab[1] - 1)
		return &syntaxError{line, column, "a tab in the indentation, where YAML wants spaces"}
	}
	return &syntaxError{line: line, message: message}
}

// expander writes out aliases and merge keys, within a budget of nodes.
type expander struct{ left int }

func (e *expander) expand(n *yaml.Node, depth int) (*yaml.Node, error) {
	if e.left--; e.left < 0 || depth > maxDepth {
		return nil, &syntaxError{n.Line, n.Column, "nested too deeply, or aliases that repeat too much"}
	}
	if n.Kind == yaml.AliasNode {
		return e.expand(n.Alias, depth+1)
	}
	expanded := *n
	expanded.Content = nil
	for _, child := range n.Content {
		c, err := e.expand(child, depth+1)
		if err != nil {
			return nil, err
		}
		expanded.Content = append(expanded.Content, c)
	}
	if n.Kind == yaml.MappingNode {
		return mergeKeys(&expanded)
	}
	return &expanded, nil
}

// mergeKeys puts the pairs that a merge key (<<) brings behind the mapping's
// own, which come first in worth too.
func mergeKeys(n *yaml.Node) (*yaml.Node, error) {
	var own, brought []*yaml.Node
	has := make(map[string]bool)
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Tag != "!!merge" {
			own = append(own, key, value)
			has[key.Value] = true
			continue
		}
		sources := []*yaml.Node{value}
		if value.Kind == yaml.SequenceNode {
			sources = value.Content
		}
		for _, source := range sources {
			if source.Kind != yaml.MappingNode {
				return nil, &syntaxError{key.Line, key.Column, "<< wants a mapping, not " + describe(source)}
			}
			brought = append(brought, source.Content...)
		}
	}
	for i := 0; i < len(brought); i += 2 {
		if name := brought[i].Value; !has[name] {
			has[name] = true
			own = append(own, brought[i], brought[i+1])
		}
	}
	n.Content = own
	return n, nil
}

// lines finds lines and columns of byte offsets.
type lines struct {
	text   []byte
	starts []int
}

func newLines(text []byte) lines {
	l := lines{text: text, starts: []int{0}}
	for i, b := range text {
		if b == '\n' {
			l.starts = append(l.starts, i+1)
		}
	}
	return l
}

// position returns line and column, in characters, of a byte offset.
func (l lines) position(offset int) (line, column int) {
	offset = min(max(offset, 0), len(l.text))
	line = sort.SearchInts(l.starts, offset+1)
	return line, utf8.RuneCount(l.text[l.starts[line-1]:offset]) + 1
}

// describe says what a node is, for messages.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "the number " + shorten(n.Value)
	case "!!bool":
		return "the truth value " + shorten(n.Value)
	}
	return "the string " + strconv.Quote(shorten(n.Value))
}

// shorten bounds what a message repeats of a value.
func shorten(text string) string {
	const most = 60
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "…"
}
