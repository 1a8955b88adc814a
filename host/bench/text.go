package bench

import (
	"context"
	"errors"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/label"
)

// TextSetup is the zero-shot class features: of each class in each template.
type TextSetup struct {
	ModelSetup
	ClassNames, Templates []string
}

// Text measures them, as a run computes them, nothing cached.
func Text(ctx context.Context, s TextSetup) (_ *Report, err error) {
	o, err := s.open(ctx, "text", "text")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	o.report.Settings = Settings{Classes: len(s.ClassNames), Templates: len(s.Templates)}
	tokens, err := o.Templates(s.Templates, s.ClassNames)
	if err != nil {
		return nil, &host.UsageError{Err: err}
	}
	operations := int64(0)
	for _, t := range tokens {
		operations += o.TextOperations(t)
	}
	times, err := s.measure(ctx, "text", func() error {
		features := make([]array.Matrix, len(tokens))
		for i := range tokens {
			if features[i], err = o.Texts(ctx, tokens[i]); err != nil {
				return err
			}
		}
		label.MeanOfTemplates(features)
		return nil
	})
	if err != nil {
		return nil, err
	}
	o.report.rate(times, len(s.ClassNames)*len(s.Templates), operations)
	return o.report, o.finish(ctx, s.ModelSetup)
}
