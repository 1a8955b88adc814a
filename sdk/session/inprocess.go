package session

import (
	"context"

	"github.com/upl-host/upl-host/sdk"
)

// InProcess starts policies of this very program.
func InProcess(policies ...sdk.Policy) Start {
	return func(_ context.Context, host sdk.Host) (Guest, error) {
		return inProcess{sdk.NewGuest(policies, host)}, nil
	}
}

// inProcess calls a policy. A context that is done does not interrupt it.
type inProcess struct{ guest *sdk.Guest }

func (g inProcess) Configure(context.Context) error {
	return failure("upl_configure", g.guest.Configure())
}

func (g inProcess) BeginRound(_ context.Context, round int) (bool, error) {
	observe, err := g.guest.BeginRound(round)
	return observe, failure("upl_begin_round", err)
}

func (g inProcess) Observe(_ context.Context, first, rows int) error {
	return failure("upl_observe", g.guest.Observe(first, rows))
}

func (g inProcess) EndRound(_ context.Context, round int) (bool, error) {
	another, err := g.guest.EndRound(round)
	return another, failure("upl_end_round", err)
}

func (g inProcess) Combine(_ context.Context, first, rows int) error {
	return failure("upl_combine", g.guest.Combine(first, rows))
}

func (inProcess) Close() {}

// failure is a policy's error as it reaches the host over any carrier.
func failure(call string, err error) error {
	if err == nil {
		return nil
	}
	code, message := sdk.CodeOf(err)
	return &GuestError{Call: call, Code: code, Message: message}
}
