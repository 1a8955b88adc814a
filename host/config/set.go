package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// putter takes the value of a key over from a source.
type putter func(key *Key, value any)

// set makes one assignment of --set.
func (l *loader) set(assignment string) {
	l.source = place{origin: "--set " + shorten(assignment), base: l.working, order: max(l.source.order, 1) + 1}
	l.assignment(assignment, l.override)
}

// override puts a value over every other source.
func (l *loader) override(key *Key, value any) { l.viper.Set(viperKey(key), value) }

// assignment makes one assignment KEY=VALUE of the source in hand.
func (l *loader) assignment(text string, put putter) {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		l.faults.add(l.source, "", "an assignment is wanted: KEY=VALUE")
		return
	}
	l.reach(l.source, name, func(key *Key) (*yaml.Node, error) { return textNode(key, value) }, put)
}

// valueNode is the node that is to become a key's value.
type valueNode func(*Key) (*yaml.Node, error)

// reach gives a value to a key, or to what lies within one: models[0].path, or
// models.0.path, label.selection.params.k. The name stands at a place.
func (l *loader) reach(at place, name string, node valueNode, put putter) {
	steps := strings.Split(strings.NewReplacer("[", ".", "]", "").Replace(name), ".")
	key := Root()
	for i, step := range steps {
		switch key.Kind {
		case Section:
			child := key.child(step)
			if child == nil {
				l.faults.add(at, join(key.Path, step), "%v", unknownKey{key, key.Path, step})
				return
			}
			key = child
		case Items:
			l.setItem(at, key, steps[i:], node, put)
			return
		case Mapping:
			l.setParameter(at, key, steps[i:], node, put)
			return
		default:
			l.faults.add(at, name, "%s has no keys: it is %s", key.Path, wanted[key.Kind])
			return
		}
	}
	l.assign(at, key, key.Path, node, put)
}

// setItem sets one item of a list of sections, or one key of one. The index
// behind the last makes a new item.
func (l *loader) setItem(at place, key *Key, steps []string, node valueNode, put putter) {
	list, _ := l.viper.Get(viperKey(key)).([]any)
	i, err := strconv.Atoi(steps[0])
	if err != nil || i < 0 || i > len(list) {
		l.faults.add(at, join(key.Path, steps[0]), "an index is wanted, 0 to %d", len(list))
		return
	}
	list = slices.Clone(list)
	if i == len(list) {
		list = append(list, map[string]any{})
	}
	path := index(key.Path, i)
	if len(steps) == 1 {
		n, err := node(key)
		if err != nil {
			l.faults.add(at, path, "%v", err)
			return
		}
		r := l.reader()
		list[i] = r.item(key, path, n)
		l.keep(r)
		put(key, list)
		return
	}
	child := key.child(steps[1])
	if child == nil || len(steps) > 2 {
		l.faults.add(at, join(path, strings.Join(steps[1:], ".")), "%v", unknownKey{key, path, steps[1]})
		return
	}
	l.assign(at, child, join(path, child.Name), node, func(_ *Key, value any) {
		item := maps.Clone(list[i].(map[string]any))
		item[child.Name] = value
		list[i] = item
		put(key, list)
	})
}

// setParameter sets one of a plugin's parameters; steps lead to it.
func (l *loader) setParameter(at place, key *Key, steps []string, node valueNode, put putter) {
	path := join(key.Path, strings.Join(steps, "."))
	n, err := node(key)
	if err != nil {
		l.faults.add(at, path, "%v", err)
		return
	}
	value, ok := l.reader().plain(path, n)
	if !ok {
		return
	}
	params, _ := l.viper.Get(viperKey(key)).(Params)
	params = maps.Clone(params)
	inner := map[string]any(params)
	for _, step := range steps[:len(steps)-1] {
		next, isMapping := inner[step].(map[string]any)
		if !isMapping && inner[step] != nil {
			l.faults.add(at, path, "%s is no mapping", step)
			return
		}
		next = maps.Clone(next)
		if next == nil {
			next = make(map[string]any)
		}
		inner[step] = next
		inner = next
	}
	inner[steps[len(steps)-1]] = value
	l.places[path] = at
	put(key, params)
}
