package config

import (
	"fmt"
	"strings"
)

// unknownKey is the message that a section, at a path, has no key of a name. It
// is worked out where it is shown.
type unknownKey struct {
	section    *Key
	path, name string
}

// String names the nearest key, or else those that there are.
func (u unknownKey) String() string {
	section, path, name := u.section, u.path, u.name
	if near := nearestKey(section, path, name); near != "" {
		return fmt.Sprintf("unknown key; did you mean %s?", near)
	}
	names := make([]string, len(section.Keys))
	for i, k := range section.Keys {
		if k.Kind == Mapping {
			return fmt.Sprintf("unknown key; a parameter of the plugin is %s", join(join(path, k.Name), shorten(name)))
		}
		names[i] = k.Name
	}
	where := "the configuration"
	if path != "" {
		where = path
	}
	return fmt.Sprintf("unknown key; %s has %s", where, strings.Join(names, ", "))
}

// nearestKey returns the key that a user most likely meant: of the same
// section, or of that name elsewhere; or "".
func nearestKey(section *Key, path, name string) string {
	siblings := make([]string, len(section.Keys))
	for i, k := range section.Keys {
		siblings[i] = k.Name
	}
	if section == Root() {
		for _, k := range FileRoot().Keys {
			siblings = append(siblings, k.Name)
		}
	}
	if near := nearest(name, siblings); near != "" {
		return join(path, near)
	}
	var elsewhere string
	roots := []*Key{Root()}
	if section == Root() || section.Struct == "File" || section.Struct == "Axes" {
		roots = append(roots, FileRoot())
	}
	for _, root := range roots {
		walk(root, func(k *Key) {
			if elsewhere == "" && k.Name != "" && fold(k.Name) == fold(name) && !strings.Contains(k.Path, "[") {
				elsewhere = k.Path
			}
		})
	}
	return elsewhere
}

// walk calls f for a key and all below it.
func walk(k *Key, f func(*Key)) {
	f(k)
	for _, child := range k.Keys {
		walk(child, f)
	}
}

// nearest returns the candidate that differs from a name by a slip or two, or
// begins with it; or "".
func nearest(name string, candidates []string) string {
	best, least := "", 1+len(name)/3
	name = fold(name)
	for _, c := range candidates {
		d := distance(name, fold(c))
		if len(name) >= 4 && strings.HasPrefix(fold(c), name) {
			d = min(d, 1)
		}
		if d <= least && (best == "" || d < least) {
			best, least = c, d
		}
	}
	return best
}

// fold drops what people mix up in names: case, underscores, hyphens.
func fold(name string) string {
	if len(name) > 64 { // no name is that long
		name = name[:64]
	}
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
}

// distance counts the insertions, deletions, substitutions and swaps of
// neighbours that turn a into b.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
