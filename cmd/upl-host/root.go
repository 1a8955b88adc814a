package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// execute runs one command line and returns its exit code.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err != nil {
		report(stderr, err)
	}
	return exitCode(err)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "upl-host",
		Short: "Unsupervised prompt learning for exported CLIP models",
		Long: `upl-host turns pictures without labels and a list of class names into a better
classifier than zero-shot CLIP, by Unsupervised Prompt Learning (arXiv 2204.03649):
zero-shot probabilities, the most confident pseudo labels per class, a prompt
learned through the frozen text encoder, an ensemble of prompts.

Exit codes: 0 done, 1 other failure, 2 wrong usage or configuration, 3 a plugin
failed, 4 a limit was exceeded, 5 integrity (hash, grant, corrupt file),
130 interrupted. UPL_PLUGINS names folders that are searched for plugins first.`,
		Example: `  upl-host export downloads/RN50.pt -o models/rn50
  upl-host run -c run.yaml
  upl-host predict runs/run pictures/`,
		Version:       fmt.Sprintf("%s (%s, %s/%s)", version, runtime.Version(), runtime.GOOS, runtime.GOARCH),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w (see `%s --help`)", flagError(err), cmd.CommandPath())}
	})
	cobra.EnableCommandSorting = false // in the order of their use
	root.AddCommand(
		newExportCommand(),
		newModelCommand(),
		newDatasetCommand(),
		newRunCommand(),
		newPredictCommand(),
		newFiguresCommand(),
		newCompareCommand(),
		newVerifyCommand(),
		newExportClassifierCommand(),
		newEmbedCommand(),
		newSelectCommand(),
		newCombineCommand(),
		newPluginCommand(),
		newBenchCommand(),
		newDoctorCommand(),
	)
	wrapArguments(root)
	return root
}

// flagValues are what flags take, by the names of their types.
var flagValues = map[string]string{
	"int": "a whole number", "int64": "a whole number", "uint64": "a whole number of at least 0",
	"float64": "a number", "float64Slice": "a number", "duration": "a time such as 90s or 10m", "bool": "true or false",
}

// flagError says what a flag takes, in place of which function of Go refused it.
func flagError(err error) error {
	var wrong *pflag.InvalidValueError
	if !errors.As(err, &wrong) {
		return err
	}
	flag := wrong.GetFlag()
	want, ok := flagValues[flag.Value.Type()]
	if !ok {
		return err
	}
	return fmt.Errorf("--%s %s: want %s", flag.Name, wrong.GetValue(), want)
}

// argumentError says what a command takes, in place of how many.
func argumentError(cmd *cobra.Command, args []string, err error) error {
	_, takes, _ := strings.Cut(cmd.Use, " ")
	counted := strings.HasPrefix(err.Error(), "accepts ") || strings.HasPrefix(err.Error(), "requires at least ")
	switch {
	case counted:
		return fmt.Errorf("%s takes %s; given were %d arguments", cmd.CommandPath(), takes, len(args))
	case !cmd.HasSubCommands() && strings.HasPrefix(err.Error(), "unknown command "):
		return fmt.Errorf("%s takes options alone, and %q is none", cmd.CommandPath(), args[0])
	}
	return err
}

// wrapArguments makes a wrong number of arguments a usage error, everywhere.
func wrapArguments(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return &usageError{fmt.Errorf("%w (see `%s --help`)", argumentError(cmd, args, err), cmd.CommandPath())}
			}
			return nil
		}
	}
	for _, child := range cmd.Commands() {
		wrapArguments(child)
	}
}
