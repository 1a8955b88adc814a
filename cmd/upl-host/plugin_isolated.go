package main

import (
	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/plugins/isolated"
)

// newPluginIsolatedCommand is the child process of `--isolate`: upl-host calls
// itself by it.
func newPluginIsolatedCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "isolated MODULE",
		Short:  "Run a module for another upl-host process",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		Run:    func(_ *cobra.Command, args []string) { isolated.Serve(args[0], host.PluginCache()) },
	}
}
