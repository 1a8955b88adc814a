package backbone

import (
	"context"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
)

// EncodeTexts is the plain way, for comparison.
func (b *Backbone) EncodeTexts(ctx context.Context, tokens graphs.Tokens) (array.Matrix, error) {
	return b.encodeTexts(ctx, tokens)
}
