package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/upl-host/upl-host/host/evaluate"
)

// run is what the report needs of a run's folder.
type run struct {
	dir           string
	settings      settings
	configuration string // run.yaml as it is
	manifest      node
	root          string // of the data set; relative to the working directory
	metrics       evaluate.Metrics
	classes       []string
	predictions   []evaluate.Prediction
	pseudoLabels  []evaluate.PseudoLabel
	labels        map[string]string // of all pictures with one, by path
	skipped       []skipped
	training      []training
	models        []evaluate.ModelClass
}

// settings are those of the configuration that the report speaks of.
type settings struct {
	Name   string `yaml:"name"`
	Models []struct {
		Path string `yaml:"path"`
		Name string `yaml:"name"`
	} `yaml:"models"`
	Dataset struct {
		Path string `yaml:"path"`
	} `yaml:"dataset"`
	Label struct {
		Ensemble  policy `yaml:"ensemble"`
		Selection policy `yaml:"selection"`
	} `yaml:"label"`
	Learn struct {
		Method string `yaml:"method"`
	} `yaml:"learn"`
}

type policy struct {
	Plugin string         `yaml:"plugin"`
	Params map[string]any `yaml:"params"`
}

// model is the name of the model that is trained and tested.
func (s settings) model() string {
	if len(s.Models) == 0 {
		return "the model"
	}
	if name := s.Models[0].Name; name != "" {
		return name
	}
	return filepath.Base(s.Models[0].Path)
}

type skipped struct{ Path, Reason string }

// training is the course of one seed.
type training struct {
	Seed                  string
	Epochs, Losses, Right []float64
}

func readRun(dir string) (*run, error) {
	r := &run{dir: dir, labels: map[string]string{}}
	var err error
	if r.metrics, err = evaluate.ReadMetrics(filepath.Join(dir, "metrics.json")); err != nil {
		return nil, err
	}
	if r.predictions, err = evaluate.ReadPredictions(filepath.Join(dir, "predictions.csv")); err != nil {
		return nil, err
	}
	r.pseudoLabels, err = evaluate.ReadPseudoLabels(filepath.Join(dir, "pseudo_labels.csv"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, read := range []func() error{r.readTables, r.readConfiguration, r.readManifest, r.readTraining, r.readModels} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *run) readTables() error {
	classes, err := evaluate.ReadColumns(filepath.Join(r.dir, "classes.csv"), "name")
	if err != nil {
		return err
	}
	for _, row := range classes {
		r.classes = append(r.classes, row[0])
	}
	pictures, err := evaluate.ReadColumns(filepath.Join(r.dir, "pictures.csv"), "path", "label")
	if err != nil {
		return err
	}
	for _, row := range pictures {
		if row[1] != "" {
			r.labels[row[0]] = row[1]
		}
	}
	rows, err := evaluate.ReadColumns(filepath.Join(r.dir, "skipped.csv"), "path", "reason")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, row := range rows {
		r.skipped = append(r.skipped, skipped{Path: row[0], Reason: row[1]})
	}
	return nil
}

func (r *run) readConfiguration() error {
	path := filepath.Join(r.dir, "run.yaml")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	r.configuration = string(data)
	if err := yaml.Unmarshal(data, &r.settings); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}

func (r *run) readManifest() error {
	path := filepath.Join(r.dir, "manifest.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the manifest: %w", err)
	}
	if r.manifest, err = parseNode(data); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	var known struct {
		Dataset struct {
			Root string `json:"root"`
		} `json:"dataset"`
	}
	if err := json.Unmarshal(data, &known); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	r.root = known.Dataset.Root
	return nil
}

// readModels reads what each model predicts; folders of before have no such file.
func (r *run) readModels() (err error) {
	r.models, err = evaluate.ReadModelClasses(filepath.Join(r.dir, "models.csv"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// readTraining reads the curves of the seeds that metrics.json names, or, where
// it names none, of those that are there.
func (r *run) readTraining() error {
	var seeds []string
	if learned := r.metrics.Learned; learned != nil {
		for _, seed := range learned.Seeds {
			seeds = append(seeds, strconv.FormatUint(seed.Seed, 10))
		}
	}
	for _, seed := range seeds {
		path := filepath.Join(r.dir, "training", "seed-"+seed+".csv")
		rows, err := evaluate.ReadColumns(path, "epoch", "loss", "accuracy")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		curve := training{Seed: seed}
		for i, row := range rows {
			values := [3]float64{}
			for k, text := range row {
				if values[k], err = strconv.ParseFloat(text, 64); err != nil {
					return &evaluate.TableError{Path: path, Line: i + 2, Err: err}
				}
			}
			if math.IsNaN(values[1]) || math.IsInf(values[1], 0) {
				continue // a gap in the curve
			}
			curve.Epochs = append(curve.Epochs, values[0])
			curve.Losses = append(curve.Losses, values[1])
			curve.Right = append(curve.Right, values[2])
		}
		if len(curve.Epochs) > 0 {
			r.training = append(r.training, curve)
		}
	}
	return nil
}

// learned tells whether anything was learnt.
func (r *run) learned() bool { return r.metrics.Learned != nil }

// comparison sets zero-shot and learned side by side, over the test pictures
// with a label.
func (r *run) comparison() evaluate.Comparison {
	var c evaluate.Comparison
	for _, p := range r.predictions {
		if p.Label == "" {
			continue
		}
		c.Pictures++
		switch before, after := p.ZeroShot == p.Label, p.Learned == p.Label; {
		case before && !after:
			c.FirstOnly++
		case after && !before:
			c.SecondOnly++
		}
	}
	return c
}

// changed is the number of test pictures whose prediction learning changed.
func (r *run) changed() int {
	n := 0
	for _, p := range r.predictions {
		if p.Learned != "" && p.Learned != p.ZeroShot {
			n++
		}
	}
	return n
}

// labelled is the number of test pictures with a label.
func (r *run) labelled() int {
	n := 0
	for _, p := range r.predictions {
		if p.Label != "" {
			n++
		}
	}
	return n
}

// name is the run's.
func (r *run) name() string {
	if r.settings.Name != "" {
		return r.settings.Name
	}
	abs, err := filepath.Abs(r.dir)
	if err != nil {
		return filepath.Base(r.dir)
	}
	return filepath.Base(abs)
}
