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
	return session.Select(ctx, description, in, starter(policy))
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
	}, starter(policy))
	return combined, record, err
}

// Describe is what the host learns of a policy, read as the host reads it.
func Describe(policy sdk.Policy) (session.Description, error) {
	text := sdk.Serve(policy).Describe()
	if !json.Valid(text) {
		return session.Description{}, fmt.Errorf("policy %s: its description is not JSON; its Parameters, most likely: %s", policy.Name, text)
	}
	descriptions, err := session.ParseDescriptions(text)
	if err != nil {
		return session.Description{}, err
	}
	return descriptions[0], nil
}

func starter(policy sdk.Policy) session.Start {
	return func(_ context.Context, host sdk.Host) (session.Guest, error) {
		return guest{sdk.NewGuest(policy, host)}, nil
	}
}

// guest calls a policy in this process.
type guest struct{ *sdk.Guest }

func (g guest) Configure(context.Context) error {
	return failure("upl_configure", g.Guest.Configure())
}

func (g guest) BeginRound(_ context.Context, round int) (bool, error) {
	observe, err := g.Guest.BeginRound(round)
	return observe, failure("upl_begin_round", err)
}

func (g guest) Observe(_ context.Context, first, rows int) error {
	return failure("upl_observe", g.Guest.Observe(first, rows))
}

func (g guest) EndRound(_ context.Context, round int) (bool, error) {
	another, err := g.Guest.EndRound(round)
	return another, failure("upl_end_round", err)
}

func (g guest) Combine(_ context.Context, first, rows int) error {
	return failure("upl_combine", g.Guest.Combine(first, rows))
}

// failure is a policy's error as it reaches the host over any carrier.
func failure(call string, err error) error {
	if err == nil {
		return nil
	}
	code, message := sdk.CodeOf(err)
	return &session.GuestError{Call: call, Code: code, Message: message}
}
