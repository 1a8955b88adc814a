package check

import (
	"context"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
)

// checkSimilarity: the logits of a picture and a text do not depend on what else is
// compared, as a run compares them some at a time. That they are those of
// prompt_gradient, scale included, checkLogits finds.
func checkSimilarity(ctx context.Context, e *examination) error {
	if !e.model.Has(graphs.SignatureSimilarity) {
		return nil
	}
	size := e.model.Config().ImageSize
	features, err := e.model.EncodeImage(ctx, e.normal(pictures*size*size*3, 1), pictures)
	if err != nil {
		return err
	}
	texts, err := e.model.EncodeText(ctx, e.texts)
	if err != nil {
		return err
	}
	together, err := e.model.Similarity(ctx, features, texts)
	if err != nil {
		return err
	}
	alone := array.NewMatrix(together.Rows, together.Cols)
	for i := range alone.Rows {
		for k := range alone.Cols {
			one, err := e.model.Similarity(ctx, features.Slice(i, i+1), texts.Slice(k, k+1))
			if err != nil {
				return err
			}
			alone.Row(i)[k] = one.Data[0]
		}
	}
	e.report.measure("similarity", "a picture and a text alone and among others, relative L2", relativeL2(alone.Data, together.Data), rowTolerance)
	return nil
}
