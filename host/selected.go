package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/arrays"
	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/host/learn"
	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
)

const (
	pseudoLabelsName = "pseudo_labels.csv"
	// recordsName is the selection as the policy emitted it, where pseudo_labels.csv
	// does not say all of it: soft labels, candidate sets, dropped pictures.
	recordsName = "pseudo_labels.npz"
)

// learnable are the kinds of records that a policy may emit beside hard labels: what
// every method learns from.
var learnable = []sdk.EmitKind{sdk.EmitSoft, sdk.EmitDrop, sdk.EmitCandidates}

// keepSelection writes a selection's files below a place, "" or "rounds/1/".
// ensemble are the probabilities that were chosen from.
func (r *run) keepSelection(place string, s plugins.Selection, ensemble array.Matrix) ([]string, error) {
	picks := picksOf(s, ensemble)
	rows := make([]evaluate.PseudoLabel, len(picks))
	for i, p := range picks {
		rows[i] = evaluate.PseudoLabel{
			Path: r.data.Pictures[r.kept.unlabeled[p.row]].ID, Class: r.classNames[p.class],
			Weight: p.weight, Probability: p.probability,
		}
	}
	table, records := place+pseudoLabelsName, place+recordsName
	if err := os.MkdirAll(filepath.Dir(r.folder.Join(table)), 0o755); err != nil {
		return nil, fmt.Errorf("making the run's folders: %w", err)
	}
	outputs := []string{table}
	if err := evaluate.WritePseudoLabels(r.folder.Join(table), rows); err != nil {
		return nil, err
	}
	if len(s.Soft)+len(s.Candidates)+len(s.Drops) > 0 {
		return append(outputs, records), arrays.WriteSelection(r.folder.Join(records), s, len(r.classNames))
	}
	// What an earlier selection left would be read with this one.
	if err := os.Remove(r.folder.Join(records)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("removing what an earlier selection left: %w", err)
	}
	return outputs, nil
}

// pick is a pseudo label as indices.
type pick struct {
	row, class  int // of the unlabeled pictures, of the classes
	weight      float32
	probability float32 // of class
	soft        []float32
	set         []int
}

// label is what is learned of it.
func (p pick) label() learn.Label {
	return learn.Label{Class: p.class, Weight: p.weight, Soft: p.soft, Set: p.set}
}

// measured is what is measured of it.
func (p pick) measured() evaluate.Pick {
	return evaluate.Pick{Row: p.row, Class: p.class, Probability: p.probability, Soft: p.soft != nil, Set: p.set}
}

// picksOf are a selection's labels by row, then class. The class of a soft label,
// and of a candidate set, is the likeliest: of the label, of the ensemble.
func picksOf(s plugins.Selection, ensemble array.Matrix) []pick {
	picks := make([]pick, 0, len(s.Labels)+len(s.Soft)+len(s.Candidates))
	for _, l := range s.Labels {
		picks = append(picks, pick{row: l.Row, class: l.Class, weight: l.Weight})
	}
	for _, l := range s.Soft {
		p := pick{row: l.Row, weight: l.Weight, soft: make([]float32, ensemble.Cols)}
		for _, c := range l.P {
			p.soft[c.Class] = c.P
		}
		p.class = evaluate.Argmax(p.soft)
		picks = append(picks, p)
	}
	for _, l := range s.Candidates {
		p := pick{row: l.Row, weight: l.Weight, set: l.Classes, class: l.Classes[0]}
		for _, c := range l.Classes {
			if ensemble.Row(l.Row)[c] > ensemble.Row(l.Row)[p.class] {
				p.class = c
			}
		}
		picks = append(picks, p)
	}
	for i, p := range picks {
		picks[i].probability = ensemble.Row(p.row)[p.class]
	}
	slices.SortStableFunc(picks, func(a, b pick) int { return a.row - b.row })
	return picks
}

// picks reads the run's pseudo labels back as indices.
func (r *run) picks() ([]pick, error) {
	picks, _, err := r.picksAt("")
	return picks, err
}

// picksAt reads the pseudo labels below a place, and how many pictures were dropped.
func (r *run) picksAt(place string) (picks []pick, dropped int, err error) {
	table := r.folder.Join(place + pseudoLabelsName)
	labels, err := evaluate.ReadPseudoLabels(table)
	if err != nil {
		return nil, 0, err
	}
	rows := make(map[string]int, len(r.kept.unlabeled))
	for row, i := range r.kept.unlabeled {
		rows[r.data.Pictures[i].ID] = row
	}
	classes := make(map[string]int, len(r.classNames))
	for c, name := range r.classNames {
		classes[name] = c
	}
	picks = make([]pick, len(labels))
	for i, l := range labels {
		row, known := rows[l.Path]
		class, knownClass := classes[l.Class]
		if !known || !knownClass {
			return nil, 0, fmt.Errorf("%s: %s as %q: no such unlabeled picture or class", table, l.Path, l.Class)
		}
		picks[i] = pick{row: row, class: class, weight: l.Weight, probability: l.Probability}
	}
	dropped, err = r.addRecords(place, picks)
	return picks, dropped, err
}

// addRecords gives picks what pseudo_labels.csv does not say of them.
func (r *run) addRecords(place string, picks []pick) (dropped int, err error) {
	path := r.folder.Join(place + recordsName)
	s, err := arrays.ReadSelection(path, len(r.kept.unlabeled), len(r.classNames))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	places := make(map[int]int, len(picks))
	for i, p := range picks {
		places[p.row] = i
	}
	for _, l := range s.Soft {
		i, there := places[l.Row]
		if !there {
			return 0, fmt.Errorf("%s: row %d is not in %s", path, l.Row, pseudoLabelsName)
		}
		picks[i].soft = make([]float32, len(r.classNames))
		for _, c := range l.P {
			picks[i].soft[c.Class] = c.P
		}
	}
	for _, l := range s.Candidates {
		i, there := places[l.Row]
		if !there {
			return 0, fmt.Errorf("%s: row %d is not in %s", path, l.Row, pseudoLabelsName)
		}
		picks[i].set = l.Classes
	}
	return len(s.Drops), nil
}

// warnEmptyClasses reports classes that no picture was picked for; training goes on.
func (r *run) warnEmptyClasses(s plugins.Selection) {
	named := make([]bool, len(r.classNames))
	for _, l := range s.Labels {
		named[l.Class] = true
	}
	for _, l := range s.Soft {
		for _, c := range l.P {
			named[c.Class] = named[c.Class] || c.P > 0
		}
	}
	for _, l := range s.Candidates {
		for _, c := range l.Classes {
			named[c] = true
		}
	}
	var empty []string
	for c, is := range named {
		if !is {
			empty = append(empty, r.classNames[c])
		}
	}
	if len(empty) > 0 {
		r.warn("%d of %d classes have no pseudo label: %s", len(empty), len(named), shortList(empty))
	}
}
