package main

import (
	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/plugins/isolated"
)

// newPluginIsolatedCommand is the child process of `--isolate`: upl-host calls
// itself by it. CACHE, which may be empty, is the folder of compiled modules: the
// child has no environment to find it by.
func newPluginIsolatedCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "isolated CACHE MODULE",
		Short:  "Run a module for another upl-host process",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		Run:    func(_ *cobra.Command, args []string) { isolated.Serve(args[1], args[0]) },
	}
}
