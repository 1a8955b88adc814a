// Package compare sets finished runs side by side: what differs in their
// configurations, their measures, and, picture by picture, whether one is better
// than another or merely luckier.
package compare

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/evaluate"
)

// Run is a finished run, as it is compared.
type Run struct {
	Name    string           `json:"name"`
	Folder  string           `json:"folder"`
	Metrics evaluate.Metrics `json:"metrics"`

	config      *config.Config
	predictions []evaluate.Prediction
}

// Measures are those of what the run ends with.
func (r *Run) Measures() evaluate.Measures {
	if r.Metrics.Learned != nil {
		return r.Metrics.Learned.Measures
	}
	return r.Metrics.ZeroShot
}

// Open reads the runs of folders, each that of a run or of a matrix, whose finished
// runs are all taken.
func Open(folders ...string) ([]Run, error) {
	var runs []Run
	for _, folder := range folders {
		names, err := matrixRuns(folder)
		if err != nil {
			return nil, err
		}
		if names == nil {
			run, err := open(folder, filepath.Base(filepath.Clean(folder)))
			if err != nil {
				return nil, err
			}
			runs = append(runs, run)
		}
		for _, name := range names {
			run, err := open(filepath.Join(folder, filepath.FromSlash(name)), filepath.Base(name))
			if err != nil {
				return nil, err
			}
			runs = append(runs, run)
		}
	}
	distinct(runs)
	return runs, nil
}

// matrixRuns are the finished runs of a matrix's folder; nil where it is none.
func matrixRuns(folder string) ([]string, error) {
	rows, err := evaluate.ReadColumns(filepath.Join(folder, "cells.csv"), "run", "status")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	names := []string{}
	for _, row := range rows {
		if row[1] == "done" {
			names = append(names, row[0])
		}
	}
	return names, err
}

func open(folder, name string) (Run, error) {
	r := Run{Name: name, Folder: folder}
	manifest, err := host.ReadManifest(folder)
	if err != nil {
		return r, err
	}
	if _, err := os.Stat(filepath.Join(folder, "metrics.json")); manifest.Status != "done" && err != nil {
		return r, &host.UsageError{Err: fmt.Errorf("the run of %s is not done: %s; `upl-host run` goes on with it", folder, manifest.Status)}
	}
	if r.config, err = config.Load(config.Source{File: filepath.Join(folder, "run.yaml")}); err != nil {
		return r, err
	}
	if r.Metrics, err = evaluate.ReadMetrics(filepath.Join(folder, "metrics.json")); err != nil {
		return r, err
	}
	r.predictions, err = evaluate.ReadPredictions(filepath.Join(folder, "predictions.csv"))
	return r, err
}

// distinct calls runs of the same name by their folders.
func distinct(runs []Run) {
	count := make(map[string]int)
	for _, r := range runs {
		count[r.Name]++
	}
	for i := range runs {
		if count[runs[i].Name] > 1 {
			runs[i].Name = runs[i].Folder
		}
	}
}

// Report is a comparison of runs: all of them against the first.
type Report struct {
	Runs []Run `json:"runs"`
	// Configuration are the keys that determine results and differ, each with its
	// value in every run.
	Configuration []Key  `json:"configuration"`
	Pairs         []Pair `json:"comparisons"`
}

// Key is a key of the configuration that is not the same in all runs.
type Key struct {
	Key    string   `json:"key"`
	Values []string `json:"values"`
}

// Pair is a run against the first, on the test pictures of both.
type Pair struct {
	Base string `json:"base"`
	Run  string `json:"run"`
	// Pictures are those that both classified, Labelled those of them with a label.
	Pictures int `json:"pictures"`
	Labelled int `json:"labelled"`
	// Disagreement is the share of pictures that are classified otherwise.
	Disagreement float64 `json:"disagreement"`
	// What follows needs labels.
	*Difference
	// Notes say what the comparison leaves out.
	Notes []string `json:"notes,omitempty"`
}

// Difference is what labels tell of a pair.
type Difference struct {
	// OnlyBase and OnlyRun pictures are right in one of the two alone.
	OnlyBase int `json:"only_base_right"`
	OnlyRun  int `json:"only_run_right"`
	// Top1 is the run's accuracy less the base's, with its 95 % bootstrap interval.
	Top1 float64 `json:"top1_difference"`
	Low  float64 `json:"top1_difference_low"`
	High float64 `json:"top1_difference_high"`
	// P is that of McNemar's exact test; Holm's correction for as many comparisons
	// as there are is in Adjusted (Holm 1979).
	P        float64 `json:"mcnemar_p"`
	Adjusted float64 `json:"mcnemar_p_holm"`
	// Classes are those with labelled pictures, the largest gain first.
	Classes []Class `json:"per_class"`
}

// Class is how one class changed: pictures with its label that are right.
type Class struct {
	Class    string `json:"class"`
	Pictures int    `json:"pictures"`
	Base     int    `json:"base_right"`
	Run      int    `json:"run_right"`
}

// Change is the class's gain, in pictures.
func (c Class) Change() int { return c.Run - c.Base }

// Compare sets runs against the first of them. The seed is the bootstrap's. Runs that
// share no test picture are a *host.UsageError.
func Compare(runs []Run, seed uint64) (*Report, error) {
	if len(runs) < 2 {
		return nil, &host.UsageError{Err: fmt.Errorf("two runs at least are compared, or a matrix with several that are done; here is %d", len(runs))}
	}
	report := &Report{Runs: runs, Configuration: differingKeys(runs)}
	for i := range runs[1:] {
		pair, err := compare(&runs[0], &runs[i+1], seed)
		if err != nil {
			return nil, err
		}
		report.Pairs = append(report.Pairs, pair)
	}
	adjust(report.Pairs)
	return report, nil
}

func differingKeys(runs []Run) []Key {
	values := make(map[string][]string)
	for i := range runs[1:] {
		for _, d := range config.Diff(runs[0].config, runs[i+1].config) {
			if !d.Results {
				continue
			}
			if values[d.Key] == nil {
				values[d.Key] = slices.Repeat([]string{d.A}, len(runs))
			}
			values[d.Key][i+1] = d.B
		}
	}
	var keys []Key
	for _, key := range config.Root().Leaves() { // in the order of the reference
		if v := values[key.Path]; v != nil {
			keys = append(keys, Key{key.Path, v})
		}
	}
	return keys
}

// final is the class that a run ends with.
func final(p evaluate.Prediction) string {
	if p.Learned != "" {
		return p.Learned
	}
	return p.ZeroShot
}

// common are the pictures that two runs classified.
type common struct {
	base, run, labels []int // classes, -1 where a label is unknown
	classes           map[string]int
}

func (c *common) class(name string) int {
	if name == "" {
		return -1
	}
	number, known := c.classes[name]
	if !known {
		number = len(c.classes)
		c.classes[name] = number
	}
	return number
}

func inCommon(base, run *Run) (*common, error) {
	c := &common{classes: make(map[string]int)}
	of := make(map[string]evaluate.Prediction, len(run.predictions))
	for _, p := range run.predictions {
		of[p.Path] = p
	}
	for _, p := range base.predictions {
		other, there := of[p.Path]
		if !there {
			continue
		}
		if p.Label != "" && other.Label != "" && p.Label != other.Label {
			return nil, &host.UsageError{Err: fmt.Errorf("%s is %q in %s and %q in %s: these are not the same labels, and accuracies cannot be compared",
				p.Path, p.Label, base.Folder, other.Label, run.Folder)}
		}
		c.base, c.run = append(c.base, c.class(final(p))), append(c.run, c.class(final(other)))
		c.labels = append(c.labels, c.class(cmp.Or(p.Label, other.Label)))
	}
	if len(c.base) == 0 {
		return nil, &host.UsageError{Err: fmt.Errorf("%s and %s have no test picture in common", base.Folder, run.Folder)}
	}
	return c, nil
}

func compare(base, run *Run, seed uint64) (Pair, error) {
	p := Pair{Base: base.Name, Run: run.Name}
	c, err := inCommon(base, run)
	if err != nil {
		return p, err
	}
	p.Pictures = len(c.base)
	if a, b := len(base.predictions), len(run.predictions); a != p.Pictures || b != p.Pictures {
		p.Notes = append(p.Notes, fmt.Sprintf("on the %d test pictures that both have, of %d and %d", p.Pictures, a, b))
	}
	p.Disagreement = evaluate.Disagreement(c.base, c.run)
	counts, err := evaluate.Compare(c.base, c.run, c.labels)
	if err != nil {
		return p, err
	}
	p.Labelled = counts.Pictures
	if counts.Pictures == 0 {
		p.Notes = append(p.Notes, "no labels: only how often the two disagree is known")
		return p, nil
	}
	if counts.Pictures < p.Pictures {
		p.Notes = append(p.Notes, fmt.Sprintf("%d of the pictures have a label", counts.Pictures))
	}
	interval := counts.Bootstrap(seed, evaluate.Resamples)
	p.Difference = &Difference{
		OnlyBase: counts.FirstOnly, OnlyRun: counts.SecondOnly,
		Top1: counts.Difference(), Low: interval.From, High: interval.To,
		P: counts.McNemar(), Classes: c.changes(),
	}
	return p, nil
}

// changes counts, for each class with labels, what each side has right.
func (c *common) changes() []Class {
	names := make([]string, len(c.classes))
	for name, number := range c.classes {
		names[number] = name
	}
	all := make([]Class, len(names))
	for i, label := range c.labels {
		if label < 0 {
			continue
		}
		class := &all[label]
		class.Class = names[label]
		class.Pictures++
		if c.base[i] == label {
			class.Base++
		}
		if c.run[i] == label {
			class.Run++
		}
	}
	all = slices.DeleteFunc(all, func(c Class) bool { return c.Pictures == 0 })
	slices.SortFunc(all, func(a, b Class) int {
		return cmp.Or(cmp.Compare(b.Change(), a.Change()), cmp.Compare(a.Class, b.Class))
	})
	return all
}

// adjust corrects the p of several comparisons: that of rank i, from 0, of m, times
// m - i, never below those before it.
func adjust(pairs []Pair) {
	var order []*Difference
	for _, p := range pairs {
		if p.Difference != nil {
			order = append(order, p.Difference)
		}
	}
	slices.SortStableFunc(order, func(a, b *Difference) int { return cmp.Compare(a.P, b.P) })
	least := 0.0
	for i, d := range order {
		least = max(least, min(1, d.P*float64(len(order)-i)))
		d.Adjusted = least
	}
}
