// Package figures writes figures for print, each with the data behind it: of one
// run all that it has data for, of several runs or of a matrix what sets them
// side by side. It reads folders and no model.
package figures

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/upl-host/upl-host/host/report"
	"github.com/upl-host/upl-host/host/report/figure"
)

// Options of the figures.
type Options struct {
	// Out is the folder that they are written to; empty: figures/print in the
	// folder of the one run, or of the one matrix.
	Out string
	// Formats are the endings of the files; none: SVG and PDF.
	Formats []figure.Format
	// Only are the names of the figures that are drawn; none: all.
	Only []string
}

// Result is what was written.
type Result struct {
	Folder string
	Drawn  []Drawn
	// Missing are the figures that there is no data for.
	Missing []report.Missing
}

// Drawn is a figure, and the endings of its files.
type Drawn struct {
	Name, Title string
	Endings     []string
}

// OptionError says what cannot be asked for.
type OptionError struct{ Err error }

func (e *OptionError) Error() string { return e.Err.Error() }

// Unwrap returns what was wrong.
func (e *OptionError) Unwrap() error { return e.Err }

func wrong(format string, arguments ...any) error {
	return &OptionError{fmt.Errorf(format, arguments...)}
}

// Names are the figures: those of one run, and those of several.
func Names() (one, several []string) {
	for _, c := range comparisons() {
		several = append(several, c.name)
	}
	return report.FigureNames(), several
}

// Write draws the figures of a run's folder, or of several and of matrices. A
// wrong option, or a path that is neither, is an *OptionError.
func Write(ctx context.Context, paths []string, o Options) (*Result, error) {
	if err := o.check(paths); err != nil {
		return nil, err
	}
	if o.Out == "" {
		o.Out = filepath.Join(paths[0], "figures", "print")
	}
	if len(o.Formats) == 0 {
		o.Formats = []figure.Format{figure.SVG, figure.PDF}
	}
	charts, missing, err := drawAll(paths)
	if err != nil {
		return nil, err
	}
	result := &Result{Folder: o.Out}
	for _, m := range missing {
		if o.wants(m.Name) {
			result.Missing = append(result.Missing, m)
		}
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, fmt.Errorf("making the figures' folder: %w", err)
	}
	for _, chart := range charts {
		if !o.wants(chart.base) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		drawn, err := o.write(chart.Figure)
		if err != nil {
			return nil, err
		}
		result.Drawn = append(result.Drawn, drawn)
	}
	return result, nil
}

func (o Options) check(paths []string) error {
	switch {
	case len(paths) == 0:
		return wrong("which run? Name the folders of runs, or of a matrix")
	case o.Out == "" && len(paths) > 1:
		return wrong("figures of %d folders: where to? Name a folder with -o", len(paths))
	}
	for _, format := range o.Formats {
		if !slices.Contains(figure.Formats(), format) {
			return wrong("there is no format %q: the formats are %s", format, join(figure.Formats()))
		}
	}
	one, several := Names()
	for _, name := range o.Only {
		if !slices.Contains(one, name) && !slices.Contains(several, name) {
			return wrong("there is no figure %q: of a run there are %s; of several, %s", name, join(one), join(several))
		}
	}
	return nil
}

func join[T ~string](names []T) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = string(name)
	}
	return strings.Join(list, ", ")
}

func (o Options) wants(name string) bool { return len(o.Only) == 0 || slices.Contains(o.Only, name) }

// write writes one figure's files, each whole or not at all.
func (o Options) write(f figure.Figure) (Drawn, error) {
	drawn := Drawn{Name: f.Name, Title: f.Title}
	save := func(ending string, data []byte) error {
		drawn.Endings = append(drawn.Endings, ending)
		if err := renameio.WriteFile(filepath.Join(o.Out, f.Name+"."+ending), data, 0o644); err != nil {
			return fmt.Errorf("writing figure %s: %w", f.Name, err)
		}
		return nil
	}
	for _, format := range o.Formats {
		data, err := f.Print(format)
		if err != nil {
			return drawn, fmt.Errorf("drawing figure %s: %w", f.Name, err)
		}
		if err := save(string(format), data); err != nil {
			return drawn, err
		}
	}
	return drawn, save("csv", f.Data.CSV())
}

// Chart is a figure of several runs.
type Chart struct {
	figure.Figure
	// Dataset is the one of several that it shows; empty: their mean, or the only one.
	Dataset string
	base    string // what it is called, whatever it shows
}

// drawAll draws all figures of the folders.
func drawAll(paths []string) ([]Chart, []report.Missing, error) {
	var cells []cell
	for _, path := range paths {
		isRun, isMatrix := has(path, metricsName), has(path, cellsName)
		switch {
		case isRun && len(paths) == 1:
			drawn, missing, err := report.Figures(path)
			charts := make([]Chart, len(drawn))
			for i, f := range drawn {
				charts[i] = Chart{Figure: f, base: f.Name}
			}
			return charts, missing, err
		case !isRun && !isMatrix:
			return nil, nil, wrong("%s is neither a finished run's folder (%s) nor a matrix's (%s)", path, metricsName, cellsName)
		}
		read := readMatrix
		if isRun {
			read = readRun
		}
		some, err := read(path)
		if err != nil {
			return nil, nil, err
		}
		cells = append(cells, some...)
	}
	charts, missing := compare(cells)
	return charts, missing, nil
}

// OfMatrix draws the figures of a matrix's folder, for its page.
func OfMatrix(dir string) ([]Chart, []report.Missing, error) {
	cells, err := readMatrix(dir)
	if err != nil {
		return nil, nil, err
	}
	charts, missing := compare(cells)
	return charts, missing, nil
}

const (
	metricsName = "metrics.json"
	cellsName   = "cells.csv"
)

func has(dir, name string) bool {
	_, err := os.Stat(filepath.Join(dir, name))
	return err == nil || !errors.Is(err, os.ErrNotExist)
}
