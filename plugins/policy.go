package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/session"
)

// Policy is a loaded policy. It can be run several times, also at once; each run
// has a sandbox of its own.
type Policy struct {
	Description
	Path     string    // of its module or program
	Hash     string    // "sha256:…" of its module, "h1:…" of its program's folder
	Manifest *Manifest // nil for a module without one
	Plugin   string    // the name of its plugin
	Runtime  string    // RuntimeWASM or RuntimeProcess
	State    State     // why it may run: StateLocked, StateBuiltIn or StateUnlocked
	Granted  []string  // the views beyond probabilities that it may see, and needs
	// Shadows is the folder of a plugin that came with the program and has a policy
	// of this name too, where neither lock nor name say that this one is meant.
	Shadows string

	carrier    session.Carrier
	parameters *parameters
}

// CheckParams says which parameters are wrong, without running anything: a
// *ParameterError each, joined.
func (p *Policy) CheckParams(params json.RawMessage) error { return p.parameters.check(params) }

// Select runs a selection policy. What it logged and measured is also there with
// an error.
func (p *Policy) Select(ctx context.Context, in Input) (Selection, error) {
	if err := p.CheckParams(in.Params); err != nil {
		return Selection{}, err
	}
	in.GrantFeatures = p.granted(GrantFeatures)
	s, err := session.Select(ctx, p.Description, in, session.On(p.carrier, p.Description, in.Limits))
	return s, p.wrap(err)
}

// Combine runs an ensemble policy. emit gets the combined rows in order, some at
// a time and row by row, in memory that it must not keep.
func (p *Policy) Combine(ctx context.Context, in Input, emit func(first int, rows []float32) error) (Record, error) {
	if err := p.CheckParams(in.Params); err != nil {
		return Record{}, err
	}
	in.GrantFeatures = p.granted(GrantFeatures)
	record, err := session.Combine(ctx, p.Description, in, emit, session.On(p.carrier, p.Description, in.Limits))
	return record, p.wrap(err)
}

// granted says what the lock lets the policy see, whatever its caller says.
func (p *Policy) granted(grant string) bool { return slices.Contains(p.Granted, grant) }

// wrap names the policy; what it says of a parameter is the user's to change.
func (p *Policy) wrap(err error) error {
	var guest *GuestError
	var limit *LimitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &guest) && guest.Code == sdk.CodeConfig:
		return &ParameterError{Policy: p.Name, Reason: guest.Error()}
	case errors.As(err, &limit) && limit.Limit == session.LimitMemory:
		return fmt.Errorf("policy %s: %w: raise %s, or do without it", p.Name, err, memoryKey(p.Runtime))
	}
	return fmt.Errorf("policy %s: %w", p.Name, err)
}
