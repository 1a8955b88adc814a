package main

import (
	"fmt"
	"io"
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
  cd top-margin && make test`,
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
		for _, t := range scaffold.Missing(lang) {
			fmt.Fprintf(cmd.ErrOrStderr(), "warning: make needs %s, which is not on the PATH (Debian, Ubuntu: apt-get install %s)\n", t.Name, t.Package)
		}
		return printSteps(cmd.OutOrStdout(), args[0], lang, folder)
	}
	return cmd
}

// printSteps prints what to do with a new plugin: commands that work as they are, but
// for the names of a run and of a configuration.
func printSteps(w io.Writer, name, lang, folder string) error {
	built := filepath.Join("build", name)
	path := filepath.Join(folder, built)
	if !filepath.IsAbs(path) {
		path = "." + string(filepath.Separator) + path
	}
	var b strings.Builder
	step := func(command, why string) { fmt.Fprintf(&b, "  %-*s # %s\n", 44, command, why) }
	fmt.Fprintf(&b, "%s: a plugin in %s\n\nnext:\n", folder, lang)
	fmt.Fprintf(&b, "  cd %s\n", quoted(folder))
	step("make", "builds "+built+", the plugin's folder")
	step("make test", "the rule's own tests, then upl-host's")
	if lang == "python" {
		step(". .venv/bin/activate", "its python3 has the plugin's packages")
	}
	step("upl-host plugin test . --data RUN", "on the probabilities of a run folder")
	fmt.Fprintf(&b, "\nthen, in the folder of run.yaml:\n")
	step("upl-host plugin lock "+quoted(path), "these bytes may run, and no others")
	step("upl-host run -c run.yaml", "with these lines in it:")
	fmt.Fprintf(&b, "\n  label:\n    selection: {plugin: %s}\n", yamlQuoted(path))
	_, err := io.WriteString(w, b.String())
	return err
}

// quoted is a word of a shell's command line.
func quoted(word string) string {
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./_-+") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// yamlQuoted is a word within a YAML flow mapping.
func yamlQuoted(word string) string {
	if quoted(word) == word {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", "''") + "'"
}
