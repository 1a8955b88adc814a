package arrays

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/host/label"
	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/session"
)

// Report is what a job did, as --json prints it.
type Report struct {
	Policy *Policy `json:"policy"`
	// Ensemble made what a selection chose from; absent where that was the only
	// model, and of Combine.
	Ensemble        *Policy  `json:"ensemble,omitempty"`
	EnsembleSeconds float64  `json:"ensemble_seconds,omitempty"`
	Rows            int      `json:"rows"`
	Classes         int      `json:"classes"`
	Models          []string `json:"models"`
	// Selected is of Select alone.
	Selected *Selected `json:"selected,omitempty"`
	Metrics  []Metric  `json:"metrics"`
	Log      []Line    `json:"log"`
	Warnings []string  `json:"warnings"`
	// Seconds are those of the policy over the data: the host's views, the
	// policy, and reading; not loading it, nor writing.
	Seconds               float64 `json:"seconds"`
	SecondsPerMillionRows float64 `json:"seconds_per_million_rows"`
	Output                string  `json:"output"`

	looks bool // a policy asks for features
}

// Policy says which policy ran.
type Policy struct {
	Name    string          `json:"name"`
	Version string          `json:"version"`
	Path    string          `json:"path"`
	Hash    string          `json:"hash"`
	Params  json.RawMessage `json:"params,omitempty"`
}

// Metric is a number that a policy reported.
type Metric struct {
	Plugin string  `json:"plugin"`
	Name   string  `json:"name"`
	Round  int     `json:"round"`
	Value  float64 `json:"value"`
}

// Line is a line that a policy logged; Row is -1 where it looked at no batch.
type Line struct {
	Plugin string `json:"plugin"`
	Level  string `json:"level"`
	Round  int    `json:"round"`
	Row    int    `json:"row"`
	Rows   int    `json:"rows"`
	Text   string `json:"text"`

	said session.Line
}

// String says it for people.
func (l Line) String() string { return label.Say(l.Plugin, l.said) }

// Selected counts what was selected.
type Selected struct {
	Hard       int `json:"hard"` // labels: a row may have several
	Soft       int `json:"soft"`
	Candidates int `json:"candidates"`
	Drops      int `json:"drops"`
	// Labels measures hard labels, and the first class of soft ones.
	Labels evaluate.PseudoLabelMeasures `json:"labels"`
	Sets   *evaluate.SetMeasures        `json:"candidate_sets,omitempty"`
}

func newReport(d *data, output string) *Report {
	return &Report{
		Rows: d.rows, Classes: d.classes, Models: d.input.ModelNames, Output: output,
		Metrics: []Metric{}, Log: []Line{}, Warnings: []string{},
	}
}

// use is a policy that is about to run.
func (r *Report) use(p *label.Policy) *Policy {
	r.looks = r.looks || p.AsksForFeatures()
	return &Policy{Name: p.Name, Version: p.Version, Path: p.Path, Hash: p.Hash, Params: p.Params}
}

func (r *Report) warn(format string, arguments ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, arguments...))
}

// warnUnseenFeatures says that features are given to who does not look at them.
func (r *Report) warnUnseenFeatures(d *data) {
	if d.input.GrantFeatures && !r.looks {
		r.warn("policy %s does not look at features", r.Policy.Name)
	}
}

func (r *Report) hear(p *label.Policy, told plugins.Record) {
	for _, m := range told.Metrics {
		r.Metrics = append(r.Metrics, Metric{p.Name, m.Name, m.Round, m.Value})
	}
	for _, l := range told.Log {
		r.Log = append(r.Log, Line{p.Name, level(l.Level), l.Round, l.Row, l.Rows, l.Text, l})
	}
}

func level(l sdk.Level) string {
	return [...]string{"debug", "info", "warning", "error"}[l]
}

func (r *Report) took(d time.Duration) {
	r.Seconds = d.Seconds()
	if r.Rows > 0 {
		r.SecondsPerMillionRows = r.Seconds / float64(r.Rows) * 1e6
	}
}

// measure counts a selection and holds it against the labels, -1 where unknown.
func (r *Report) measure(s plugins.Selection, labels []int, classNames []string) error {
	picks := make([]evaluate.Pick, 0, len(s.Labels)+len(s.Soft))
	for _, l := range s.Labels {
		picks = append(picks, evaluate.Pick{Row: l.Row, Class: l.Class})
	}
	for _, l := range s.Soft {
		picks = append(picks, evaluate.Pick{Row: l.Row, Class: first(l.P)})
	}
	measures, err := evaluate.PseudoLabels(picks, labels, classNames, 0)
	if err != nil {
		return fmt.Errorf("evaluating: %w", err)
	}
	sets := make([]evaluate.Pick, len(s.Candidates))
	for i, c := range s.Candidates {
		sets[i] = evaluate.Pick{Row: c.Row, Class: c.Classes[0], Set: c.Classes}
	}
	ofSets, err := evaluate.PseudoLabels(sets, labels, classNames, 0)
	if err != nil {
		return fmt.Errorf("evaluating: %w", err)
	}
	r.Selected = &Selected{
		Hard: len(s.Labels), Soft: len(s.Soft), Candidates: len(s.Candidates), Drops: len(s.Drops),
		Labels: measures, Sets: ofSets.Sets,
	}
	switch n := len(measures.EmptyClasses); {
	case s.Empty():
		r.warn("nothing was selected")
	case n > 0 && len(picks) > 0:
		r.warn("%d of %d classes have no pseudo label", n, r.Classes)
	}
	return nil
}

// first is the most probable class; of equals the lowest.
func first(p []sdk.Candidate) int {
	best := p[0]
	for _, c := range p[1:] {
		if c.P > best.P {
			best = c
		}
	}
	return int(best.Class)
}
