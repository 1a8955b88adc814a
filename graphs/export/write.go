//go:build tensorflow

package export

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/clip"
	"github.com/upl-host/upl-host/graphs/savedmodel"
)

// Write writes the source as a model's folder, whole or not at all. Where dir
// exists the error is savedmodel.ErrExists, unless it is a model and overwrite is set.
func Write(ctx context.Context, dir string, s Source, overwrite bool) error {
	config, err := s.config()
	if err != nil {
		return fmt.Errorf("exporting %s: %w", s.Name, err)
	}
	model, err := clip.Build(s.Architecture, s.Weights)
	if err != nil {
		return fmt.Errorf("exporting %s: %w", s.Name, err)
	}
	model.Overwrite = overwrite
	model.Extra = func(extra string) error {
		for file, from := range map[string]string{vocabularyFile: s.Vocabulary, mergesFile: s.Merges} {
			if from == "" {
				continue
			}
			content, err := os.ReadFile(from)
			if err != nil {
				return fmt.Errorf("copying the tokenizer: %w", err)
			}
			if err := os.WriteFile(filepath.Join(extra, file), content, 0o644); err != nil {
				return fmt.Errorf("copying the tokenizer: %w", err)
			}
		}
		return graphs.WriteConfig(filepath.Dir(extra), config)
	}
	if err := savedmodel.Write(ctx, dir, model); err != nil {
		return fmt.Errorf("exporting %s: %w", s.Name, err)
	}
	return nil
}
