package session

import (
	"context"

	"github.com/upl-host/upl-host/sdk"
)

// Carrier is a plugin on what it came: a WASM module, a program. Its methods may
// be called concurrently; every run has a guest of its own.
type Carrier interface {
	// Describe asks the plugin which policies it has.
	Describe(context.Context) ([]Description, error)
	// Start makes the guest of a run of one of them.
	Start(ctx context.Context, host sdk.Host, policy Description, limits Limits) (Guest, error)
	// Close frees what the plugin holds; no guest may be running.
	Close() error
}

// On is the start of a policy's runs on a carrier.
func On(carrier Carrier, policy Description, limits Limits) Start {
	return func(ctx context.Context, host sdk.Host) (Guest, error) {
		return carrier.Start(ctx, host, policy, limits)
	}
}
