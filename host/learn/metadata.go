package learn

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// metadata reads the values of a safetensors file's metadata, which are all
// strings, and collects what is wrong with them.
type metadata struct {
	values map[string]string
	errs   []error
}

func (m *metadata) text(key string) string {
	value, ok := m.values[key]
	if !ok {
		m.errs = append(m.errs, fmt.Errorf("the metadata lacks %s", key))
	}
	return value
}

// read parses a value; a key that is missing gives one error, not two.
func read[T any](m *metadata, key string, parse func(string) (T, error)) (value T) {
	text := m.text(key)
	if _, ok := m.values[key]; !ok {
		return value
	}
	value, err := parse(text)
	if err != nil {
		m.errs = append(m.errs, fmt.Errorf("metadata %s: %w", key, err))
	}
	return value
}

func (m *metadata) integer(key string) int { return read(m, key, strconv.Atoi) }

func (m *metadata) natural(key string) uint64 {
	return read(m, key, func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) })
}

func (m *metadata) real(key string, bits int) float64 {
	return read(m, key, func(s string) (float64, error) { return strconv.ParseFloat(s, bits) })
}

func (m *metadata) truth(key string) bool { return read(m, key, strconv.ParseBool) }

func (m *metadata) list(key string) []string { return readJSON[[]string](m, key) }

// readJSON is metadata's read for values that are JSON themselves.
func readJSON[T any](m *metadata, key string) T {
	return read(m, key, func(s string) (value T, err error) {
		err = json.Unmarshal([]byte(s), &value)
		return value, err
	})
}

// format checks what kind of file this is, and of which version.
func (m *metadata) format(want string, versions ...string) error {
	if got := m.values[formatKey]; got != want {
		return fmt.Errorf("its format is %q, want %q", got, want)
	}
	if got := m.values[versionKey]; !slices.Contains(versions, got) {
		return fmt.Errorf("version %q of %q, this program reads version %s", got, want, strings.Join(versions, ", "))
	}
	return nil
}

func (m *metadata) err() error { return errors.Join(m.errs...) }

const (
	formatKey     = "format"
	versionKey    = "format_version"
	formatVersion = "1"
)

// Numbers are written as briefly as they can be read back unchanged.

func formatReal(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func formatReal32(v float32) string { return strconv.FormatFloat(float64(v), 'g', -1, 32) }

func formatJSON(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}
