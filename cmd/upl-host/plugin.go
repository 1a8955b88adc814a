package main

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/plugins"
)

func newPluginCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "plugin", Short: "List, show, begin, test, share, lock and verify plugins", Args: cobra.NoArgs}
	cmd.AddCommand(
		newPluginListCommand(),
		newPluginShowCommand(),
		newPluginNewCommand(),
		newPluginTestCommand(),
		newPluginLockCommand(),
		newPluginVerifyCommand(),
		newPluginPushCommand(),
		newPluginPullCommand(),
		newPluginIsolatedCommand(),
	)
	return cmd
}

// lockFlag lets a command name another lock file.
func lockFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "lock", "", "lock `FILE` (default upl.lock in the working folder)")
}

// openCatalogue makes a catalogue that goes by a lock file; empty: the usual one,
// which need not be there. Changes are made to its options.
func openCatalogue(lockFile string, changes ...func(*plugins.Options)) (*plugins.Catalogue, error) {
	options := host.PluginOptions()
	for _, change := range changes {
		change(&options)
	}
	var err error
	options.Lock, options.LockPath, err = host.ReadLock(lockFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usage("%w: `upl-host plugin lock NAME --lock %s` makes one", err, lockFile)
	case errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENOTDIR):
		return nil, usage("%w: want a file such as %s", err, plugins.LockName)
	}
	if err != nil {
		return nil, err
	}
	return plugins.NewCatalogue(options), nil
}

// openCatalogueToLock is openCatalogue where the lock file may be yet to be made.
func openCatalogueToLock(lockFile string) (*plugins.Catalogue, error) {
	if _, err := os.Stat(lockFile); lockFile != "" && errors.Is(err, fs.ErrNotExist) {
		options := host.PluginOptions()
		options.LockPath = lockFile
		return plugins.NewCatalogue(options), nil
	}
	return openCatalogue(lockFile)
}
