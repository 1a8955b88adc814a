//go:build !wasip1

package sdk

import "os"

// Serve lists the policies of a module: the one place that says what it holds.
func Serve(policies ...Policy) *Plugin { return &Plugin{policies} }

// Main is the plugin run as a program of its own: it prints what it says of
// itself, which is the part of upl-plugin.yaml that has to agree (JSON is YAML).
func (p *Plugin) Main() {
	if _, err := os.Stdout.Write(append(p.Describe(), '\n')); err != nil {
		os.Exit(1)
	}
}
