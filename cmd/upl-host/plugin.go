package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/plugins"
)

func newPluginCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "plugin", Short: "List, show and test the policies that can be loaded", Args: cobra.NoArgs}
	cmd.AddCommand(newPluginListCommand(), newPluginShowCommand(), newPluginIsolatedCommand())
	cmd.AddCommand(newPluginTestCommand())
	return cmd
}

func newPluginListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the policies that are found, in the order of the search",
		Args:  cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		folders := host.PluginFolders()
		found, err := plugins.NewCatalogue(plugins.Options{Folders: folders}).List()
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), host.PolicyEntries(found))
		}
		t := table.NewWriter()
		t.SetStyle(table.StyleLight)
		t.AppendHeader(table.Row{"policy", "kind", "version", "folder"})
		for _, entry := range host.PolicyEntries(found) {
			t.AppendRow(table.Row{entry.Name, entry.Kind, entry.Version, entry.Folder})
		}
		fmt.Fprintln(cmd.OutOrStdout(), t.Render())
		for _, p := range found {
			if p.Err != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: %v\n", p.Err)
			}
		}
		return nil
	}
	return cmd
}

func newPluginShowCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show NAME|PATH",
		Short:   "Show a policy: what it does, what it needs, its parameters, its hash",
		Example: "  upl-host plugin show top-k",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		catalogue := plugins.NewCatalogue(plugins.Options{Folders: host.PluginFolders(), CacheDir: host.PluginCache()})
		defer func() { err = errors.Join(err, catalogue.Close()) }()
		policy, err := catalogue.Find(cmd.Context(), args[0], "")
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), struct {
				plugins.Description
				Path string `json:"path"`
				Hash string `json:"hash"`
			}{policy.Description, policy.Path, policy.Hash})
		}
		parameters, err := json.MarshalIndent(policy.Parameters, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s (%s)\n%s\n\nmodule  %s\nhash    %s\nviews   %v\nrounds  %v\n\nparameters (JSON Schema):\n%s\n",
			policy.Name, policy.Version, policy.Kind, policy.Summary, policy.Path, policy.Hash, policy.Needs.Views, policy.Needs.Rounds, parameters)
		return err
	}
	return cmd
}
