package main

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/plugins/oci"
)

func newPluginPullCommand() *cobra.Command {
	var folder string
	var overwrite, plainHTTP, asJSON bool
	cmd := &cobra.Command{
		Use:   "pull REF",
		Short: "Get a plugin from an OCI registry",
		Long: `The plugin comes into a folder of its name, by default among your own plugins, whole
or not at all and checked against its digests. Nothing of it is run. What it may do
here is for you to decide, with plugin lock.

` + referenceHelp,
		Example: `  upl-host plugin pull registry.example/org/decided:1.0.0
  upl-host plugin pull oci:/media/stick:1.0.0 -o .upl-host/plugins`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVarP(&folder, "output", "o", "", "the `FOLDER` of plugins that it is put into (default your own)")
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
		out := cmd.OutOrStdout()
		if asJSON {
			return printJSON(out, struct {
				artefactReport
				Folder string `json:"folder"`
				Same   bool   `json:"same"` // it was there before
			}{newArtefactReport(pulled.Artefact), pulled.Folder, pulled.Same})
		}
		printArtefact(out, pulled.Artefact)
		there := ""
		if pulled.Same {
			there = " (the same was there)"
		}
		_, err = fmt.Fprintf(out, "folder     %s%s\n\nnothing of it has run; to allow it:\n  upl-host plugin lock %s\n", pulled.Folder, there, byName(pulled))
		return err
	}
	return cmd
}

// byName is what other commands call a plugin: its path where they would not find it
// by its name.
func byName(pulled oci.Pulled) string {
	if slices.Contains(host.PluginFolders(), filepath.Dir(pulled.Folder)) {
		return pulled.Manifest.Name
	}
	return pulled.Folder
}
