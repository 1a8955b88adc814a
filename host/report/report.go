// Package report is the room where a finished run is told: report.html, one
// file that works offline, and figures/*.svg. It reads the run's folder and, for
// the gallery, the pictures themselves; nothing else of the run is needed, so a
// report can be made again at any time.
package report

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/upl-host/upl-host/host/report/figure"
)

// Options of a report.
type Options struct {
	// Gallery is the number of pictures shown a class; six times as many in
	// the lists of changes and mistakes. 0: no pictures.
	Gallery int
	// Read returns the encoded picture that the run's tables call by a path; nil:
	// that of the file there, from the data set's root on.
	Read func(path string) ([]byte, error)
	// Thumbnail makes a small picture of an encoded one, as a data: URI of a PNG,
	// JPEG or WebP. Both are called from several goroutines. Where they fail, the
	// gallery says so in the picture's place. nil: no pictures.
	Thumbnail func(picture []byte) (dataURI string, err error)
}

// Build writes report.html and figures/*.svg into a run's folder, each whole or
// not at all. The same folder gives the same bytes.
func Build(ctx context.Context, runDir string, options Options) error {
	r, err := readRun(runDir)
	if err != nil {
		return fmt.Errorf("reporting on %s: %w", runDir, err)
	}
	charts := r.figures()
	gallery, err := r.gallery(ctx, options)
	if err != nil {
		return fmt.Errorf("reporting on %s: %w", runDir, err)
	}
	var page bytes.Buffer
	if err := r.render(&page, charts, gallery); err != nil {
		return fmt.Errorf("reporting on %s: %w", runDir, err)
	}
	if err := writeFigures(filepath.Join(runDir, "figures"), charts); err != nil {
		return fmt.Errorf("reporting on %s: %w", runDir, err)
	}
	if err := renameio.WriteFile(filepath.Join(runDir, "report.html"), page.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// writeFigures writes one file a figure, and removes those of a report before
// this one that are not made any more.
func writeFigures(dir string, charts map[string]figure.Figure) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the figures' folder: %w", err)
	}
	for name, chart := range charts {
		if err := renameio.WriteFile(filepath.Join(dir, name+".svg"), chart.File(), 0o644); err != nil {
			return fmt.Errorf("writing figure %s: %w", name, err)
		}
	}
	for _, name := range figureNames() {
		if _, made := charts[name]; made {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name+".svg")); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("removing an old figure: %w", err)
		}
	}
	return nil
}
