package verify

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/dataset/layout"
	"github.com/upl-host/upl-host/host/evaluate"
)

// scaleOfCLIP is 1/tau of OpenAI's models.
const scaleOfCLIP = 100

// knobs collects what is not as published.
type knobs []string

func (k *knobs) add(format string, arguments ...any) {
	*k = append(*k, fmt.Sprintf(format, arguments...))
}

// setting is a key of the configuration, what it is and what was published.
type setting struct {
	key        string
	ours, want any
}

func (k *knobs) compare(settings ...setting) {
	for _, s := range settings {
		if s.ours != s.want {
			k.add("%s: %v, published with %v", s.key, s.ours, s.want)
		}
	}
}

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
	var k knobs
	k.ofPictures(r, m)
	k.ofPrompts(r, c)
	k.ofLearning(r, c)
	if len(k) == 0 {
		k.add("everything that is looked at is as published: the weights, and what seeds change, are left")
	}
	return k, nil
}

// runOf is the folder of a run of a row; empty where the matrix has none.
func runOf(folder string, r row) (string, error) {
	rows, err := evaluate.ReadColumns(filepath.Join(folder, "cells.csv"), "dataset", "model", "method", "strategy", "k", "status", "run")
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
	want := []string{r.dataset, r.model, r.method, r.strategy, k, "done"}
	for _, row := range rows {
		if slices.Equal(row[:len(want)], want) {
			return filepath.Join(folder, filepath.FromSlash(row[len(want)])), nil
		}
	}
	return "", nil
}

// ofPictures are the knobs of pictures and model.
func (k *knobs) ofPictures(r row, m *host.Manifest) {
	if len(m.Models) == 0 {
		return
	}
	model := m.Models[0]
	if ours, want := preprocess.ResizeModeOf(model.Preprocess), publishedResize(r.method); ours != want {
		how := "the shorter side is resized and the middle cut out, as OpenAI's and Tip-Adapter's code does"
		if want == graphs.ResizeSquash {
			how = "both sides are resized, as the code of UPL and CoOp does"
		}
		k.add("preprocessing: dataset.resize is %s, published with %s: %s (CoOp's author puts a point on ImageNet down to it)", ours, want, how)
	}
	if model.LogitScale != 0 && (model.LogitScale < scaleOfCLIP-0.5 || model.LogitScale > scaleOfCLIP+0.5) {
		k.add("logit scale: %.4g, where OpenAI's models have %d: other weights", model.LogitScale, scaleOfCLIP)
	}
	if m.Machine.Precision != "float32" {
		k.add("precision: %s", m.Machine.Precision)
	}
	if l, known := layout.ByKind(r.dataset); known {
		if n := m.Dataset.Test; n != l.Test {
			k.add("split: %d test pictures, the official split has %d", n, l.Test)
		}
		if n := m.Dataset.Classes; n != l.Classes {
			k.add("classes: %d, published with %d", n, l.Classes)
		}
	}
}

// publishedResize is how a method's code makes pictures square.
func publishedResize(method string) string {
	if method == "zero-shot" || strings.HasPrefix(method, "tip-adapter") {
		return graphs.ResizeCLIP
	}
	return graphs.ResizeSquash
}

// ofPrompts are the knobs of the templates.
func (k *knobs) ofPrompts(r row, c *config.Config) {
	l, known := layout.ByKind(r.dataset)
	if !known {
		return
	}
	const seven = "tip-adapter-7"
	bySeven := r.dataset == "imagenet" && (r.method == "zero-shot" || strings.HasPrefix(r.method, "tip-adapter"))
	given := c.Prompt.All()
	switch {
	case bySeven && c.Prompt.Templates.Set == seven:
	// [CLS] and {} are the same place.
	case len(given) > 0 && config.Fill(given[0], "X") != config.Fill(l.Template, "X"):
		k.add("template: %q and %d more; CoOp's is %q", given[0], len(given)-1, l.Template)
	case bySeven:
		k.add("template: one; Tip-Adapter's figures of ImageNet are by seven (prompt.templates: %s)", seven)
	}
}

// ofLearning are the knobs of the schedule, and of what is learned from.
func (k *knobs) ofLearning(r row, c *config.Config) {
	learn := c.Learn
	prompt := []setting{
		{"learn.batch_size", learn.BatchSize, 32},
		{"learn.learning_rate", learn.LearningRate, 0.002},
		{"learn.context_length", learn.ContextLength, 16},
		{"learn.class_token_position", learn.ClassTokenPosition, "end"},
		{"learn.class_specific", learn.ClassSpecific, false},
	}
	switch r.method {
	case "zero-shot":
		return
	case "upl", "upl*":
		k.compare(prompt...)
		k.compare(setting{"learn.epochs", learn.Epochs, 50}, setting{"number of prompts (learn.seeds)", len(learn.Seeds), 16})
	case "coop":
		k.compare(prompt...)
		k.compare(setting{"learn.epochs (0 is CoOp's number)", learn.Epochs, 0})
	case "clip-adapter":
		k.compare(setting{"learn.epochs (0 is CoOp's number)", learn.Epochs, 0}, setting{"learn.adapter.ratio", learn.Adapter.Ratio, 0.2})
	case "tip-adapter-f":
		epochs := 20
		if r.dataset == "eurosat" {
			epochs = 100
		}
		k.compare(setting{"learn.epochs", learn.Epochs, epochs}, setting{"learn.learning_rate", learn.LearningRate, 0.001})
	}
	if learn.Views < 2 {
		k.add("learn.views: %d; the published code draws augmented views (UPL and CoOp one a step, Tip-Adapter ten)", learn.Views)
	}
	if r.method == "upl*" && len(c.Models) != 8 {
		k.add("pseudo labels of %d models; published with 8: RN50, RN101, RN50x4, RN50x16, RN50x64, ViT-B/32, ViT-B/16, ViT-L/14", len(c.Models))
	}
	if learn.Labels != config.LabelsTrue {
		return
	}
	k.add("shots: drawn by seeds of upl-host, other pictures than the published ones")
	if strings.HasPrefix(r.method, "tip-adapter") {
		k.compare(setting{"learn.tip.search", learn.Tip.Search, true})
		k.add("selection: alpha and beta are searched on validation pictures, and the last epoch is kept; the published code takes what is best on the test pictures")
	} else if len(learn.Seeds) > 1 {
		k.add("learn.seeds: %d as an ensemble; published is the mean over single ones (matrix.seeds)", len(learn.Seeds))
	}
}
