package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/host"
)

func newDoctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what upl-host finds on this machine, and what is wrong",
		Long: `Doctor says which TensorFlow there is, which processor features and devices,
how many threads, where caches and plugins are, and what is wrong. It exits
with 1 where something is.`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var twinErr error
		if !graphs.Available() {
			// It returns only on failure: the rest can be told all the same.
			twinErr = executeTwin()
		}
		d := host.Diagnose(version, twinErr)
		if asJSON {
			if err := printJSON(cmd.OutOrStdout(), d); err != nil {
				return err
			}
		} else {
			t := table.NewWriter()
			t.SetStyle(table.StyleLight)
			for _, row := range d.Rows() {
				t.AppendRow(table.Row{row[0], row[1]})
			}
			fmt.Fprintln(cmd.OutOrStdout(), t.Render())
		}
		if len(d.Problems) == 0 {
			return nil
		}
		for _, problem := range d.Problems {
			fmt.Fprintf(os.Stderr, "problem: %s\n", problem)
		}
		return errors.New("something is wrong, see above")
	}
	return cmd
}
