package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/plugins/oci"
)

func newPluginPullCommand() *cobra.Command {
	var folder string
	var lock, overwrite, plainHTTP, asJSON bool
	cmd := &cobra.Command{
		Use:   "pull REF",
		Short: "Get a plugin from an OCI registry",
		Long: `The plugin comes into a folder of its name, by default among your own plugins, whole
or not at all and checked against its digests. Nothing of it is run. Whether it may
run here is for you to decide, with plugin lock, or at once with --lock; what it may
see beyond probabilities is granted by plugin lock alone.

` + referenceHelp,
		Example: `  upl-host plugin pull registry.example/org/decided:1.0.0
  upl-host plugin pull oci:/media/stick:1.0.0 -o .upl-host/plugins`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVarP(&folder, "output", "o", "", "the `FOLDER` of plugins that it is put into (default your own)")
	cmd.Flags().BoolVar(&lock, "lock", false, "pin it in upl.lock, as plugin lock does")
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "replace another plugin, or another version, of that name")
	registryFlags(cmd, &plainHTTP, &asJSON)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if folder == "" {
			if folder = host.UserPlugins(); folder == "" {
				return usage("there is no home folder for your own plugins: say where to, -o FOLDER")
			}
		}
		pulled, err := oci.Pull(cmd.Context(), args[0], folder, oci.PullOptions{Options: registryOptions(plainHTTP), Overwrite: overwrite})
		if err != nil {
			return err
		}
		var changes []lockChange
		if lock {
			if changes, err = lockPulled(cmd.Context(), pulled.Folder); err != nil {
				return err
			}
		}
		out := cmd.OutOrStdout()
		if asJSON {
			return printJSON(out, struct {
				artefactReport
				Folder string       `json:"folder"`
				Same   bool         `json:"same"` // it was there before
				Lock   []lockChange `json:"lock,omitempty"`
			}{newArtefactReport(pulled.Artefact), pulled.Folder, pulled.Same, changes})
		}
		printArtefact(out, pulled.Artefact)
		there := ""
		if pulled.Same {
			there = " (the same was there)"
		}
		fmt.Fprintf(out, "folder     %s%s\n\n", pulled.Folder, there)
		if lock {
			return printChanges(out, plugins.LockName, changes)
		}
		_, err = fmt.Fprintf(out, "nothing of it has run; to allow it:\n  upl-host plugin lock %s\n", byName(pulled))
		return err
	}
	return cmd
}

// lockPulled pins what was pulled, without grants.
func lockPulled(ctx context.Context, folder string) (changes []lockChange, err error) {
	path, err := filepath.Abs(folder) // a path, and not a name that is searched for
	if err != nil {
		return nil, err
	}
	catalogue, err := openCatalogue("")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, catalogue.Close()) }()
	var o lockOptions
	if changes, err = o.apply(ctx, catalogue, []string{path}); err != nil {
		return nil, err
	}
	return changes, catalogue.Lock().Write(catalogue.LockPath())
}

// byName is what other commands call a plugin: its path where they would not find it
// by its name.
func byName(pulled oci.Pulled) string {
	if slices.Contains(host.PluginFolders(), filepath.Dir(pulled.Folder)) {
		return pulled.Manifest.Name
	}
	return pulled.Folder
}
