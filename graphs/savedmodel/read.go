package savedmodel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	saved "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"
)

// ErrFormat marks a folder that is not a SavedModel that can be read.
var ErrFormat = errors.New("not a readable SavedModel")

// sizeLimit bounds saved_model.pb: protobuf itself stops at 2 GB, and a graph
// with its weights in variables takes some MB.
const sizeLimit = 1 << 30

// Read reads the meta graph with the tag "serve" of a SavedModel folder:
// signatures and operations, not the variables' values.
func Read(dir string) (*saved.MetaGraphDef, error) {
	path := filepath.Join(dir, GraphFile)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w: it has no %s (upl-host export makes a model of a checkpoint)", dir, ErrFormat, GraphFile)
	} else if err != nil {
		return nil, fmt.Errorf("reading the model: %w", err)
	}
	if info.Size() > sizeLimit {
		return nil, fmt.Errorf("%s: %w: %d bytes, more than %d: its weights belong into variables", path, ErrFormat, info.Size(), sizeLimit)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the model: %w", err)
	}
	model := new(saved.SavedModel)
	if err := proto.Unmarshal(raw, model); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrFormat, err)
	}
	for _, meta := range model.GetMetaGraphs() {
		if slices.Contains(meta.GetMetaInfoDef().GetTags(), Tag) {
			return meta, nil
		}
	}
	return nil, fmt.Errorf("%s: %w: no meta graph with the tag %q", path, ErrFormat, Tag)
}
