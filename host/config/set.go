package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// set makes one assignment of --set.
func (l *loader) set(assignment string) {
	l.source = place{origin: "--set " + shorten(assignment), base: l.working, order: max(l.source.order, 1) + 1}
	name, text, ok := strings.Cut(assignment, "=")
	if !ok || name == "" {
		l.faults.add(l.source, "", "an assignment is wanted: KEY=VALUE")
		return
	}
	// models[0].path is models.0.path.
	steps := strings.Split(strings.NewReplacer("[", ".", "]", "").Replace(name), ".")
	key := Root()
	for i, step := range steps {
		switch key.Kind {
		case Section:
			child := key.child(step)
			if child == nil {
				l.faults.add(l.source, join(key.Path, step), "%v", unknownKey{key, key.Path, step})
				return
			}
			key = child
		case Items:
			l.setItem(key, steps[i:], text)
			return
		case Mapping:
			l.setParameter(key, steps[i:], text)
			return
		default:
			l.faults.add(l.source, name, "%s has no keys: it is %s", key.Path, wanted[key.Kind])
			return
		}
	}
	l.assign(key, key.Path, text, l.override)
}

// override puts a value over every other source.
func (l *loader) override(key *Key, value any) { l.viper.Set(viperKey(key), value) }

// setItem sets one item of a list of sections, or one key of one. The index
// behind the last makes a new item.
func (l *loader) setItem(key *Key, steps []string, text string) {
	list, _ := l.viper.Get(viperKey(key)).([]any)
	i, err := strconv.Atoi(steps[0])
	if err != nil || i < 0 || i > len(list) {
		l.faults.add(l.source, join(key.Path, steps[0]), "an index is wanted, 0 to %d", len(list))
		return
	}
	list = slices.Clone(list)
	if i == len(list) {
		list = append(list, map[string]any{})
	}
	path := index(key.Path, i)
	if len(steps) == 1 {
		n, err := textNode(key, text)
		if err != nil {
			l.faults.add(l.source, path, "%v", err)
			return
		}
		r := l.reader()
		list[i] = r.item(key, path, n)
		l.keep(r)
		l.override(key, list)
		return
	}
	child := key.child(steps[1])
	if child == nil || len(steps) > 2 {
		l.faults.add(l.source, join(path, strings.Join(steps[1:], ".")), "%v", unknownKey{key, path, steps[1]})
		return
	}
	l.assign(child, join(path, child.Name), text, func(_ *Key, value any) {
		item := maps.Clone(list[i].(map[string]any))
		item[child.Name] = value
		list[i] = item
		l.override(key, list)
	})
}

// setParameter sets one of a plugin's parameters; steps lead to it.
func (l *loader) setParameter(key *Key, steps []string, text string) {
	path := join(key.Path, strings.Join(steps, "."))
	n, err := textNode(key, text)
	if err != nil {
		l.faults.add(l.source, path, "%v", err)
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
			l.faults.add(l.source, path, "%s is no mapping", step)
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
	l.places[path] = l.source
	l.override(key, params)
}
