package trial

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/host/label"
	"github.com/upl-host/upl-host/plugins"
)

// Run is what a run folder (docs/run-folder.md) has for a trial.
type Run struct {
	Path       string
	ClassNames []string // C
	ModelNames []string // M

	scales    []float64
	seed      uint64
	prior     []float64 // C, or none
	notes     []string
	rows      map[string]int // of the unlabeled pictures, by path
	labels    []int          // N; -1 where unknown
	models    []label.Matrix // N x C
	ensemble  label.Matrix   // N x C; zero where the run has not got that far
	images    []plugins.Features
	texts     []plugins.Features
	own       []pick // the run's pseudo labels
	hasOwn    bool
	resources []*array.Mapped
}

// pick is a pseudo label.
type pick struct{ row, class int }

// Open reads a run folder. Close it after the last trial.
func Open(dir string) (_ *Run, err error) {
	r := &Run{Path: dir, rows: map[string]int{}}
	defer func() {
		if err != nil {
			err = fmt.Errorf("opening run %s: %w", dir, errors.Join(err, r.Close()))
		}
	}()
	if err := r.readManifest(); err != nil {
		return nil, err
	}
	unlabeled, pictures, err := r.readTables()
	if err != nil {
		return nil, err
	}
	if err := r.readPrior(); err != nil {
		return nil, err
	}
	if err := r.mapProbabilities(); err != nil {
		return nil, err
	}
	if err := r.mapFeatures(unlabeled, pictures); err != nil {
		return nil, err
	}
	return r, r.readOwn()
}

// Close unmaps the run's matrices.
func (r *Run) Close() error {
	faults := make([]error, 0, len(r.resources))
	for _, m := range r.resources {
		faults = append(faults, m.Close())
	}
	r.resources = nil
	return errors.Join(faults...)
}

func (r *Run) join(name ...string) string {
	return filepath.Join(append([]string{r.Path}, name...)...)
}

func (r *Run) readManifest() error {
	text, err := os.ReadFile(r.join("manifest.json"))
	if err != nil {
		return err
	}
	var manifest struct {
		Seed   uint64 `json:"seed"`
		Models []struct {
			Name       string  `json:"name"`
			LogitScale float64 `json:"logit_scale"`
		} `json:"models"`
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		return fmt.Errorf("manifest.json: %w", err)
	}
	if len(manifest.Models) == 0 {
		return errors.New("manifest.json names no model")
	}
	r.seed = manifest.Seed
	for _, m := range manifest.Models {
		r.ModelNames, r.scales = append(r.ModelNames, m.Name), append(r.scales, m.LogitScale)
	}
	return nil
}

// readPrior reads the prior of the run's configuration, where it gives one: numbers,
// or a file, which may be gone by now.
func (r *Run) readPrior() error {
	text, err := os.ReadFile(r.join("run.yaml"))
	if err != nil {
		return unlessAbsent(err)
	}
	var configuration struct {
		Label struct {
			Prior yaml.Node `yaml:"prior"`
		} `yaml:"label"`
	}
	if err := yaml.Unmarshal(text, &configuration); err != nil {
		return fmt.Errorf("run.yaml: %w", err)
	}
	switch given := &configuration.Label.Prior; {
	case given.Kind == yaml.SequenceNode:
		var values []float64
		if err := given.Decode(&values); err != nil {
			return fmt.Errorf("run.yaml: label.prior: %w", err)
		}
		r.prior, err = label.Prior(values, len(r.ClassNames))
	case given.Value != "":
		file := given.Value
		if !filepath.IsAbs(file) {
			file = r.join(file)
		}
		r.prior, err = label.ReadPrior(file, r.ClassNames)
		if errors.Is(err, fs.ErrNotExist) {
			r.notes = append(r.notes, fmt.Sprintf("without the run's prior: %s is gone", file))
			return nil
		}
	}
	return err
}

// readTables reads classes and pictures: unlabeled are the places of the rows in
// pictures.csv, which has that many.
func (r *Run) readTables() (unlabeled []int, pictures int, err error) {
	classes, err := evaluate.ReadColumns(r.join("classes.csv"), "name")
	if err != nil {
		return nil, 0, err
	}
	for _, row := range classes {
		r.ClassNames = append(r.ClassNames, row[0])
	}
	table, err := evaluate.ReadColumns(r.join("pictures.csv"), "path", "split", "label")
	if err != nil {
		return nil, 0, err
	}
	known := r.classes()
	for i, row := range table {
		if row[1] == "test" || row[1] == "validation" {
			continue
		}
		label, ok := known[row[2]]
		if !ok {
			label = -1
		}
		r.rows[row[0]] = len(unlabeled)
		unlabeled, r.labels = append(unlabeled, i), append(r.labels, label)
	}
	return unlabeled, len(table), nil
}

// classes are the classes' numbers by name.
func (r *Run) classes() map[string]int {
	numbers := make(map[string]int, len(r.ClassNames))
	for c, name := range r.ClassNames {
		numbers[name] = c
	}
	return numbers
}

// open maps a matrix and checks its size; columns 0: any.
func (r *Run) open(rows, columns int, name ...string) (label.Matrix, error) {
	m, err := array.Map(r.join(name...))
	if err != nil {
		return label.Matrix{}, err
	}
	r.resources = append(r.resources, m)
	if m.Rows != rows || (columns != 0 && m.Cols != columns) {
		return label.Matrix{}, fmt.Errorf("%s is %d x %d, not %d x %d", filepath.Join(name...), m.Rows, m.Cols, rows, columns)
	}
	return label.Matrix{Matrix: m.Matrix}, nil
}

func (r *Run) mapProbabilities() error {
	for _, name := range r.ModelNames {
		m, err := r.open(len(r.labels), len(r.ClassNames), "probabilities", name+".npy")
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("it has no probabilities of %s yet: let it go on until its stage classify is done: %w", name, err)
		}
		if err != nil {
			return err
		}
		r.models = append(r.models, m)
	}
	ensemble, err := r.open(len(r.labels), len(r.ClassNames), "probabilities", "ensemble.npy")
	if err == nil {
		r.ensemble = ensemble
	}
	return unlessAbsent(err)
}

// mapFeatures maps what there is of features. Those of the first model are of all
// pictures, the others' of the unlabeled ones.
func (r *Run) mapFeatures(unlabeled []int, pictures int) error {
	for i, name := range r.ModelNames {
		rows := len(unlabeled)
		if i == 0 {
			rows = pictures
		}
		images, err := r.open(rows, 0, "features", name+".npy")
		if err != nil {
			return unlessAbsent(err)
		}
		texts, err := r.open(len(r.ClassNames), images.Cols, "text_features", name+".npy")
		if err != nil {
			return unlessAbsent(err)
		}
		if r.texts = append(r.texts, texts); i == 0 {
			r.images = append(r.images, label.Picked{Matrix: images.Matrix, Of: unlabeled})
		} else {
			r.images = append(r.images, images)
		}
	}
	return nil
}

// readOwn reads the run's own pseudo labels, where it has got that far.
func (r *Run) readOwn() error {
	labels, err := evaluate.ReadPseudoLabels(r.join("pseudo_labels.csv"))
	if err != nil {
		return unlessAbsent(err)
	}
	classes := r.classes()
	for _, l := range labels {
		row, known := r.rows[l.Path]
		class, knownClass := classes[l.Class]
		if !known || !knownClass {
			return fmt.Errorf("pseudo_labels.csv: %s as %q: no such unlabeled picture or class", l.Path, l.Class)
		}
		r.own = append(r.own, pick{row, class})
	}
	r.hasOwn = true
	return nil
}

func unlessAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
