//go:build !wasip1

package serve

import (
	"context"
	"os"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/session"
	"github.com/upl-host/upl-host/sdk/wire"
)

func (*Plugin) register() {}

// Main runs the plugin as a program of its own. Started by upl-host it serves the
// policies; started by a person it prints what it says of itself, which is the part
// of upl-plugin.yaml that has to agree (JSON is YAML).
func (p *Plugin) Main() {
	if os.Getenv(wire.Handshake.MagicCookieKey) == wire.Handshake.MagicCookieValue {
		wire.Serve(backend{p})
		return
	}
	if _, err := os.Stdout.Write(append(sdk.Describe(p.policies...), '\n')); err != nil {
		os.Exit(1)
	}
}

// backend serves the policies of a plugin.
type backend struct{ *Plugin }

// Describe is the manifest's part.
func (b backend) Describe(context.Context) ([]byte, error) { return sdk.Describe(b.policies...), nil }

// Start makes the guest of a run.
func (b backend) Start(ctx context.Context, host wire.Host) (session.Guest, error) {
	return session.InProcess(b.policies...)(ctx, host)
}
