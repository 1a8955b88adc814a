// Command reference writes the reference of the configuration,
// configuration.md and configuration.schema.json, from the keys of package
// config: their tags, and the comments of their fields.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/upl-host/upl-host/host/config"
)

func main() {
	out := flag.String("o", ".", "the folder to write to")
	source := flag.String("source", ".", "the folder of package config's source")
	flag.Parse()
	if err := write(*source, *out); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

func write(source, out string) error {
	files, err := generate(source)
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := renameio.WriteFile(filepath.Join(out, name), text, 0o644); err != nil {
			return fmt.Errorf("writing the reference: %w", err)
		}
	}
	return nil
}

// generate returns the reference's files, by name, from the source folder of
// package config.
func generate(source string) (map[string][]byte, error) {
	meanings, err := comments(source)
	if err != nil {
		return nil, err
	}
	for _, root := range []*config.Key{config.Root(), config.FileRoot()} {
		if err := meanings.check(root); err != nil {
			return nil, err
		}
	}
	schema, err := schema(config.Root(), config.FileRoot(), meanings)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		"configuration.md":          markdown(config.Root(), config.FileRoot(), meanings),
		"configuration.schema.json": schema,
	}, nil
}
