// Command gallery makes what is made of docs/strategies: a picture of what each
// policy does with one small data set, the tables of their parameters, and those
// that compare them. `make strategy-pictures` runs it.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/upl-host/upl-host/plugins"
)

func main() {
	root := flag.String("root", ".", "the folder of the project")
	flag.Parse()
	if err := write(*root); err != nil {
		fmt.Fprintln(os.Stderr, "gallery:", err)
		os.Exit(1)
	}
}

func write(root string) error {
	files, err := generate(context.Background(), root)
	if err != nil {
		return err
	}
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := renameio.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// The pages, in the project's folder.
const (
	index    = "docs/strategies.md"
	pages    = "docs/strategies"
	pictures = "docs/images/strategies"
	manifest = "strategies/" + plugins.ManifestName
)

// generate gives the files by their names in the project's folder.
func generate(ctx context.Context, root string) (map[string][]byte, error) {
	d, err := readData(root)
	if err != nil {
		return nil, err
	}
	parameters, err := readParameters(filepath.Join(root, manifest))
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	picks, combinations := selectionTable(), ensembleTable(d)
	for _, e := range exhibits() {
		name := e.policy.Name
		figure, err := e.show(ctx, d, picks, combinations)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files[filepath.Join(pictures, name+".svg")] = figure.File()
		page := filepath.Join(pages, name+".md")
		if files[page], err = filled(root, page, block{"parameters", parameters[name]}); err != nil {
			return nil, err
		}
	}
	files[index], err = filled(root, index, block{"selections", picks.String()}, block{"ensembles", combinations.String()})
	return files, err
}

// block is a part of a page that is made.
type block struct{ name, text string }

// filled is a page with its blocks made anew.
func filled(root, page string, blocks ...block) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		return nil, err
	}
	for _, b := range blocks {
		begin, end := fmt.Sprintf("<!-- %s: made by make strategy-pictures -->\n", b.name), fmt.Sprintf("<!-- end of %s -->\n", b.name)
		before, rest, found := bytes.Cut(text, []byte(begin))
		_, after, ended := bytes.Cut(rest, []byte(end))
		if !found || !ended {
			return nil, fmt.Errorf("%s: it lacks the lines %q and %q, between which a table is made", page, begin, end)
		}
		text = bytes.Join([][]byte{before, []byte(begin), []byte(b.text), []byte(end), after}, nil)
	}
	return text, nil
}
