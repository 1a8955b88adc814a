// Package serve makes a plugin of policies. The same main package is a WASM module
// when it is built for wasip1, and a subprocess of the host's otherwise.
package serve

import "github.com/upl-host/upl-host/sdk"

// Plugin is what one module or program holds.
type Plugin struct{ policies []sdk.Policy }

// Policies lists the policies of a plugin: the one place that says what it holds.
// Call it for a package-level variable: a WASM module's main does not run.
func Policies(policies ...sdk.Policy) *Plugin {
	p := &Plugin{policies}
	p.register()
	return p
}

// List gives the policies, in their order.
func (p *Plugin) List() []sdk.Policy { return p.policies }
