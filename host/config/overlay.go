package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/upl-host/upl-host/host/dataset/layout"
)

// overlay is what a cell of a matrix puts over the file.
type overlay struct {
	// at is where the cell stands.
	at place
	// train is the model that comes first; empty: as it is.
	train string
	// assign are KEY=VALUE as --set has them, keys the cell's own keys over them.
	assign []string
	keys   *yaml.Node
	// alone leaves the first model alone; several wants more than it.
	alone, several bool
	// k is the number of pictures a class, 0 for none.
	k string
}

// resolution is what a cell stands for.
type resolution struct {
	overlay
	ignores []string
}

// resolve finds out what a cell of an axis stands for.
func (e *expansion) resolve(axis string, cell *Cell) resolution {
	r := resolution{overlay: overlay{at: cell.at, keys: cell.keys}, ignores: cell.Ignores}
	behind := axisNames[slices.Index(axisNames, axis)+1:]
	for _, name := range cell.Ignores {
		if !slices.Contains(behind, name) {
			e.faults.add(cell.at, join("matrix", axis), "%s ignores %s: it can ignore an axis behind its own%s", cell.Name, name, hint(name, behind))
		}
	}
	like := cell.Like
	if like == "" {
		like = cell.Name
	}
	// A name of the user's own, with keys of its own, need not be known.
	own := cell.Like == "" && cell.keys != nil
	switch axis {
	case axisDatasets:
		if kinds := layout.Kinds(); slices.Contains(kinds, like) {
			r.assign = []string{"dataset.kind=" + like}
		} else if !own {
			e.unknown(axis, cell, like, "kind of data set", kinds)
		}
	case axisModels:
		if names := e.modelNames(); cell.Like != "" || !own || slices.Contains(names, like) {
			r.train = like
			if !slices.Contains(names, like) {
				e.unknown(axis, cell, like, "model of models", names)
			}
		}
	case axisMethods:
		if method := knownMethod(like); method != nil {
			r.assign, r.alone, r.several = method.assign, method.alone, strings.HasSuffix(method.name, star)
			r.ignores = append(slices.Clone(r.ignores), method.ignores...)
		} else if !own {
			e.unknown(axis, cell, like, "method", methodNames())
		}
	case axisStrategies:
		rule, isKnown := strategies[like]
		if isKnown || !own {
			r.assign = []string{fmt.Sprintf("label.selection={plugin: %q, params: {}}", like)}
		}
		if rule.withoutK {
			r.ignores = append(slices.Clone(r.ignores), axisK)
		}
	case axisK:
		r.k = cell.Name
	case axisSeeds:
		r.assign = []string{"learn.seeds=[" + cell.Name + "]"}
	}
	return r
}

// unknown reports a name that stands for nothing.
func (e *expansion) unknown(axis string, cell *Cell, name, what string, known []string) {
	e.faults.add(cell.at, join("matrix", axis), "%s is no %s%s; a name of your own wants keys: {name: %s, set: {…}}", name, what, hint(name, known), cell.Name)
}

// modelNames are those of the file's models.
func (l *loader) modelNames() []string {
	list, _ := l.viper.Get("models").([]any)
	names := make([]string, len(list))
	for i, item := range list {
		names[i] = nameOfModel(item)
	}
	return names
}

// nameOfModel is the name that a model has, or gets.
func nameOfModel(item any) string {
	model, _ := item.(map[string]any)
	if name, _ := model["name"].(string); name != "" {
		return name
	}
	path, _ := model["path"].(string)
	return filepath.Base(path)
}

// overlay puts a cell's values over those of the file.
func (l *loader) overlay(o overlay) {
	before := [...]place{l.places["name"], l.places["run.out"]}
	l.source = o.at
	if o.train != "" {
		l.train(o.train)
	}
	for _, assignment := range o.assign {
		l.assignment(assignment, l.merge)
	}
	if o.k != "" {
		key := "label.selection.params.k="
		if l.viper.GetString(viperPath("learn.labels")) == LabelsTrue {
			key = "learn.shots="
		}
		l.assignment(key+o.k, l.merge)
	}
	if o.keys != nil {
		l.source.line, l.source.column = 0, 0 // its keys have places of their own
		l.cellKeys(o.keys)
	}
	for i, key := range []string{"name", "run.out"} {
		if at := l.places[key]; at != before[i] {
			l.faults.add(at, key, "a cell cannot set it: a matrix names its runs and their folders itself")
		}
	}
	l.oneModel(o)
}

// oneModel holds a cell's models to what its method takes.
func (l *loader) oneModel(o overlay) {
	list, _ := l.viper.Get("models").([]any)
	switch {
	case o.alone && len(list) > 1:
		l.merge(Root().child("models"), slices.Clone(list[:1]))
	case o.several && len(list) == 1:
		l.faults.add(o.at, "models", "a method with a star takes pseudo labels of several models, and there is one")
	}
}

// cellKeys reads the keys of a cell, plain or with dots.
func (l *loader) cellKeys(n *yaml.Node) {
	plain := *n
	plain.Content = nil
	var dotted []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		pair := n.Content[i : i+2]
		if strings.Contains(pair[0].Value, ".") {
			dotted = append(dotted, pair...)
		} else {
			plain.Content = append(plain.Content, pair...)
		}
	}
	r := l.reader()
	r.section(Root(), "", &plain, l.merge)
	l.keep(r)
	for i := 0; i < len(dotted); i += 2 {
		l.reach(r.at(dotted[i]), dotted[i].Value, func(*Key) (*yaml.Node, error) { return dotted[i+1], nil }, l.merge)
	}
}

// train moves a model to the front of models, with the places of its keys.
func (l *loader) train(name string) {
	list, _ := l.viper.Get("models").([]any)
	chosen := slices.IndexFunc(list, func(item any) bool { return nameOfModel(item) == name })
	if chosen <= 0 {
		return // it is first, or the models are another cell's
	}
	moved := make(map[string]place)
	order := []any{list[chosen]}
	for i, item := range list {
		to := len(order)
		if i == chosen {
			to = 0
		} else {
			order = append(order, item)
		}
		prefix := index("models", i)
		for path, p := range l.places {
			if rest, ok := strings.CutPrefix(path, prefix); ok {
				moved[index("models", to)+rest] = p
			}
		}
	}
	forget(l.places, "models")
	maps.Copy(l.places, moved)
	l.merge(Root().child("models"), order)
}

// viperPath is viper's key of a configuration's.
func viperPath(path string) string { return strings.ReplaceAll(path, ".", delimiter) }
