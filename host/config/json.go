package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// jsonReader makes YAML nodes of JSON's tokens. (JSON is YAML but for its
// escapes of surrogates and its freedom with tabs.)
type jsonReader struct {
	decoder *json.Decoder
	text    []byte
	lines   lines
}

// parseJSON returns the root, or nil where there is none.
func parseJSON(text []byte) (*yaml.Node, error) {
	r := jsonReader{decoder: json.NewDecoder(bytes.NewReader(text)), text: text, lines: newLines(text)}
	r.decoder.UseNumber()
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	root, err := r.node(0)
	if err != nil {
		return nil, err
	}
	at := r.next()
	if _, err := r.decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, r.fault(at, "more text after the configuration's end")
	}
	return root, nil
}

// next returns the offset of the next token.
func (r *jsonReader) next() int {
	at := int(r.decoder.InputOffset())
	for at < len(r.text) && strings.IndexByte(" \t\r\n,:", r.text[at]) >= 0 {
		at++
	}
	return at
}

func (r *jsonReader) fault(at int, message string) error {
	line, column := r.lines.position(at)
	return &syntaxError{line, column, message}
}

// node reads the next value.
func (r *jsonReader) node(depth int) (*yaml.Node, error) {
	at := r.next()
	if depth > maxDepth {
		return nil, r.fault(at, "nested too deeply")
	}
	token, err := r.decoder.Token()
	if err != nil {
		return nil, r.tokenFault(at, err)
	}
	n := &yaml.Node{Kind: yaml.ScalarNode}
	n.Line, n.Column = r.lines.position(at)
	switch v := token.(type) {
	case json.Delim:
		n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		if v == '{' {
			n.Kind, n.Tag = yaml.MappingNode, "!!map"
		}
		for r.decoder.More() {
			child, err := r.node(depth + 1)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, child)
		}
		end := r.next()
		if _, err := r.decoder.Token(); err != nil {
			return nil, r.tokenFault(end, err)
		}
	case string:
		n.Tag, n.Value = "!!str", v
	case json.Number:
		n.Tag, n.Value = "!!int", v.String()
		if strings.ContainsAny(n.Value, ".eE") {
			n.Tag = "!!float"
		}
	case bool:
		n.Tag, n.Value = "!!bool", strconv.FormatBool(v)
	case nil:
		n.Tag, n.Value = "!!null", "null"
	}
	return n, nil
}

// tokenFault places an error of the decoder, which began the token at an
// offset.
func (r *jsonReader) tokenFault(at int, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return r.fault(len(r.text), "the text ends within a value")
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return r.fault(max(int(syntax.Offset)-1, 0), syntax.Error())
	}
	return r.fault(at, err.Error())
}
