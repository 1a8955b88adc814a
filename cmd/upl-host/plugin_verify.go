package main

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/plugins"
)

func newPluginVerifyCommand() *cobra.Command {
	var asJSON bool
	var lockFile string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compare the lock with the plugins that a run would find",
		Long: `Verify hashes every plugin of the lock: the one that a run would find by its name,
or at the path from which it was locked; and the private copy of a program, where
there is one. It lists them all, and exits with 5 where one is not as it is pinned.
Nothing of a plugin runs.`,
		Example: `  upl-host plugin verify
  upl-host plugin verify --lock study/upl.lock --json`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	lockFlag(cmd, &lockFile)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		catalogue, err := openCatalogue(lockFile)
		if err != nil {
			return err
		}
		if catalogue.Lock() == nil {
			return usage("there is no %s: `upl-host plugin lock NAME` makes one", catalogue.LockPath())
		}
		verified, err := catalogue.Verify()
		if err != nil {
			return err
		}
		if asJSON {
			err = printJSON(cmd.OutOrStdout(), verifiedEntries(verified))
		} else {
			_, err = fmt.Fprintln(cmd.OutOrStdout(), verifiedTable(verified))
		}
		if err != nil {
			return err
		}
		return mismatches(catalogue.LockPath(), verified)
	}
	return cmd
}

// mismatches joins what is wrong, so that all of it is reported.
func mismatches(lock string, verified []plugins.Verified) error {
	bad := &plugins.MismatchError{Lock: lock}
	for _, v := range verified {
		if v.Err != nil {
			bad.Errs = append(bad.Errs, v.Err)
		}
	}
	if len(bad.Errs) == 0 {
		return nil
	}
	return bad
}

type verifiedEntry struct {
	plugins.LockEntry
	Found   string        `json:"found,omitempty"` // where
	State   plugins.State `json:"state"`
	Problem string        `json:"problem,omitempty"`
}

func verifiedEntries(verified []plugins.Verified) []verifiedEntry {
	entries := make([]verifiedEntry, 0, len(verified))
	for _, v := range verified {
		e := verifiedEntry{LockEntry: v.Entry, Found: v.Path, State: v.State}
		if v.Err != nil {
			e.Problem = v.Err.Error()
		}
		entries = append(entries, e)
	}
	return entries
}

func verifiedTable(verified []plugins.Verified) string {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"plugin", "version", "runtime", "state", "grants", "found"})
	for _, v := range verified {
		grants := ""
		if len(v.Entry.Grants) > 0 {
			grants = fmt.Sprint(v.Entry.Grants)
		}
		t.AppendRow(table.Row{v.Entry.Name, v.Entry.Version, v.Entry.Runtime, v.State, grants, v.Path})
	}
	return t.Render()
}
