package trial

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/host/label"
	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
)

// Result is what a policy made of a run's probabilities.
type Result struct {
	Policy  string          `json:"policy"`
	Version string          `json:"version"`
	Kind    sdk.Kind        `json:"kind"`
	Path    string          `json:"path"`
	Hash    string          `json:"hash"`
	Params  json.RawMessage `json:"params,omitempty"`
	Run     string          `json:"run"`
	Rows    int             `json:"rows"`
	Classes int             `json:"classes"`
	Models  []string        `json:"models"`

	Selection *Selection `json:"selection,omitempty"`
	Ensemble  *Ensemble  `json:"ensemble,omitempty"`

	Rounds  int      `json:"rounds"`
	Metrics []Metric `json:"metrics,omitempty"`
	Log     []string `json:"log,omitempty"`
	Notes   []string `json:"notes,omitempty"` // what the trial had to do without
	Seconds float64  `json:"seconds"`
	// PerMillionRows is what as many rows take at this rate, in seconds; nil without rows.
	PerMillionRows *float64 `json:"seconds_per_million_rows,omitempty"`
}

// Metric is a number that the policy reported.
type Metric struct {
	Name  string  `json:"name"`
	Round int     `json:"round"`
	Value float64 `json:"value"`
}

// Selection is what a selection policy selected.
type Selection struct {
	// PseudoLabelMeasures are of the hard labels and, as their most probable class,
	// of the soft ones.
	evaluate.PseudoLabelMeasures
	Soft       int `json:"soft_labels,omitempty"`
	Candidates int `json:"candidate_sets,omitempty"`
	// CandidatesRight is the share of candidate sets that have the label, of those
	// whose label is known.
	CandidatesRight *float64 `json:"candidate_sets_right,omitempty"`
	Drops           int      `json:"dropped_rows,omitempty"`
	// Overlap is with the run's own pseudo labels; nil where it has none.
	Overlap *Overlap `json:"overlap,omitempty"`
}

// Overlap compares two sets of pictures with pseudo labels.
type Overlap struct {
	Same       int `json:"same"`        // picture and class
	OtherClass int `json:"other_class"` // pictures that both have, as no class in common
	OnlyHere   int `json:"only_here"`   // pictures
	OnlyRun    int `json:"only_run"`    // pictures
}

// Ensemble is what an ensemble policy made of the models.
type Ensemble struct {
	evaluate.Measures
	// Models are each model alone.
	Models []Accuracy `json:"models"`
	// Changed is how many predictions differ from those of the run's own ensemble; nil
	// where it has none.
	Changed *int `json:"changed,omitempty"`
}

// Accuracy is a model's; nil without labels.
type Accuracy struct {
	Name string   `json:"name"`
	Top1 *float64 `json:"top1,omitempty"`
}

// ErrUnfinished says that a run has not got as far as the trial needs.
var ErrUnfinished = errors.New("the run has not got that far")

// Try runs a policy on a run's probabilities with its features granted. A selection
// may emit all kinds of records. Errors are the policy's, or ErrUnfinished.
func (r *Run) Try(ctx context.Context, policy *plugins.Policy, params json.RawMessage) (*Result, error) {
	result := &Result{
		Policy: policy.Name, Version: policy.Version, Kind: policy.Kind, Path: policy.Path, Hash: policy.Hash, Params: params,
		Run: r.Path, Notes: r.notes, Rows: len(r.labels), Classes: len(r.ClassNames), Models: r.ModelNames,
	}
	in := plugins.Input{
		ClassNames: r.ClassNames, ModelNames: r.ModelNames, LogitScales: r.scales, Prior: r.prior, Seed: r.seed, Params: params,
		Features: r.images, TextFeatures: r.texts,
		Takes: []sdk.EmitKind{sdk.EmitSoft, sdk.EmitCandidates, sdk.EmitDrop},
	}
	for _, m := range r.models {
		in.Models = append(in.Models, m)
	}
	try := r.trySelection
	if policy.Kind == sdk.KindEnsemble {
		try = r.tryEnsemble
	}
	record, err := try(ctx, policy, in, result)
	if err != nil {
		return nil, err
	}
	result.Rounds = record.Rounds
	for _, m := range record.Metrics {
		result.Metrics = append(result.Metrics, Metric(m))
	}
	for _, line := range record.Log {
		result.Log = append(result.Log, label.Say(policy.Name, line))
	}
	if result.Rows > 0 {
		rate := result.Seconds * 1e6 / float64(result.Rows)
		result.PerMillionRows = &rate
	}
	return result, nil
}

func (r *Run) trySelection(ctx context.Context, policy *plugins.Policy, in plugins.Input, result *Result) (plugins.Record, error) {
	if r.ensemble.Cols == 0 {
		return plugins.Record{}, fmt.Errorf("%w: it has no probabilities/ensemble.npy: let its stage combine finish", ErrUnfinished)
	}
	in.Ensemble = r.ensemble
	began := time.Now()
	selected, err := policy.Select(ctx, in)
	if err != nil {
		return selected.Record, err
	}
	result.Seconds = time.Since(began).Seconds()
	result.Selection, err = r.judge(&selected)
	return selected.Record, err
}

// judge measures a selection.
func (r *Run) judge(selected *plugins.Selection) (*Selection, error) {
	s := &Selection{Soft: len(selected.Soft), Candidates: len(selected.Candidates), Drops: len(selected.Drops)}
	var picks []pick
	for _, l := range selected.Labels {
		picks = append(picks, pick{l.Row, l.Class})
	}
	for _, l := range selected.Soft {
		// Of equals the first.
		most := slices.MaxFunc(l.P, func(a, b sdk.Candidate) int { return cmp.Compare(a.P, b.P) })
		picks = append(picks, pick{l.Row, int(most.Class)})
	}
	measured := make([]evaluate.Pick, len(picks))
	for i, p := range picks {
		measured[i] = evaluate.Pick{Row: p.row, Class: p.class, Probability: r.ensemble.Row(p.row)[p.class]}
	}
	var err error
	if s.PseudoLabelMeasures, err = evaluate.PseudoLabels(measured, r.labels, r.ClassNames, evaluate.ConfidenceBins); err != nil {
		return nil, err
	}
	known, right := 0, 0
	for _, c := range selected.Candidates {
		if label := r.labels[c.Row]; label >= 0 {
			known++
			if slices.Contains(c.Classes, label) {
				right++
			}
		}
	}
	s.CandidatesRight = share(right, known)
	if r.hasOwn {
		s.Overlap = overlap(picks, r.own)
	}
	return s, nil
}

// overlap compares pseudo labels with those of a run.
func overlap(here, run []pick) *Overlap {
	rows := func(picks []pick) map[int][]int {
		classes := map[int][]int{}
		for _, p := range picks {
			classes[p.row] = append(classes[p.row], p.class)
		}
		return classes
	}
	o := &Overlap{}
	mine, theirs := rows(here), rows(run)
	for row, classes := range mine {
		others, both := theirs[row]
		same := 0
		for _, c := range classes {
			if slices.Contains(others, c) {
				same++
			}
		}
		switch o.Same += same; {
		case !both:
			o.OnlyHere++
		case same == 0:
			o.OtherClass++
		}
	}
	for row := range theirs {
		if _, both := mine[row]; !both {
			o.OnlyRun++
		}
	}
	return o
}

// tryEnsemble runs the policy twice: for the time it takes, and, since measuring
// takes longer than most policies do, for the measures.
func (r *Run) tryEnsemble(ctx context.Context, policy *plugins.Policy, in plugins.Input, result *Result) (plugins.Record, error) {
	began := time.Now()
	if record, err := policy.Combine(ctx, in, func(int, []float32) error { return nil }); err != nil {
		return record, err
	}
	result.Seconds = time.Since(began).Seconds()
	combined := evaluate.NewClassification(r.ClassNames, evaluate.CalibrationBins)
	e := &Ensemble{}
	if r.ensemble.Cols > 0 {
		e.Changed = new(int)
	}
	record, err := policy.Combine(ctx, in, func(first int, rows []float32) error {
		for i := range len(rows) / len(r.ClassNames) {
			row := rows[i*len(r.ClassNames) : (i+1)*len(r.ClassNames)]
			if err := combined.Add(row, r.labels[first+i]); err != nil {
				return err
			}
			if e.Changed != nil && evaluate.Argmax(row) != evaluate.Argmax(r.ensemble.Row(first+i)) {
				*e.Changed++
			}
		}
		return nil
	})
	if err != nil {
		return record, err
	}
	e.Measures = combined.Measures()
	for m, name := range r.ModelNames {
		e.Models = append(e.Models, Accuracy{name, r.accuracy(r.models[m])})
	}
	result.Ensemble = e
	return record, nil
}

// accuracy is the share of the labelled rows whose first class is the label; nil
// without any.
func (r *Run) accuracy(p label.Matrix) *float64 {
	known, right := 0, 0
	for i, class := range r.labels {
		if class < 0 {
			continue
		}
		if known++; evaluate.Argmax(p.Row(i)) == class {
			right++
		}
	}
	return share(right, known)
}

// share is a part of a whole; nil of nothing.
func share(part, whole int) *float64 {
	if whole == 0 {
		return nil
	}
	s := float64(part) / float64(whole)
	return &s
}
