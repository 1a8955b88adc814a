package main

import (
	"context"
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/graphs"
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
learnt through the frozen text encoder, an ensemble of prompts.`,
		Version:       fmt.Sprintf("%s (%s, %s/%s, TensorFlow: %v)", version, runtime.Version(), runtime.GOOS, runtime.GOARCH, graphs.Available()),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w (see `%s --help`)", err, cmd.CommandPath())}
	})
	root.AddCommand(
		newRunCommand(),
		newPredictCommand(),
		newExportCommand(),
		newModelCommand(),
		newEmbedCommand(),
		newExportClassifierCommand(),
		newPluginCommand(),
		newDoctorCommand(),
	)
	wrapArguments(root)
	return root
}

// wrapArguments makes a wrong number of arguments a usage error, everywhere.
func wrapArguments(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return &usageError{fmt.Errorf("%w (see `%s --help`)", err, cmd.CommandPath())}
			}
			return nil
		}
	}
	for _, child := range cmd.Commands() {
		wrapArguments(child)
	}
}
