package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// node is a JSON value in the order of its file, so that whatever a manifest
// holds can be shown.
type node struct {
	Key    string
	Text   string // of a scalar
	Fields []node // of an object
	Items  []node // of an array
}

// maxDepth is more than any manifest has.
const maxDepth = 32

func parseNode(data []byte) (node, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	n, err := parseValue(decoder, 0)
	if err != nil {
		return node{}, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return node{}, errors.New("more than one JSON value")
	}
	return n, nil
}

func parseValue(decoder *json.Decoder, depth int) (node, error) {
	var n node
	token, err := decoder.Token()
	if err != nil {
		return n, err
	}
	delim, nested := token.(json.Delim)
	if !nested {
		n.Text = scalar(token)
		return n, nil
	}
	if depth == maxDepth {
		return n, fmt.Errorf("more than %d levels", maxDepth)
	}
	for decoder.More() {
		var key string
		if delim == '{' {
			token, err := decoder.Token()
			if err != nil {
				return n, err
			}
			key, _ = token.(string)
		}
		value, err := parseValue(decoder, depth+1)
		if err != nil {
			return n, err
		}
		value.Key = key
		if delim == '{' {
			n.Fields = append(n.Fields, value)
		} else {
			n.Items = append(n.Items, value)
		}
	}
	if n.Fields == nil && n.Items == nil {
		n.Text = "none"
	}
	_, err = decoder.Token() // the closing bracket
	return n, err
}

func scalar(token json.Token) string {
	switch v := token.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "yes"
		}
		return "no"
	}
	return "–"
}

// Label is the key as words.
func (n node) Label() string {
	return strings.ReplaceAll(strings.TrimSuffix(n.Key, "_bytes"), "_", " ")
}

// Value is a scalar as a person reads it: bytes with a unit, seconds rounded.
func (n node) Value() string {
	v, err := strconv.ParseFloat(n.Text, 64)
	if err != nil {
		return n.Text
	}
	switch {
	case strings.HasSuffix(n.Key, "_bytes"):
		return bytesText(v)
	case n.Key == "seconds" || strings.HasSuffix(n.Key, "_seconds"):
		return seconds(v)
	}
	return n.Text
}

// Long tells whether a scalar is a hash or the like: hexadecimal digits.
func (n node) Long() bool {
	return len(n.Text) >= 40 && strings.Trim(n.Text, "0123456789abcdef") == ""
}

// Scalar tells whether the value is neither object nor array.
func (n node) Scalar() bool { return n.Fields == nil && n.Items == nil }

// without leaves out fields that say nothing in a report: the status of a run
// whose report is being made is "running".
func (n node) without(keys ...string) node {
	n.Fields = slices.DeleteFunc(slices.Clone(n.Fields), func(field node) bool { return slices.Contains(keys, field.Key) })
	return n
}

// Table tells whether the value is a list of objects.
func (n node) Table() bool {
	for _, item := range n.Items {
		if len(item.Fields) == 0 {
			return false
		}
	}
	return len(n.Items) > 0
}

// Columns are the keys of a table's rows, in order of appearance.
func (n node) Columns() []node {
	var columns []node
	seen := map[string]bool{}
	for _, item := range n.Items {
		for _, field := range item.Fields {
			if !seen[field.Key] {
				seen[field.Key] = true
				columns = append(columns, node{Key: field.Key})
			}
		}
	}
	return columns
}

// Row are an item's values by the columns of its table.
func (n node) Row(columns []node) []node {
	row := make([]node, len(columns))
	for i, column := range columns {
		for _, field := range n.Fields {
			if field.Key == column.Key {
				row[i] = field
			}
		}
	}
	return row
}

// Short is any value in one line.
func (n node) Short() string {
	if n.Scalar() {
		return n.Value()
	}
	var parts []string
	for _, field := range n.Fields {
		parts = append(parts, field.Key+" "+field.Short())
	}
	for _, item := range n.Items {
		parts = append(parts, item.Short())
	}
	return strings.Join(parts, ", ")
}

func bytesText(v float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for v >= 1024 && i < len(units)-1 {
		v /= 1024
		i++
	}
	if i == 0 {
		return fmt.Sprintf("%.0f%sB", v, thin)
	}
	return fmt.Sprintf("%.1f%s%s", v, thin, units[i])
}

func seconds(v float64) string {
	switch {
	case v < 0.1:
		return fmt.Sprintf("%.0f%sms", v*1000, thin)
	case v < 120:
		return fmt.Sprintf("%.1f%ss", v, thin)
	case v < 7200:
		return fmt.Sprintf("%.1f%smin", v/60, thin)
	}
	return fmt.Sprintf("%.1f%sh", v/3600, thin)
}
