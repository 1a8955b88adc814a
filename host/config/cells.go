package config

import (
	"math"

	"go.yaml.in/yaml/v3"
)

// files reads one path or several, absolute.
func (r *reader) files(key *Key, path string, n *yaml.Node) (any, bool) {
	if text, ok := stringOf(n); ok {
		file, ok := r.resolve(key, path, text)
		name, _ := file.(string)
		return Files{name}, ok
	}
	texts, whole := elements(r, path, n, wanted[Paths], stringOf)
	files := make(Files, len(texts))
	for i, text := range texts {
		r.places[index(path, i)] = r.at(n.Content[i])
		file, ok := r.resolve(key, index(path, i), text)
		files[i], _ = file.(string)
		whole = whole && ok
	}
	return files, whole
}

// counts reads a list of positive integers.
func (r *reader) counts(path string, n *yaml.Node) (any, bool) {
	list, ok := elements(r, path, n, "an integer from 1 on", func(n *yaml.Node) (int64, bool) {
		v, ok := integer(n)
		return v, ok && v >= 1 && v <= math.MaxInt32
	})
	return Counts(list), ok
}

// cells reads the cells of an axis: names, or sections.
func (r *reader) cells(key *Key, path string, n *yaml.Node) (any, bool) {
	if n.Kind != yaml.SequenceNode {
		r.faults.add(r.at(n), path, "a list is wanted, not %s", describe(n))
		return nil, false
	}
	whole := true
	list := make([]Cell, len(n.Content))
	for i, item := range n.Content {
		cell, ok := r.cell(key, index(path, i), item)
		list[i], whole = cell, whole && ok
	}
	return list, whole
}

func (r *reader) cell(key *Key, path string, n *yaml.Node) (Cell, bool) {
	r.places[path] = r.at(n)
	cell := Cell{at: r.at(n)}
	if n.Kind == yaml.MappingNode {
		before := len(r.faults.list) + r.faults.more
		values := r.item(key, path, n)
		cell.Name, _ = values["name"].(string)
		cell.Like, _ = values["like"].(string)
		cell.Ignores, _ = values["ignores"].([]string)
		cell.keys, _ = values["set"].(*yaml.Node)
		if len(r.faults.list)+r.faults.more > before {
			return cell, false
		}
	} else if name, ok := stringOf(n); ok {
		cell.Name = name
	} else {
		r.faults.add(r.at(n), path, "a name is wanted, or a section with a name, not %s", describe(n))
		return cell, false
	}
	if name := key.child("name"); !name.pattern.MatchString(cell.Name) {
		r.faults.add(cell.at, join(path, "name"), "a name is wanted that %s", name.Allowed)
		return cell, false
	}
	return cell, true
}
