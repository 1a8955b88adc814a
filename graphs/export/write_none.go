//go:build !tensorflow

package export

import (
	"context"

	"github.com/upl-host/upl-host/graphs"
)

// Write writes the source as a model's folder, which needs TensorFlow.
func Write(context.Context, string, Source, bool) error { return graphs.ErrNoTensorFlow }
