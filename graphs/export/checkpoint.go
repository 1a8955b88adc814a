package export

import (
	"context"
	"errors"

	"github.com/upl-host/upl-host/graphs/checkpoint"
)

// Checkpoint writes the checkpoint at path, a file or folder of any format that
// graphs/checkpoint reads, as a model's folder. The tokenizer's files are taken
// along; a checkpoint without them and with CLIP's vocabulary gets the built-in
// tokenizer. For errors see checkpoint.Open and Write.
func Checkpoint(ctx context.Context, path, dir string, overwrite bool) (err error) {
	c, err := checkpoint.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return Write(ctx, dir, Source{
		Name: c.Name, Architecture: c.Architecture, Weights: c, LogitScale: c.LogitScale,
		ResizeMode: c.Preprocess.ResizeMode, Interpolation: c.Preprocess.Interpolation,
		Mean: c.Preprocess.Mean, Std: c.Preprocess.Std,
		Vocabulary: c.Tokenizer.Vocabulary, Merges: c.Tokenizer.Merges,
	}, overwrite)
}
