package figures

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/evaluate"
)

// cell is one run of a matrix: what was run, and how right it is.
type cell struct {
	dataset, model, method, strategy string
	known                            string // the known method that it is, or is like
	k                                int    // pseudo labels, or labels, a class; 0: all or none
	prompts                          int    // that were averaged; 0: none, or not known
	seed                             string
	top1                             *float64
	labelled                         bool // learned from true labels
	look                             int  // of its method and strategy, the same in all figures
	folder                           string
}

// labelledMethods learn from true labels unless a cell says otherwise.
func labelledMethods() []string {
	return []string{"coop", "clip-adapter", "tip-adapter", "tip-adapter-f", "linear-probe"}
}

// cellColumns are those that cells.csv must have. Of others, "known_method", "labels"
// (true or pseudo), "seeds" (how many prompts, or whatever was learned, were averaged)
// and "run" (the run's folder, below the matrix's) are read.
var cellColumns = []string{"dataset", "model", "method", "strategy", "k", "seed", "top1"}

// readMatrix reads a matrix's cells.csv; a fault is an *evaluate.TableError.
func readMatrix(dir string) ([]cell, error) {
	path := filepath.Join(dir, cellsName)
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading a matrix: %w", err)
	}
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	fault := func(line int, format string, arguments ...any) error {
		return &evaluate.TableError{Path: path, Line: line, Err: fmt.Errorf(format, arguments...)}
	}
	if len(records) == 0 {
		return nil, fault(1, "the file is empty")
	}
	for _, name := range cellColumns {
		if !slices.Contains(records[0], name) {
			return nil, fault(1, "there is no column %s among %s", name, strings.Join(records[0], ","))
		}
	}
	cells := make([]cell, 0, len(records)-1)
	for i, record := range records[1:] {
		row := map[string]string{}
		for k, name := range records[0] {
			row[name] = record[k]
		}
		c, err := parseCell(dir, row)
		if err != nil {
			return nil, fault(i+2, "%w", err)
		}
		cells = append(cells, c)
	}
	return cells, nil
}

func parseCell(dir string, row map[string]string) (cell, error) {
	c := cell{
		dataset: row["dataset"], model: row["model"], method: row["method"], known: row["known_method"], strategy: row["strategy"], seed: row["seed"],
		labelled: row["labels"] == "true" || row["labels"] == "" && slices.Contains(labelledMethods(), row["method"]),
	}
	if c.known == "" {
		c.known = c.method
	}
	if row["run"] != "" {
		c.folder = filepath.Join(dir, filepath.FromSlash(row["run"]))
	}
	var err error
	if c.k, err = count(row, "k"); err != nil {
		return c, err
	}
	if c.prompts, err = count(row, "seeds"); err != nil {
		return c, err
	}
	if text := row["top1"]; text != "" { // empty: the run failed, or has no labels
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || !(v >= 0 && v <= 1) {
			return c, fmt.Errorf("top1: %q is no share", text)
		}
		c.top1 = &v
	}
	return c, nil
}

// count is a row's number of something; 0 where it says none.
func count(row map[string]string, name string) (int, error) {
	text := row[name]
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s: %q is no count", name, text)
	}
	return n, nil
}

// settings are those of a run's configuration that tell it from others.
type settings struct {
	Models []struct {
		Path, Name string
	}
	Dataset struct {
		Path string
	}
	Label struct {
		Selection struct {
			Plugin string
			Params map[string]any
		}
	}
	Learn struct {
		Method, Labels string
		Shots          int
	}
}

// readRun reads a run's folder as the cells of its seeds, and one for zero-shot.
func readRun(dir string) ([]cell, error) {
	metrics, err := evaluate.ReadMetrics(filepath.Join(dir, metricsName))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "run.yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading a run: %w", err)
	}
	var s settings
	if err := yaml.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(s.Models) == 0 {
		return nil, fmt.Errorf("reading %s: %w", path, errors.New("there is no model"))
	}
	base := cell{dataset: filepath.Base(s.Dataset.Path), model: s.Models[0].Name}
	if base.model == "" {
		base.model = filepath.Base(s.Models[0].Path)
	}
	zero := base
	zero.method, zero.known, zero.top1, zero.folder = zeroShot, zeroShot, metrics.ZeroShot.Top1, dir
	cells := []cell{zero}
	if metrics.Learned == nil {
		return cells, nil
	}
	learned := base
	learned.method, learned.strategy, learned.folder = s.Learn.Method, s.Label.Selection.Plugin, dir
	learned.known = learned.method
	if k, ok := s.Label.Selection.Params["k"].(int); ok {
		learned.k = k
	}
	if s.Learn.Labels == "true" {
		learned.labelled, learned.strategy, learned.k = true, "", s.Learn.Shots
	}
	for _, seed := range metrics.Learned.Seeds {
		one := learned
		one.seed, one.top1 = strconv.FormatUint(seed.Seed, 10), seed.Top1
		cells = append(cells, one)
	}
	return cells, nil
}

// zeroShot is what the method is called that learns nothing, of runs and of matrices.
const zeroShot = config.MethodZeroShot
