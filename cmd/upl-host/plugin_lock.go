package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/plugins"
)

func newPluginLockCommand() *cobra.Command {
	var lockFile string
	var o lockOptions
	cmd := &cobra.Command{
		Use:   "lock NAME|PATH…",
		Short: "Pin plugins as they are now: from then on they run as long as they stay the same",
		Long: `Lock writes name, version and hash of plugins into upl.lock, and what they may see.
Where there is a lock, only what it lists may run, and what came with upl-host; a
program runs only if it is listed. A plugin that is listed already is pinned as it is
now, with the grants of this command and no others: look at what changed first.

A module is compiled and describes itself in its sandbox. A program is not started.`,
		Example: `  upl-host plugin lock top-k-margin
  upl-host plugin lock ./my-rule --grant features
  upl-host plugin lock --all
  upl-host plugin lock --remove my-rule`,
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.grants, "grant", nil, "what the plugins may see beyond probabilities: `features`")
	flags.BoolVar(&o.all, "all", false, "every plugin that is found and not locked yet, but those that came with upl-host")
	flags.BoolVar(&o.remove, "remove", false, "take plugins off the lock, by their names")
	flags.BoolVar(&o.asJSON, "json", false, "print JSON")
	lockFlag(cmd, &lockFile)
	cmd.Args = func(_ *cobra.Command, args []string) error {
		switch {
		case o.all && (len(args) > 0 || o.remove || len(o.grants) > 0):
			return errors.New("--all takes neither names nor --grant nor --remove")
		case o.remove && len(o.grants) > 0:
			return errors.New("--remove takes no --grant")
		case !o.all && len(args) == 0:
			return errors.New("which plugins? Give names, paths, or --all")
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		catalogue, err := openCatalogueToLock(lockFile)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, catalogue.Close()) }()
		changes, err := o.apply(cmd.Context(), catalogue, args)
		if err != nil {
			return err
		}
		if len(changes) > 0 {
			if err := catalogue.Lock().Write(catalogue.LockPath()); err != nil {
				return err
			}
		}
		if o.asJSON {
			return printJSON(cmd.OutOrStdout(), changes)
		}
		return printChanges(cmd.OutOrStdout(), catalogue.LockPath(), changes)
	}
	return cmd
}

type lockOptions struct {
	grants              []string
	all, remove, asJSON bool
}

// lockChange is what became of a plugin's entry.
type lockChange struct {
	Before *plugins.LockEntry `json:"before,omitempty"`
	After  *plugins.LockEntry `json:"after,omitempty"` // none: it is gone
	Needs  []string           `json:"needs,omitempty"` // grants that it was not given
}

// apply changes the catalogue's lock; nothing is written.
func (o *lockOptions) apply(ctx context.Context, catalogue *plugins.Catalogue, names []string) (changes []lockChange, err error) {
	if o.remove {
		for _, name := range names {
			before, err := catalogue.Unpin(name)
			if err != nil {
				return nil, err
			}
			changes = append(changes, lockChange{Before: &before})
		}
		return changes, nil
	}
	if o.all {
		if names, err = unlocked(catalogue); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		pinned, err := catalogue.Pin(ctx, name, o.grants)
		if err != nil {
			return nil, err
		}
		changes = append(changes, lockChange{Before: pinned.Before, After: &pinned.Entry, Needs: pinned.Withheld})
	}
	return changes, nil
}

// unlocked are the plugins that --all pins. One that has changed since it was locked
// is not accepted among others.
func unlocked(catalogue *plugins.Catalogue) (folders []string, err error) {
	found, err := catalogue.Survey()
	if err != nil {
		return nil, err
	}
	for _, p := range found {
		switch p.State {
		case plugins.StateUnlocked:
			folders = append(folders, p.Folder)
		case plugins.StateLocked, plugins.StateBuiltIn, plugins.StateUnchecked:
		default:
			err = errors.Join(err, p.Problem)
		}
	}
	return folders, err
}

func printChanges(w io.Writer, lock string, changes []lockChange) error {
	var b strings.Builder
	if len(changes) == 0 {
		fmt.Fprintf(&b, "%s: nothing to change\n", lock)
	}
	for _, c := range changes {
		if c.After == nil {
			fmt.Fprintf(&b, "%s: %s is no longer locked\n", lock, c.Before.Name)
			continue
		}
		e := c.After
		fmt.Fprintf(&b, "%s: %s\n", lock, strings.TrimSpace(e.Name+" "+e.Version))
		line := func(name, value string) { fmt.Fprintf(&b, "  %-8s %s\n", name, value) }
		line("hash", e.Hash)
		if c.Before != nil && c.Before.Hash != e.Hash {
			line("was", strings.TrimSpace(c.Before.Hash+" "+c.Before.Version))
		}
		line("policies", strings.Join(e.Policies, ", "))
		line("runtime", runtimeSays[e.Runtime])
		line("sees", sees(c))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// sees says what a plugin may see once it is locked so.
func sees(c lockChange) string {
	text := "probabilities, names of classes and models, its parameters"
	if len(c.After.Grants) > 0 {
		return text + ", " + strings.Join(c.After.Grants, ", ")
	}
	if len(c.Needs) > 0 {
		return text + "; not features, which it asks for: add --grant features"
	}
	return text
}
