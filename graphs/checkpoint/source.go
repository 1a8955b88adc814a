package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/upl-host/upl-host/graphs/checkpoint/pickle"
	"github.com/upl-host/upl-host/graphs/checkpoint/torch"
	"github.com/upl-host/upl-host/graphs/safetensors"
)

// source is a file of tensors under the names that it has there.
type source interface {
	Names() []string
	Info(name string) (safetensors.Type, []int, bool)
	Float32(name string) (shape []int, values []float32, err error)
	Close() error
}

// classify gives a reader's error one of this package's kinds.
func classify(err error) error {
	var global *pickle.GlobalError
	switch {
	case errors.Is(err, safetensors.ErrFormat), errors.Is(err, torch.ErrFormat), errors.As(err, &global):
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	case errors.Is(err, torch.ErrUnsupported):
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return err
}

func openTorch(path string) (*torch.Archive, error) {
	archive, err := torch.Open(path)
	if err != nil {
		return nil, classify(err)
	}
	return archive, nil
}

// shards are safetensors files whose tensors together are a checkpoint's.
type shards struct {
	files []*safetensors.File
	of    map[string]*safetensors.File // by the tensor's name
}

var _ source = (*shards)(nil)

func (s *shards) Names() []string { return slices.Sorted(maps.Keys(s.of)) }

func (s *shards) Info(name string) (safetensors.Type, []int, bool) {
	file, ok := s.of[name]
	if !ok {
		return "", nil, false
	}
	info, ok := file.Info(name)
	return info.Type, info.Shape, ok
}

func (s *shards) Float32(name string) (shape []int, values []float32, err error) {
	file, ok := s.of[name]
	if !ok {
		return nil, nil, fmt.Errorf("there is no tensor %q", name)
	}
	return file.Float32(name)
}

func (s *shards) Close() error {
	errs := make([]error, 0, len(s.files))
	for _, file := range s.files {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}

// add opens a file and takes its tensors up.
func (s *shards) add(path string) error {
	file, err := safetensors.Open(path)
	if err != nil {
		return classify(err)
	}
	s.files = append(s.files, file)
	for _, name := range file.Names() {
		if s.of[name] != nil {
			return fmt.Errorf("%w: the tensor %q is in %s and in another shard too", ErrCorrupt, name, path)
		}
		s.of[name] = file
	}
	return nil
}

// openSafetensors opens safetensors files as one source.
func openSafetensors(paths ...string) (source, error) {
	s := &shards{of: map[string]*safetensors.File{}}
	for _, path := range paths {
		if err := s.add(path); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// openIndex opens the shards that an index names (model.safetensors.index.json).
func openIndex(path string) (source, error) {
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := readJSON(path, &index); err != nil {
		return nil, err
	}
	if len(index.WeightMap) == 0 {
		return nil, fmt.Errorf("%w: %s: weight_map names no tensor", ErrCorrupt, path)
	}
	var paths []string
	for _, name := range slices.Compact(slices.Sorted(maps.Values(index.WeightMap))) {
		if !filepath.IsLocal(name) || filepath.Base(name) != name {
			return nil, fmt.Errorf("%w: %s: the shard %q is not a file of its folder", ErrCorrupt, path, name)
		}
		paths = append(paths, filepath.Join(filepath.Dir(path), name))
	}
	opened, err := openSafetensors(paths...)
	if err != nil {
		return nil, fmt.Errorf("opening the shards of %s: %w", path, err)
	}
	for _, name := range slices.Sorted(maps.Keys(index.WeightMap)) {
		if _, _, ok := opened.Info(name); !ok {
			err := fmt.Errorf("%w: %s: the tensor %q is in none of the shards", ErrCorrupt, path, name)
			return nil, errors.Join(err, opened.Close())
		}
	}
	return opened, nil
}

// readJSON reads a configuration; damage is ErrCorrupt.
func readJSON(path string, into any) error {
	text, err := readSmall(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCorrupt, path, err)
	}
	return nil
}
