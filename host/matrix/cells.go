package matrix

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/host/folder"
)

// Result is a matrix with what its runs gave so far.
type Result struct {
	Name   string `json:"name"`
	Folder string `json:"folder"`
	Cells  []Cell `json:"cells"`
	// Elsewhere counts the runs that other processes are at: the one of them that has
	// the tables goes on until all are done.
	Elsewhere int `json:"elsewhere,omitempty"`
}

// Status of a run in a matrix.
type Status string

// The states of a run.
const (
	Waiting Status = "waiting"
	Done    Status = "done"
	Failed  Status = "failed"
)

// Cell is one run.
type Cell struct {
	config.Coordinates
	Status Status `json:"status"`
	// Folder is relative to the matrix's.
	Folder string `json:"run"`
	// Metrics are those of a run that is done, Error of one that failed.
	Metrics evaluate.Metrics `json:"metrics,omitzero"`
	Error   string           `json:"error,omitempty"`
}

func newResult(m *config.Matrix) *Result {
	r := &Result{Name: m.Name, Folder: m.Out}
	for _, run := range m.Runs {
		r.Cells = append(r.Cells, Cell{Coordinates: run.Coordinates, Status: Waiting, Folder: runFolder(run.Name)})
	}
	return r
}

func (c *Cell) done(m evaluate.Metrics) { c.Status, c.Metrics = Done, m }

func (c *Cell) failed(err error) { c.Status, c.Error = Failed, err.Error() }

// Measures are those of what the run ends with: of what it learnt, where it did.
func (c *Cell) Measures() evaluate.Measures {
	if c.Metrics.Learned != nil {
		return c.Metrics.Learned.Measures
	}
	return c.Metrics.ZeroShot
}

// cellsName is the table with a row a run. A folder that has it is a matrix's.
const cellsName = "cells.csv"

// column is one of cells.csv: its name and a run's text.
type column struct {
	name string
	text func(*Cell) string
}

var cellColumns = []column{
	{"dataset", func(c *Cell) string { return c.Dataset }},
	{"model", func(c *Cell) string { return c.Model }},
	{"method", func(c *Cell) string { return c.Method }},
	{"known_method", func(c *Cell) string { return c.Known }},
	{"labels", func(c *Cell) string { return learned(c, func(l *evaluate.Learned) string { return l.Labels }) }},
	{"strategy", func(c *Cell) string { return c.Strategy }},
	{"k", func(c *Cell) string { return countText(c.K) }},
	{"seed", func(c *Cell) string { return c.Seed }},
	{"status", func(c *Cell) string { return string(c.Status) }},
	{"top1", func(c *Cell) string { return number(c.Measures().Top1) }},
	{"top5", func(c *Cell) string { return number(c.Measures().Top5) }},
	{"mean_per_class_recall", func(c *Cell) string { return number(c.Measures().MeanPerClassRecall) }},
	{"macro_f1", func(c *Cell) string { return number(c.Measures().MacroF1) }},
	{"ece", func(c *Cell) string { return number(c.Measures().ECE) }},
	{"brier", func(c *Cell) string { return number(c.Measures().Brier) }},
	{"nll", func(c *Cell) string { return number(c.Measures().NLL) }},
	{"mean_confidence", func(c *Cell) string { return number(c.Measures().MeanConfidence) }},
	{"mean_prediction_entropy", func(c *Cell) string { return number(c.Measures().MeanPredictionEntropy) }},
	{"coverage", func(c *Cell) string { return number(c.Measures().Coverage) }},
	{"zero_shot_top1", func(c *Cell) string { return number(c.Metrics.ZeroShot.Top1) }},
	{"seeds", func(c *Cell) string {
		return learned(c, func(l *evaluate.Learned) string { return strconv.Itoa(len(l.Seeds)) })
	}},
	{"seeds_mean", func(c *Cell) string {
		return learned(c, func(l *evaluate.Learned) string { return number(l.SeedsMean) })
	}},
	{"seeds_deviation", func(c *Cell) string {
		return learned(c, func(l *evaluate.Learned) string { return number(l.SeedsDeviation) })
	}},
	{"pseudo_labels", func(c *Cell) string {
		return pseudo(c, func(p *evaluate.PseudoLabelMeasures) string { return strconv.Itoa(p.Count) })
	}},
	{"pseudo_label_accuracy", func(c *Cell) string {
		return pseudo(c, func(p *evaluate.PseudoLabelMeasures) string { return number(p.Accuracy) })
	}},
	{"pseudo_label_recall", func(c *Cell) string {
		return pseudo(c, func(p *evaluate.PseudoLabelMeasures) string { return number(p.Recall) })
	}},
	{"empty_classes", func(c *Cell) string {
		return pseudo(c, func(p *evaluate.PseudoLabelMeasures) string { return strconv.Itoa(len(p.EmptyClasses)) })
	}},
	{"disagreement", func(c *Cell) string {
		if c.Metrics.Unlabeled == nil {
			return ""
		}
		return number(c.Metrics.Unlabeled.Disagreement)
	}},
	{"run", func(c *Cell) string { return c.Folder }},
	{"error", func(c *Cell) string { return c.Error }},
}

func learned(c *Cell, text func(*evaluate.Learned) string) string {
	if c.Metrics.Learned == nil {
		return ""
	}
	return text(c.Metrics.Learned)
}

func pseudo(c *Cell, text func(*evaluate.PseudoLabelMeasures) string) string {
	if c.Metrics.PseudoLabels == nil {
		return ""
	}
	return text(c.Metrics.PseudoLabels)
}

// number is the shortest decimal that reads back as the same; empty for none.
func number(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', -1, 64)
}

func countText(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// write writes all tables, each whole or not at all.
func (r *Result) write(f *folder.Folder) error {
	rows := make([][]string, 0, len(r.Cells)+1)
	header := make([]string, len(cellColumns))
	for i, c := range cellColumns {
		header[i] = c.name
	}
	rows = append(rows, header)
	for i := range r.Cells {
		row := make([]string, len(cellColumns))
		for k, c := range cellColumns {
			row[k] = c.text(&r.Cells[i])
		}
		rows = append(rows, row)
	}
	t := r.Table()
	if err := errors.Join(
		writeCSV(f, cellsName, rows), writeCSV(f, tableName+".csv", t.csv()),
		write(f, tableName+".md", t.markdown()), write(f, tableName+".tex", t.latex()),
	); err != nil {
		return err
	}
	page, err := r.page(f, t)
	if err != nil {
		return err
	}
	return write(f, tableName+".html", page)
}

// write writes a file, unless it is there with the same bytes: who may only read the
// folder can look at a matrix that is done.
func write(f *folder.Folder, name string, data []byte) error {
	if there, err := os.ReadFile(f.Join(name)); err == nil && bytes.Equal(there, data) {
		return nil
	}
	return f.Write(name, data)
}

func writeCSV(f *folder.Folder, name string, rows [][]string) error {
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(rows); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return write(f, name, b.Bytes())
}
