package arrays

import (
	"errors"
	"fmt"
	"math"

	"github.com/upl-host/upl-host/host/label"
	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
)

// Error is a wrong array, file or option: the user's to mend.
type Error struct{ Err error }

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func wrong(format string, arguments ...any) error {
	return &Error{fmt.Errorf(format, arguments...)}
}

// explain says of an error of a policy's run what the user can do about it.
func (d *data) explain(err error, p *label.Policy) error {
	var unusable *plugins.DataError
	if errors.As(err, &unusable) {
		return d.explainData(unusable)
	}
	var guest *plugins.GuestError
	missing := d.input.Features == nil || d.input.TextFeatures == nil
	if errors.As(err, &guest) && (guest.Code == sdk.CodeDenied || guest.Code == sdk.CodeNotSupported) && p.AsksForFeatures() && missing {
		return wrong("%w: the policy looks at features: give those of the rows by --features, those of the classes' texts by --text-features", err)
	}
	return err
}

// explainData names the file of a row that cannot be used, and what it looks like.
func (d *data) explainData(unusable *plugins.DataError) error {
	from := "the ensemble"
	model := 0
	for i, name := range d.input.ModelNames {
		if name == unusable.Model || len(d.paths) == 1 {
			model, from = i, d.paths[i]
		}
	}
	if unusable.What != "probabilities" {
		return wrong("%s: features of row %d: %s", from, unusable.Row, unusable.Reason)
	}
	advice := ""
	row := make([]float32, d.classes)
	if d.models[model].Read(unusable.Row, 1, row) == nil {
		advice = looksLike(row)
	}
	return wrong("%s: row %d: %s%s", from, unusable.Row, unusable.Reason, advice)
}

// looksLike guesses what a row is that is no probabilities.
func looksLike(row []float32) string {
	sum, negative, number := 0.0, false, true
	for _, v := range row {
		sum += float64(v)
		negative = negative || v < 0
		number = number && !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0)
	}
	switch {
	case !number:
		return "" // the reason says it
	case negative, sum > 1.1:
		return ": these look like logits; pass softmax outputs"
	}
	return ": a row of probabilities sums to 1, within 0.01"
}
