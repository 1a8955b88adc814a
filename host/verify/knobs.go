package verify

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/dataset/layout"
	"github.com/upl-host/upl-host/host/evaluate"
)

// scaleOfCLIP is 1/tau of OpenAI's models.
const scaleOfCLIP = 100

// findKnobs looks at a run of a row for what commonly explains a gap: how it was
// made beside how the published figure was. Without the run's folder, or with
// everything as published, it names what is left.
func findKnobs(folder string, r row) ([]string, error) {
	run, err := runOf(folder, r)
	if err != nil {
		return nil, err
	}
	if run == "" {
		return []string{"the run's folder is not there to be looked at"}, nil
	}
	c, err := config.Load(config.Source{File: filepath.Join(run, "run.yaml")})
	if err != nil {
		return nil, err
	}
	m, err := host.ReadManifest(run)
	if err != nil {
		return nil, err
	}
	knobs := append(pictureKnobs(r, m), trainingKnobs(r, c)...)
	if len(knobs) == 0 {
		knobs = []string{"everything that is looked at is as published: the weights, and what seeds change, are left"}
	}
	return knobs, nil
}

// runOf is the folder of a run of a row; empty where the matrix has none.
func runOf(folder string, r row) (string, error) {
	rows, err := evaluate.ReadColumns(filepath.Join(folder, "cells.csv"), "dataset", "model", "method", "k", "status", "run")
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	k := ""
	if r.k > 0 {
		k = fmt.Sprint(r.k)
	}
	for _, row := range rows {
		if row[0] == r.dataset && row[1] == r.model && row[2] == r.method && row[3] == k && row[4] == "done" {
			return filepath.Join(folder, filepath.FromSlash(row[5])), nil
		}
	}
	return "", nil
}

// pictureKnobs are those of pictures, prompts and model.
func pictureKnobs(r row, m *host.Manifest) (knobs []string) {
	add := func(format string, arguments ...any) { knobs = append(knobs, fmt.Sprintf(format, arguments...)) }
	if len(m.Models) == 0 {
		return nil
	}
	model := m.Models[0]
	if strings.Contains(model.Preprocess, "resize=clip") {
		add("preprocessing: the shorter side is resized and the middle cut out (clip), as OpenAI does; the code of UPL and CoOp squashes (resize_mode in the model's upl.json: CoOp's author puts a point on ImageNet down to it)")
	} else {
		add("preprocessing: squash, as the code of UPL and CoOp; Tip-Adapter's figures are with clip")
	}
	if model.LogitScale != 0 && (model.LogitScale < scaleOfCLIP-0.5 || model.LogitScale > scaleOfCLIP+0.5) {
		add("logit scale: %.4g, where OpenAI's models have %d: other weights", model.LogitScale, scaleOfCLIP)
	}
	if m.Machine.Precision != "float32" {
		add("precision: %s", m.Machine.Precision)
	}
	if l, known := layout.ByKind(r.dataset); known {
		if n := m.Dataset.Test; n != l.Test {
			add("split: %d test pictures, the official split has %d", n, l.Test)
		}
		if n := m.Dataset.Classes; n != l.Classes {
			add("classes: %d, published with %d", n, l.Classes)
		}
	}
	return knobs
}

// trainingKnobs are those of templates and schedule.
func trainingKnobs(r row, c *config.Config) (knobs []string) {
	add := func(format string, arguments ...any) { knobs = append(knobs, fmt.Sprintf(format, arguments...)) }
	l, known := layout.ByKind(r.dataset)
	// [CLS] and {} are the same place.
	if given := c.Prompt.All(); known && len(given) > 0 && config.Fill(given[0], "X") != config.Fill(l.Template, "X") {
		add("template: %q and %d more; CoOp's is %q", given[0], len(given)-1, l.Template)
	}
	if r.method == "upl" || r.method == "upl*" {
		upl := []struct {
			name       string
			ours, want any
		}{
			{"learn.epochs", c.Learn.Epochs, 50},
			{"learn.batch_size", c.Learn.BatchSize, 32},
			{"learn.learning_rate", c.Learn.LearningRate, 0.002},
			{"learn.context_length", c.Learn.ContextLength, 16},
			{"number of prompts (learn.seeds)", len(c.Learn.Seeds), 16},
			{"learn.views (the published code draws an augmented view each step)", c.Learn.Views > 1, true},
		}
		for _, k := range upl {
			if k.ours != k.want {
				add("%s: %v, published with %v", k.name, k.ours, k.want)
			}
		}
	}
	if r.method == "upl*" && len(c.Models) != 8 {
		add("pseudo labels of %d models; published with 8: RN50, RN101, RN50x4, RN50x16, RN50x64, ViT-B/32, ViT-B/16, ViT-L/14", len(c.Models))
	}
	return knobs
}
