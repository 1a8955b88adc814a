package main

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/host"
)

func newPluginListCommand() *cobra.Command {
	var asJSON bool
	var lockFile string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the policies that are found, in the order of the search",
		Long: `List shows every policy in the folders that are searched, in their order, and what
the lock says of its plugin:

  locked     in the lock, as it is pinned there
  built-in   came with upl-host
  unlocked   in no lock; a program does not run so, a module only where there is no lock
  unchecked  a program that is in the lock: plugin verify looks at its files
  changed, renamed, broken   refused; the reason is printed below

A policy marked "shadowed" is not found by its name alone: an earlier folder has one
of that name. Nothing of a plugin runs.`,
		Example: `  upl-host plugin list
  UPL_PLUGINS=build upl-host plugin list --json`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	lockFlag(cmd, &lockFile)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		catalogue, err := openCatalogue(lockFile)
		if err != nil {
			return err
		}
		found, err := catalogue.Survey()
		if err != nil {
			return err
		}
		entries := host.PolicyEntries(found)
		if asJSON {
			return printJSON(cmd.OutOrStdout(), entries)
		}
		t := table.NewWriter()
		t.SetStyle(table.StyleLight)
		t.AppendHeader(table.Row{"policy", "kind", "version", "runtime", "lock", "folder"})
		for _, entry := range entries {
			t.AppendRow(table.Row{entry.Name, entry.Kind, entry.Version, entry.Runtime, entry.Status(), entry.Folder})
		}
		fmt.Fprintln(cmd.OutOrStdout(), t.Render())
		for _, p := range found {
			if p.Problem != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: %v\n", p.Problem)
			}
		}
		return nil
	}
	return cmd
}
