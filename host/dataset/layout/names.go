package layout

import (
	"slices"
	"strings"
	"unicode"
)

// renamed calls some classes otherwise.
func renamed(names map[string]string) func(string) string {
	return func(raw string) string {
		if name, ok := names[raw]; ok {
			return name
		}
		return raw
	}
}

// lower is OxfordPets': Great_Pyrenees is great_pyrenees.
func lower(raw string) string { return strings.ToLower(raw) }

// reversed is SUN397's: /a/apartment_building/outdoor is outdoor apartment_building.
func reversed(raw string) string {
	parts := strings.Split(strings.TrimPrefix(raw, "/"), "/")
	if len(parts) > 1 && len(parts[0]) == 1 {
		parts = parts[1:]
	}
	slices.Reverse(parts)
	return strings.Join(parts, " ")
}

// yearInFront is StanfordCars': Audi A4 Sedan 2012 is 2012 Audi A4 Sedan.
func yearInFront(raw string) string {
	words := strings.Fields(raw)
	if len(words) < 2 {
		return raw
	}
	last := words[len(words)-1]
	if len(last) != 4 || strings.Trim(last, "0123456789") != "" {
		return raw
	}
	return strings.Join(append([]string{last}, words[:len(words)-1]...), " ")
}

// separated is UCF101's: ApplyEyeMakeup is Apply_Eye_Makeup.
func separated(raw string) string {
	var b strings.Builder
	for i, r := range raw {
		if i > 0 && unicode.IsUpper(r) && !strings.HasSuffix(b.String(), "_") {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Stem is the class in the name of a picture's file, great_pyrenees_12.jpg:
// great_pyrenees; without a number behind it there is none.
func Stem(file string) (class string, ok bool) {
	stem, _, _ := strings.Cut(file, ".")
	i := strings.LastIndexByte(stem, '_')
	if i <= 0 || i == len(stem)-1 || strings.Trim(stem[i+1:], "0123456789") != "" {
		return "", false
	}
	return stem[:i], true
}
