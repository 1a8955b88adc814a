package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// section reads one object of a foreign configuration. Every field that is not
// read must be known to change nothing, else the model would be another one than
// the file's: faults and such fields are collected and reported together.
type section struct {
	path   string // of the object within the file, for messages
	fields map[string]json.RawMessage
	read   map[string]bool
	faults *[]error
}

// object opens the object under a key; absent or null, it is empty.
func (s section) object(key string) section {
	inner := section{path: s.at(key), read: map[string]bool{}, faults: s.faults}
	decode(s, key, &inner.fields)
	return inner
}

func (s section) at(key string) string {
	if s.path == "" {
		return key
	}
	return s.path + "." + key
}

func (s section) fault(kind error, key, format string, args ...any) {
	*s.faults = append(*s.faults, fmt.Errorf("%w: %s: %s", kind, s.at(key), fmt.Sprintf(format, args...)))
}

// decode reads a field into a variable, which keeps its value if the field is
// absent or null, or is a fault.
func decode[T any](s section, key string, into *T) {
	s.read[key] = true
	raw, ok := s.fields[key]
	if !ok || string(raw) == "null" {
		return
	}
	value := *into
	if err := json.Unmarshal(raw, &value); err != nil {
		s.fault(ErrUnsupported, key, "%s is not what belongs there", short(raw))
		return
	}
	*into = value
}

// value reads a field that has a default.
func value[T any](s section, key string, absent T) T {
	decode(s, key, &absent)
	return absent
}

// required reads a field that has none.
func required[T any](s section, key string) T {
	var v T
	if raw, ok := s.fields[key]; !ok || string(raw) == "null" {
		s.fault(ErrUnsupported, key, "missing")
	}
	decode(s, key, &v)
	return v
}

// side reads a size in pixels: a number, or height and width, which must agree.
func (s section) side(key string, absent int) int {
	raw := bytes.TrimSpace(s.fields[key])
	if len(raw) == 0 || raw[0] != '[' {
		return value(s, key, absent)
	}
	sides := value(s, key, []int{})
	if len(sides) != 2 || sides[0] != sides[1] {
		s.fault(ErrUnsupported, key, "%s is not a square", short(raw))
		return absent
	}
	return sides[0]
}

// ignore marks fields that do not change what the model computes.
func (s section) ignore(keys ...string) {
	for _, key := range keys {
		s.read[key] = true
	}
}

// accept marks fields whose listed value is what this program computes anyway.
func (s section) accept(values map[string]string) {
	for key, only := range values {
		if text := value(s, key, only); text != only {
			s.fault(ErrUnsupported, key, "%q is not supported, only %q", text, only)
		}
	}
}

// rest reports the fields that were not read and say something.
func (s section) rest() {
	for _, key := range slices.Sorted(maps.Keys(s.fields)) {
		raw := string(s.fields[key])
		silent := slices.Contains([]string{"null", "false", "0", "0.0", `""`, "[]", "{}"}, raw)
		if !s.read[key] && !silent {
			s.fault(ErrUnsupported, key, "%s is not supported", short(s.fields[key]))
		}
	}
}

// short is a JSON value cut to a length that suits a message.
func short(raw json.RawMessage) string {
	const limit = 60
	var text bytes.Buffer
	if err := json.Compact(&text, raw); err != nil {
		return "the value"
	}
	if text.Len() > limit {
		return strings.ToValidUTF8(text.String()[:limit], "") + "…"
	}
	return text.String()
}

// readConfig reads a configuration by a function that collects faults.
func readConfig(path string, read func(section)) error {
	var faults []error
	root := section{read: map[string]bool{}, faults: &faults}
	if err := readJSON(path, &root.fields); err != nil {
		return err
	}
	read(root)
	if len(faults) > 0 {
		slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return fmt.Errorf("%s: %w", path, errors.Join(faults...))
	}
	return nil
}
