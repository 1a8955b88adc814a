// Package sdktest runs a policy inside its author's tests: the very code that
// upl-host runs around a WASM module, without the module. What it gives is what
// upl-host gives, byte for byte; only the sandbox is missing, and the check of
// the parameters against their schema.
package sdktest

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/session"
)

// Matrix is a matrix of probabilities or features in memory, row by row: it is a
// session.Probabilities, and a session.Features.
type Matrix struct {
	Values []float32 // rows x C
	C      int
}

// Rows is the number of rows.
func (m Matrix) Rows() int { return len(m.Values) / m.C }

// Classes is C.
func (m Matrix) Classes() int { return m.C }

// Width is C, of features.
func (m Matrix) Width() int { return m.C }

// Read copies rows.
func (m Matrix) Read(first, n int, dst []float32) error {
	if copied := copy(dst, m.Values[first*m.C:(first+n)*m.C]); copied != n*m.C {
		return fmt.Errorf("room for %d values of %d", copied, n*m.C)
	}
	return nil
}

// Select runs a selection policy. Where in does not say which records are taken
// (Takes is nil, not empty), all are.
func Select(ctx context.Context, policy sdk.Policy, in session.Input) (session.Selection, error) {
	if in.Takes == nil {
		in.Takes = []sdk.EmitKind{sdk.EmitSoft, sdk.EmitCandidates, sdk.EmitDrop}
	}
	description, err := Describe(policy)
	if err != nil {
		return session.Selection{}, err
	}
	return session.Select(ctx, description, in, session.InProcess(policy))
}

// Combine runs an ensemble policy; the result is N x C.
func Combine(ctx context.Context, policy sdk.Policy, in session.Input) ([]float32, session.Record, error) {
	description, err := Describe(policy)
	if err != nil {
		return nil, session.Record{}, err
	}
	var combined []float32
	record, err := session.Combine(ctx, description, in, func(_ int, rows []float32) error {
		combined = append(combined, rows...)
		return nil
	}, session.InProcess(policy))
	return combined, record, err
}

// Describe is what the host learns of a policy, read as the host reads it.
func Describe(policy sdk.Policy) (session.Description, error) {
	text := sdk.Describe(policy)
	if !json.Valid(text) {
		return session.Description{}, fmt.Errorf("policy %s: its description is not JSON; its Parameters, most likely: %s", policy.Name, text)
	}
	descriptions, err := session.ParseDescriptions(text)
	if err != nil {
		return session.Description{}, err
	}
	return descriptions[0], nil
}
