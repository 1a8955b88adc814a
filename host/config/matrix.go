package config

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// maxRuns bounds a matrix.
const maxRuns = 10_000

// Matrix is what a file with the key `matrix` describes: several runs.
type Matrix struct {
	// Name is what the matrix is called, Out its folder.
	Name, Out string
	// Runs are in the order of the axes, the last changing fastest.
	Runs []MatrixRun
	// File is the configuration's file.
	File string
}

// MatrixRun is one run of a matrix.
type MatrixRun struct {
	// Name is that of its folder below Out/runs.
	Name string
	Coordinates
	Config *Config
	// Cells say where its cells stand: file:line:column: matrix.axis: name.
	Cells []string
}

// Coordinates say where a run stands in its matrix, and what tables call it.
type Coordinates struct {
	Dataset string `json:"dataset"`
	Model   string `json:"model"`
	Method  string `json:"method"`
	// Known is the known method that Method is, or is like; empty for one of the
	// user's own.
	Known string `json:"known_method,omitempty"`
	// Strategy is empty where the method uses none.
	Strategy string `json:"strategy,omitempty"`
	// K is 0 where the method uses none, or the plugin has its default.
	K int `json:"k,omitempty"`
	// Seed is empty where a run has all seeds of its configuration.
	Seed string `json:"seed,omitempty"`
}

// LoadMatrix reads a file that describes several runs, and loads the configuration
// of each. It returns nil where the file has no matrix: [Load] takes that. What is
// wrong in any of them comes as one *[Error].
func LoadMatrix(s Source) (*Matrix, error) {
	l, err := newLoader()
	if err != nil {
		return nil, err
	}
	if err := l.file(s); err != nil {
		return nil, err
	}
	if l.axes == nil {
		return nil, nil
	}
	e := newExpansion(l)
	runs := e.runs()
	if err := l.faults.err(); err != nil {
		return nil, err
	}
	m := &Matrix{File: s.File}
	var wrong runFaults
	for _, r := range runs {
		of := s
		of.overlays = r.overlays
		c, err := Load(of)
		if err != nil {
			if err := wrong.add(r.name, err); err != nil {
				return nil, err
			}
			continue
		}
		m.Name, m.Out = c.Name, c.Run.Out
		c.Name += " " + r.name
		c.Run.Out = filepath.Join(c.Run.Out, "runs", r.name)
		delete(c.written, "run.out")
		m.Runs = append(m.Runs, MatrixRun{Name: r.name, Coordinates: r.in(c), Config: c, Cells: r.places()})
	}
	return m, wrong.err(len(runs))
}

// expanded is a run before its configuration is loaded.
type expanded struct {
	name string
	// cells are those of the axes that it has a place on.
	cells    map[string]*Cell
	overlays []overlay
}

// The axes, in the order in which they go over one another.
const (
	axisDatasets   = "datasets"
	axisModels     = "models"
	axisMethods    = "methods"
	axisStrategies = "strategies"
	axisK          = "k"
	axisSeeds      = "seeds"
)

var axisNames = []string{axisDatasets, axisModels, axisMethods, axisStrategies, axisK, axisSeeds}

// expansion makes runs of axes.
type expansion struct {
	*loader
	axes    map[string][]Cell
	exclude []Exclusion
}

func newExpansion(l *loader) *expansion {
	e := &expansion{loader: l, axes: make(map[string][]Cell)}
	for _, name := range axisNames {
		path := join("matrix", name)
		switch v := l.axes[name].(type) {
		case []Cell:
			e.axes[name] = v
		case Counts:
			for _, k := range v {
				e.axes[name] = append(e.axes[name], Cell{Name: fmt.Sprint(k), at: l.near(path)})
			}
		case Seeds:
			for _, seed := range v {
				e.axes[name] = append(e.axes[name], Cell{Name: fmt.Sprint(seed), at: l.near(path)})
			}
		case seedCount:
			for i := range uint64(v) {
				e.axes[name] = append(e.axes[name], Cell{Name: fmt.Sprint(l.viper.GetUint64("seed") + i), at: l.near(path)})
			}
		}
		e.distinct(name)
	}
	items, _ := l.axes["exclude"].([]any)
	for i, item := range items {
		e.exclude = append(e.exclude, e.exclusion(index("matrix.exclude", i), item.(map[string]any)))
	}
	return e
}

// distinct reports a cell that is there twice.
func (e *expansion) distinct(axis string) {
	seen := make(map[string]bool)
	for _, cell := range e.axes[axis] {
		if folder := slug(cell.Name); seen[folder] {
			e.faults.add(cell.at, join("matrix", axis), "%s twice: give it another name", cell.Name)
		} else {
			seen[folder] = true
		}
	}
}

// exclusion reads an item of `exclude`, whose names have to be there.
func (e *expansion) exclusion(path string, values map[string]any) Exclusion {
	x := Exclusion{at: e.near(path)}
	x.Datasets, _ = values[axisDatasets].([]string)
	x.Models, _ = values[axisModels].([]string)
	x.Methods, _ = values[axisMethods].([]string)
	x.Strategies, _ = values[axisStrategies].([]string)
	x.K, _ = values[axisK].(Counts)
	switch v := values[axisSeeds].(type) {
	case Seeds:
		x.Seeds = v
	case seedCount:
		e.faults.add(x.at, join(path, axisSeeds), "a list of seeds is wanted here")
	}
	named := false
	for axis, names := range x.names() {
		named = named || len(names) > 0
		for _, name := range names {
			known := cellNames(e.axes[axis])
			if !slices.Contains(known, name) {
				e.faults.add(e.near(join(path, axis)), join(path, axis), "%s is none of the axis' cells%s", name, hint(name, known))
			}
		}
	}
	if !named {
		e.faults.add(x.at, path, "names nothing: it would exclude every run")
	}
	return x
}

// names are an exclusion's, by axis.
func (x Exclusion) names() map[string][]string {
	names := map[string][]string{
		axisDatasets: x.Datasets, axisModels: x.Models, axisMethods: x.Methods, axisStrategies: x.Strategies,
	}
	for _, k := range x.K {
		names[axisK] = append(names[axisK], fmt.Sprint(k))
	}
	for _, seed := range x.Seeds {
		names[axisSeeds] = append(names[axisSeeds], fmt.Sprint(seed))
	}
	return names
}

// hint offers the nearest of names, or all of them.
func hint(name string, names []string) string {
	if near := nearest(name, names); near != "" {
		return "; did you mean " + near + "?"
	}
	if len(names) == 0 {
		return ": it has none"
	}
	return ": " + strings.Join(names, ", ")
}

func cellNames(cells []Cell) []string {
	names := make([]string, len(cells))
	for i, c := range cells {
		names[i] = c.Name
	}
	return names
}

// runs expands the axes. Faults are reported where they stand.
func (e *expansion) runs() []expanded {
	total := 1
	for _, axis := range axisNames {
		total = min(total*max(1, len(e.axes[axis])), maxRuns+1)
	}
	at := e.near("matrix")
	switch {
	case total > maxRuns:
		e.faults.add(at, "matrix", "more than %d runs", maxRuns)
		return nil
	case !slices.ContainsFunc(axisNames, func(axis string) bool { return len(e.axes[axis]) > 0 }):
		e.faults.add(at, "matrix", "there is no axis: give one or more of %s", strings.Join(axisNames, ", "))
		return nil
	}
	resolved := make(map[*Cell]resolution)
	for _, axis := range axisNames {
		for i := range e.axes[axis] {
			cell := &e.axes[axis][i]
			resolved[cell] = e.resolve(axis, cell)
		}
	}
	var runs []expanded
	var walk func(axes []string, so expanded, ignored []string)
	walk = func(axes []string, so expanded, ignored []string) {
		if len(axes) == 0 {
			if !e.excluded(so) {
				so.name = so.folder()
				runs = append(runs, so)
			}
			return
		}
		cells := e.axes[axes[0]]
		if len(cells) == 0 || slices.Contains(ignored, axes[0]) {
			walk(axes[1:], so, ignored)
			return
		}
		for i := range cells {
			r := resolved[&cells[i]]
			walk(axes[1:], so.with(axes[0], &cells[i], r.overlay), append(slices.Clone(ignored), r.ignores...))
		}
	}
	walk(axisNames, expanded{}, nil)
	first := make(map[string]bool)
	for _, run := range runs {
		if first[run.name] && len(e.faults.list) == 0 {
			e.faults.add(at, "matrix", "two runs would be called %s: give a cell another name", run.name)
		}
		first[run.name] = true
	}
	if len(runs) == 0 && len(e.faults.list) == 0 {
		e.faults.add(at, "matrix.exclude", "every run is excluded")
	}
	return runs
}

// with returns the run with a place on one more axis.
func (x expanded) with(axis string, cell *Cell, o overlay) expanded {
	cells := map[string]*Cell{axis: cell}
	for other, c := range x.cells {
		cells[other] = c
	}
	return expanded{cells: cells, overlays: append(slices.Clone(x.overlays), o)}
}

// excluded says whether an exclusion matches.
func (e *expansion) excluded(x expanded) bool {
	return slices.ContainsFunc(e.exclude, func(exclusion Exclusion) bool {
		for axis, names := range exclusion.names() {
			if len(names) == 0 {
				continue
			}
			if cell := x.cells[axis]; cell == nil || !slices.Contains(names, cell.Name) {
				return false
			}
		}
		return true
	})
}

// folder is the run's name: its cells', in the order of the axes.
func (x expanded) folder() string {
	var parts []string
	for _, axis := range axisNames {
		cell := x.cells[axis]
		switch {
		case cell == nil:
		case axis == axisK:
			parts = append(parts, "k"+cell.Name)
		case axis == axisSeeds:
			parts = append(parts, "seed"+cell.Name)
		default:
			parts = append(parts, slug(cell.Name))
		}
	}
	return strings.Join(parts, "-")
}

// places are where the run's cells stand, in the order of the axes.
func (x expanded) places() []string {
	var places []string
	for _, axis := range axisNames {
		if c := x.cells[axis]; c != nil {
			at := Fault{File: c.at.file, Origin: c.at.origin, Line: c.at.line, Column: c.at.column, Key: join("matrix", axis), Message: c.Name}
			places = append(places, at.String())
		}
	}
	return places
}

// slug is a name that needs no quotes in a shell: upl* becomes upl-star.
func slug(name string) string {
	name = strings.ReplaceAll(name, star, "-star")
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t'\"\\`$&|;<>()[]{}?!*#~", r) {
			return '_'
		}
		return r
	}, name)
}

// in names the place of a run; what is no axis is what its configuration says.
func (x expanded) in(c *Config) Coordinates {
	name := func(axis, otherwise string) string {
		if cell := x.cells[axis]; cell != nil {
			return cell.Name
		}
		return otherwise
	}
	at := Coordinates{
		Dataset: name(axisDatasets, filepath.Base(c.Dataset.Path)), Model: name(axisModels, c.Models[0].Name),
		Method: name(axisMethods, c.Learn.Method), Strategy: name(axisStrategies, ""), Seed: name(axisSeeds, ""),
	}
	known := knownMethod(at.Method)
	if cell := x.cells[axisMethods]; cell != nil && cell.Like != "" {
		known = knownMethod(cell.Like)
	}
	if known != nil {
		at.Known = known.name
	}
	if at.Strategy == "" && c.Learn.Labels != LabelsTrue && (known == nil || !slices.Contains(known.ignores, axisStrategies)) {
		at.Strategy = filepath.Base(c.Label.Selection.Plugin)
	}
	if cell := x.cells[axisK]; cell != nil {
		at.K, _ = strconv.Atoi(cell.Name)
	} else if c.Learn.Labels == LabelsTrue && c.Learn.Method != MethodZeroShot {
		at.K = c.Learn.Shots
	} else if k, ok := c.Label.Selection.Params["k"].(int64); ok && at.Strategy != "" {
		at.K = int(k)
	}
	return at
}

// runFaults are what is wrong with the runs of a matrix: each fault once, with the
// first run that has it.
type runFaults struct {
	faults []Fault
	runs   map[Fault][]string
	more   int
}

// add takes in what Load says of a run; another error than faults is returned.
func (w *runFaults) add(run string, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	if w.runs == nil {
		w.runs = make(map[Fault][]string)
	}
	for _, f := range e.Faults {
		if w.runs[f] == nil {
			w.faults = append(w.faults, f)
		}
		w.runs[f] = append(w.runs[f], run)
	}
	w.more = max(w.more, e.More)
	return nil
}

// err returns the faults of so many runs: which run has one is said where not all
// have it.
func (w *runFaults) err(runs int) error {
	if len(w.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(w.faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Origin, b.Origin), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	e := &Error{More: w.more}
	for _, f := range w.faults {
		if len(e.Faults) == maxFaults {
			e.More++
			continue
		}
		if of := w.runs[f]; len(of) < runs {
			f.Message += " (in run " + of[0]
			if len(of) > 1 {
				f.Message += fmt.Sprintf(" and %d more", len(of)-1)
			}
			f.Message += ")"
		}
		e.Faults = append(e.Faults, f)
	}
	return e
}
