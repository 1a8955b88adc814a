package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/matrix"
	"github.com/upl-host/upl-host/host/progress"
)

// runMatrix does the runs of a matrix. One that is done already needs no twin.
func runMatrix(cmd *cobra.Command, m *config.Matrix, o matrix.Options, dryRun, asJSON bool) error {
	if dryRun {
		plan, err := matrix.Describe(cmd.Context(), m, o)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(cmd.OutOrStdout(), plan)
		return err
	}
	result, err := matrix.Finished(cmd.Context(), m, o)
	if err == nil && result == nil {
		if !graphs.Available() {
			return executeTwin()
		}
		o.Display = progress.New(cmd.ErrOrStderr(), isTerminal(os.Stderr) && os.Getenv("NO_COLOR") == "")
		result, err = matrix.Run(cmd.Context(), m, o)
		o.Display.Close()
	}
	var failed *matrix.FailedError
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	if asJSON {
		return errors.Join(printJSON(cmd.OutOrStdout(), result), err)
	}
	if result.Elsewhere > 0 {
		_, said := fmt.Fprintf(cmd.OutOrStdout(), "nothing is left to begin: other processes are at %s, and end with the table in %s\n",
			plural(result.Elsewhere, "run"), result.Folder)
		return errors.Join(said, err)
	}
	printed := result.Table().Print(cmd.OutOrStdout())
	_, where := fmt.Fprintf(cmd.OutOrStdout(), "tables: %s\n", filepath.Join(result.Folder, "table.*"))
	return errors.Join(printed, where, err)
}
