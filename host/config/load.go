package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"
)

// delimiter separates the elements of viper's keys.
const delimiter = "::"

// Source is what a configuration is read from, each part over the one before.
type Source struct {
	// File is the path of a YAML, TOML or JSON file, told apart by its ending.
	// Its folder is where its relative paths start. It may be empty.
	File string
	// Text is the file's content where it has been read already; nil reads it.
	Text []byte
	// Environ is the environment, os.Environ(): UPL_LEARN_EPOCHS=10 sets
	// learn.epochs. An empty variable sets nothing. A variable that begins as
	// a section does, and names no key of it, is a fault; others are ignored.
	Environ []string
	// Set are assignments KEY=VALUE, in order. A list or mapping is a YAML
	// flow value; models.0.path and label.selection.params.k reach within one.
	Set []string

	// overlays go over the file: a run of its matrix.
	overlays []overlay
}

// Load reads, merges, completes and validates a configuration. What is wrong
// with it comes as one *[Error]. The file system is asked for the file itself and
// for where splits of the data set and label.lock lie, for nothing else.
func Load(s Source) (*Config, error) {
	l, err := newLoader()
	if err != nil {
		return nil, err
	}
	if err := l.file(s); err != nil {
		return nil, err
	}
	if l.axes != nil && s.overlays == nil {
		l.faults.add(l.near("matrix"), "matrix", "these are several runs, and one is wanted: upl-host run does all of them")
	}
	for _, o := range s.overlays {
		l.overlay(o)
	}
	l.environment(s.Environ)
	for _, assignment := range s.Set {
		l.set(assignment)
	}
	c := &Config{written: make(map[string]string)}
	if err := l.viper.UnmarshalExact(c, l.decoding); err != nil {
		return nil, fmt.Errorf("decoding the configuration: %w", err)
	}
	l.complete(c)
	l.check(c)
	if err := l.faults.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// loader merges the sources of a configuration.
type loader struct {
	viper  *viper.Viper
	faults faults
	// places are those of all keys that a source gives.
	places map[string]place
	// first is the place of the file, source that of the source in hand.
	first, source place
	// working is the working directory.
	working string
	// axes are what the file's matrix gives, by key; nil without one.
	axes map[string]any
}

// newLoader returns a loader that has the defaults.
func newLoader() (*loader, error) {
	l := &loader{
		viper:  viper.NewWithOptions(viper.KeyDelimiter(delimiter)),
		places: make(map[string]place),
	}
	return l, l.defaults()
}

// viperKey is the key by which viper knows a value.
func viperKey(key *Key) string { return strings.ReplaceAll(key.Path, ".", delimiter) }

// reader reads from the source in hand.
func (l *loader) reader() *reader {
	return &reader{source: l.source, faults: &l.faults, places: make(map[string]place)}
}

// keep takes over the places that a reader found.
func (l *loader) keep(r *reader) {
	for path := range r.places {
		forget(l.places, path)
	}
	for path, p := range r.places {
		l.places[path] = p
	}
}

// decoding is how viper's settings become a Config: exactly, and a number of
// seeds becomes so many, from the run's seed on.
func (l *loader) decoding(c *mapstructure.DecoderConfig) {
	c.TagName = "yaml"
	c.WeaklyTypedInput = false
	c.DecodeHook = func(_, _ reflect.Type, data any) (any, error) {
		count, ok := data.(seedCount)
		if !ok {
			return data, nil
		}
		seeds := make(Seeds, count)
		for i := range seeds {
			seeds[i] = l.viper.GetUint64("seed") + uint64(i)
		}
		return seeds, nil
	}
}

// defaults gives viper the default of every key that has one.
func (l *loader) defaults() error {
	for _, key := range Root().Leaves() {
		if key.Default == "" {
			continue
		}
		n, err := textNode(key, key.Default)
		if err != nil {
			return fmt.Errorf("default of %s: %w", key.Path, err)
		}
		if v, ok := l.reader().value(key, key.Path, n); ok {
			l.viper.SetDefault(viperKey(key), v)
		}
	}
	return l.faults.err()
}

// file reads the file of a source, after the files that it extends. An error is
// one that leaves nothing to be read; the faults of a readable file are collected.
func (l *loader) file(s Source) error {
	var err error
	if l.working, err = os.Getwd(); err != nil {
		return fmt.Errorf("finding the working directory: %w", err)
	}
	l.first = l.in(s.File, 0)
	l.source = l.first
	if s.File == "" {
		return nil
	}
	f := layers{loader: l}
	f.read(l.first, s.Text, l.first, nil)
	if f.broken {
		return l.faults.err()
	}
	return nil
}

// in is the place of a file as a whole.
func (l *loader) in(file string, order int) place {
	p := place{file: file, base: filepath.Dir(file), order: order}
	if !filepath.IsAbs(p.base) {
		p.base = filepath.Join(l.working, p.base)
	}
	return p
}

// read returns a file's bytes, one more than parse takes at most.
func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("no such file")
	case err != nil:
		return nil, errors.Unwrap(err)
	case info.IsDir():
		return nil, errors.New("a folder, where the configuration's file is wanted")
	case !info.Mode().IsRegular():
		return nil, errors.New("no regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxBytes+1))
}

// merge puts a value over what the sources before gave.
func (l *loader) merge(key *Key, value any) {
	path := strings.Split(key.Path, ".")
	for _, name := range slices.Backward(path) {
		value = map[string]any{name: value}
	}
	// MergeConfigMap has no error to return.
	_ = l.viper.MergeConfigMap(value.(map[string]any))
}

// environment reads the UPL_… variables.
func (l *loader) environment(environ []string) {
	keys, sections := make(map[string]*Key), make(map[string]*Key)
	walk(Root(), func(k *Key) {
		name := "UPL_" + strings.ToUpper(strings.ReplaceAll(k.Path, ".", "_"))
		switch {
		case k.Path == "" || strings.Contains(k.Path, "["):
		case k.Kind == Section:
			sections[name] = k
		default:
			keys[name] = k
		}
	})
	for _, variable := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, "UPL_") || value == "" {
			continue
		}
		l.source = place{origin: "environment " + name, base: l.working, order: 1}
		if key := keys[name]; key != nil {
			l.assign(l.source, key, key.Path, func(key *Key) (*yaml.Node, error) { return textNode(key, value) }, l.merge)
		} else if section, rest := longest(sections, name); section != nil {
			rest = strings.ToLower(rest)
			l.faults.add(l.source, join(section.Path, rest), "%v", unknownKey{section, section.Path, rest})
		}
	}
}

// longest returns the section whose variables begin like a name, and the rest
// of the name; of several the one nearest the value.
func longest(sections map[string]*Key, name string) (*Key, string) {
	var (
		found *Key
		rest  string
	)
	for prefix, section := range sections {
		if r, ok := strings.CutPrefix(name, prefix+"_"); ok && (found == nil || len(r) < len(rest)) {
			found, rest = section, r
		}
	}
	return found, rest
}

// assign gives a key, named at a place, a value of the source in hand.
func (l *loader) assign(at place, key *Key, path string, node valueNode, put putter) {
	n, err := node(key)
	if err != nil {
		l.faults.add(at, path, "%v", err)
		return
	}
	r := l.reader()
	if key.Kind == Section {
		r.section(key, path, n, put)
	} else if v, ok := r.value(key, path, n); ok {
		put(key, v)
	}
	l.keep(r)
}

// textNode reads the text of a single value: as it stands for a string or the
// path of shares, unless it is in quotes, as YAML for everything else.
func textNode(key *Key, text string) (*yaml.Node, error) {
	quoted := len(text) > 1 && (text[0] == '"' || text[0] == '\'') && text[len(text)-1] == text[0]
	n, err := parseYAML([]byte(text))
	literal := key.Kind == String || key.Kind == Shares && !strings.HasPrefix(strings.TrimSpace(text), "[")
	if literal && (!quoted || err != nil || n.Kind != yaml.ScalarNode) {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}, nil
	}
	if err == nil && n == nil {
		err = errors.New("no value")
	}
	return n, err
}
