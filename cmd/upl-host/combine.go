package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/host/arrays"
)

func newCombineCommand() *cobra.Command {
	var o arrayOptions
	cmd := &cobra.Command{
		Use:   "combine -p P1.npy -p P2.npy -o OUT.npy",
		Short: "Make one matrix of several models' softmax outputs, by any ensemble policy",
		Long: `Combine runs an ensemble policy on arrays of your own, rows x classes, as numpy.save
writes them (float16, float32 or float64, C order). OUT.npy is float32, rows x
classes, written as it is computed; it appears when it is whole, and replaces one
that is there. Features are shown to a policy that asks for them: naming them here
is the grant.`,
		Example: `  upl-host combine -p vit.npy -p rn.npy -o mean.npy
  upl-host combine -p vit.npy -p rn.npy --policy mean --params '{"calibrate": "mean"}' -o mean.npy`,
		Args: cobra.NoArgs,
	}
	o.flags(cmd, "the .npy `FILE` that is written (required)")
	cmd.Flags().StringVar(&o.job.Policy.Name, "policy", arrays.DefaultEnsemble, "ensemble policy, by name or path")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		finish, err := o.prepare(cmd)
		if err != nil {
			return err
		}
		report, err := o.job.Combine(cmd.Context())
		err = errors.Join(err, finish())
		return o.print(cmd, report, err, printCombined)
	}
	return cmd
}

func printCombined(w io.Writer, r *arrays.Report) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendRow(table.Row{"policy", described(r.Policy)})
	t.AppendRow(table.Row{"from", fmt.Sprintf("%d x %d, %s", r.Rows, r.Classes, strings.Join(r.Models, ", "))})
	t.AppendRow(table.Row{"time", duration(r)})
	t.AppendRow(table.Row{"written", r.Output})
	_, err := fmt.Fprintln(w, t.Render())
	return err
}
