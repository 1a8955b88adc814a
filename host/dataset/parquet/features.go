package parquet

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/upl-host/upl-host/host/dataset/container"
)

// metadataKey is where datasets keeps what it knows of a file's columns.
const metadataKey = "huggingface"

// The kinds of columns that matter here, as datasets calls them.
const (
	typeImage = "Image"
	typeClass = "ClassLabel"
)

// features are the columns that matter.
type features struct {
	imageColumn string
	bytes       parquet.LeafColumn
	labelColumn string // empty: no labels
	label       parquet.LeafColumn
	names       []string // of the classes, in the order of their numbers
}

// column is what the metadata say of a column.
type column struct {
	Type  string   `json:"_type"`
	Names []string `json:"names"`
}

// readFeatures finds the columns of pictures and labels.
func readFeatures(f *parquet.File) (*features, error) {
	described, err := readMetadata(f)
	if err != nil {
		return nil, err
	}
	found := &features{}
	if err := found.findImage(f.Schema(), described); err != nil {
		return nil, err
	}
	return found, found.findLabel(f.Schema(), described)
}

// readMetadata reads what datasets left in the file; nothing in a file of others.
func readMetadata(f *parquet.File) (map[string]column, error) {
	text, ok := f.Lookup(metadataKey)
	if !ok {
		return nil, nil
	}
	var metadata struct {
		Info struct {
			Features map[string]json.RawMessage `json:"features"`
		} `json:"info"`
	}
	if err := json.Unmarshal([]byte(text), &metadata); err != nil {
		return nil, fmt.Errorf("its metadata %q are damaged: %w: write it again", metadataKey, err)
	}
	described := map[string]column{}
	for name, raw := range metadata.Info.Features {
		var c column
		if json.Unmarshal(raw, &c) == nil { // a list or a struct of columns is none of ours
			described[name] = c
		}
	}
	return described, nil
}

// findImage finds the pictures: the column image, or the only one of its kind.
func (found *features) findImage(schema *parquet.Schema, described map[string]column) error {
	var candidates, columns []string
	leaves := map[string]parquet.LeafColumn{}
	for _, path := range schema.Columns() {
		name := path[0]
		if !slices.Contains(columns, name) {
			columns = append(columns, name)
		}
		leaf, ok := schema.Lookup(path...)
		isBytes := ok && leaf.Node.Type().Kind() == parquet.ByteArray
		inStruct := len(path) == 2 && path[1] == "bytes"
		alone := len(path) == 1 && (name == "image" || described[name].Type == typeImage) && leaf.Node.Type().LogicalType() == nil
		if isBytes && (inStruct || alone) {
			candidates = append(candidates, name)
			leaves[name] = leaf
		}
	}
	name, err := choose("image", candidates)
	if err != nil {
		return err
	}
	if name == "" {
		return fmt.Errorf("has no pictures: want a column image, a struct of bytes and path; its columns are %s", strings.Join(columns, ", "))
	}
	found.imageColumn, found.bytes = name, leaves[name]
	if found.bytes.MaxRepetitionLevel > 0 {
		return fmt.Errorf("its column %s has a list of pictures in each row: one picture is wanted", name)
	}
	return nil
}

// findLabel finds the labels: the column label, or the only one of classes.
func (found *features) findLabel(schema *parquet.Schema, described map[string]column) error {
	var candidates []string
	for _, path := range schema.Columns() {
		if len(path) == 1 && (path[0] == "label" || described[path[0]].Type == typeClass) {
			candidates = append(candidates, path[0])
		}
	}
	name, err := choose("label", candidates)
	if err != nil || name == "" {
		return err
	}
	found.labelColumn = name
	found.label, _ = schema.Lookup(name) // it is one of the schema's columns
	switch kind := found.label.Node.Type().Kind(); {
	case found.label.MaxRepetitionLevel > 0:
		return fmt.Errorf("its column %s has a list of labels in each row: one class is wanted", name)
	case kind != parquet.Int32 && kind != parquet.Int64 && kind != parquet.ByteArray:
		return fmt.Errorf("its column %s holds values of type %v: want class numbers or names", name, kind)
	case kind != parquet.ByteArray:
		found.names = described[name].Names
	}
	return found.checkNames()
}

// choose takes the column of a name, or the only one there is.
func choose(name string, candidates []string) (string, error) {
	switch {
	case slices.Contains(candidates, name):
		return name, nil
	case len(candidates) > 1:
		return "", fmt.Errorf("has several columns of that kind, %s: call the one that is meant %s", strings.Join(candidates, ", "), name)
	case len(candidates) == 1:
		return candidates[0], nil
	}
	return "", nil
}

// checkNames checks the names of the classes.
func (found *features) checkNames() error {
	for i, name := range found.names {
		if strings.TrimSpace(name) == "" || !container.Printable(name) {
			return fmt.Errorf("its metadata name class %d %q: want a name of one line", i, name)
		}
	}
	return nil
}
