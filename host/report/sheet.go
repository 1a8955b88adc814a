package report

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/upl-host/upl-host/host/report/figure"
)

//go:embed sheet.html.tmpl
var sheetTemplate string

// Sheet is a contact sheet: some pictures of each class of a data set, for a person
// to see whether labels and pictures belong together.
type Sheet struct {
	Title, Lede string
	Classes     []SheetClass
}

// SheetClass is a class and the pictures that are shown of it.
type SheetClass struct {
	Name  string
	Count int      // how many pictures there are
	Paths []string // of those that are shown
}

// SheetFormat says whether a contact sheet can be written into a file of that name.
func SheetFormat(file string) error {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".html", ".htm", ".png":
		return nil
	}
	return fmt.Errorf("%s: a contact sheet is an .html or a .png file", file)
}

// Write writes the sheet as one HTML file that works offline, or as a PNG, whole or
// not at all. Of options it takes Read and Thumbnail. It returns how many pictures
// could not be shown.
func (s Sheet) Write(ctx context.Context, file string, options Options) (failed int, err error) {
	if err := SheetFormat(file); err != nil {
		return 0, err
	}
	g := &gallery{}
	for _, class := range s.Classes {
		row := classShots{Class: class.Name, Count: class.Count}
		for _, path := range class.Paths {
			row.Shots = append(row.Shots, &shot{Path: path, Alt: path + ", " + class.Name})
		}
		g.Classes = append(g.Classes, row)
	}
	if err := g.load(ctx, options); err != nil {
		return 0, err
	}
	var out bytes.Buffer
	if strings.EqualFold(filepath.Ext(file), ".png") {
		err = s.drawPNG(&out, g)
	} else {
		err = s.renderHTML(&out, g)
	}
	if err != nil {
		return 0, fmt.Errorf("making the contact sheet: %w", err)
	}
	if err := renameio.WriteFile(file, out.Bytes(), 0o644); err != nil {
		return 0, fmt.Errorf("writing the contact sheet: %w", err)
	}
	return g.Failed, nil
}

func (s Sheet) renderHTML(out *bytes.Buffer, g *gallery) error {
	// The report's page has the templates of a picture; none of its figures is used.
	parsed, err := template.New("page").Funcs(pageFunctions).Parse(pageTemplate)
	if err != nil {
		return err
	}
	if parsed, err = parsed.New("sheet").Parse(sheetTemplate); err != nil {
		return err
	}
	return parsed.Execute(out, struct {
		Sheet
		Style   template.CSS
		Gallery *gallery
	}{s, template.CSS(figure.Stylesheet() + pageStyle), g}) //nolint:gosec // our own files
}
