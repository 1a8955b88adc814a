package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/plugins/scaffold"
)

func newPluginNewCommand() *cobra.Command {
	var lang, folder string
	languages := strings.Join(scaffold.Languages(), ", ")
	cmd := &cobra.Command{
		Use:   "new NAME --lang LANGUAGE",
		Short: "Begin a plugin of your own: a folder that builds and passes its test as it is",
		Long: `NAME, such as top-margin, becomes the name of the plugin, of its folder and of its
one policy, a small selection rule to be changed. The SDK is in the folder; make and
make test need the language's own tools alone. Languages: ` + languages + `.`,
		Example: `  upl-host plugin new top-margin --lang go
  cd top-margin && make && make test`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&lang, "lang", "", "the `LANGUAGE`: "+languages+" (required)")
	cmd.Flags().StringVarP(&folder, "output", "o", "", "the new `FOLDER` (default NAME)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if lang == "" {
			return usage("in which language? --lang %s", languages)
		}
		if folder == "" {
			folder = args[0]
		}
		if err := scaffold.New(args[0], lang, folder); err != nil {
			return err
		}
		built := filepath.Join("build", args[0])
		_, err := fmt.Fprintf(cmd.OutOrStdout(), `%s: a plugin in %s

next:
  cd %s
  make                            # makes %s, the plugin's folder
  make test
  upl-host plugin test %[4]s
  upl-host plugin lock %[4]s

then in run.yaml:
  label:
    selection: {plugin: ./%s}
`, folder, lang, folder, built, filepath.ToSlash(filepath.Join(folder, built)))
		return err
	}
	return cmd
}
