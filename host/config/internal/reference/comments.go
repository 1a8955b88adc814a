package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"

	"github.com/upl-host/upl-host/host/config"
)

// meanings are the comments of struct fields: Struct.Field to one line of text.
type meanings map[string]string

// comments reads them from a package's source.
func comments(folder string) (meanings, error) {
	m := make(meanings)
	for _, name := range []string{"config.go", "file.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(folder, name), nil, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("reading the keys' comments: %w", err)
		}
		m.read(file)
	}
	return m, nil
}

// read takes in the comments of a file.
func (m meanings) read(file *ast.File) {
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if structure, ok := spec.Type.(*ast.StructType); ok {
			for _, field := range structure.Fields.List {
				for _, name := range field.Names {
					m[spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(field.Doc.Text()), " ")
				}
			}
		}
		return false
	})
}

// of returns the meaning of a key.
func (m meanings) of(key *config.Key) string { return m[key.Struct+"."+key.Field] }

// check reports a key without a comment.
func (m meanings) check(key *config.Key) error {
	if key.Path != "" && m.of(key) == "" {
		return fmt.Errorf("%s.%s has no comment: it is the meaning of %s", key.Struct, key.Field, key.Path)
	}
	for _, child := range key.Keys {
		if err := m.check(child); err != nil {
			return err
		}
	}
	return nil
}
