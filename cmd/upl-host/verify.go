package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/host/verify"
)

func newVerifyCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify TABLE",
		Short: "Set a finished matrix beside the published figures",
		Long: `Verify takes a matrix's folder, or its table.csv, and sets its rows beside the figures
that were published of RN50 on the eleven data sets: zero-shot, UPL, UPL*, CoOp,
CLIP-Adapter, Tip-Adapter and Tip-Adapter-F. Zero-shot has to be within 0.3 points
of one of the sources, or the exit code is 1; of what is learnt the difference is
reported. Where there is a gap it names what commonly explains one and is not as
published: preprocessing, template, logit scale, precision, split, schedule, views,
number of prompts, shots. A matrix that has runs to do is refused. The studies are in
examples/paper.`,
		Example: `  upl-host run -c examples/paper/zero-shot.yaml --out runs/zero-shot
  upl-host verify runs/zero-shot`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		report, err := verify.Verify(args[0])
		if err != nil {
			return err
		}
		if asJSON {
			err = printJSON(cmd.OutOrStdout(), report)
		} else {
			err = report.Print(cmd.OutOrStdout())
		}
		if n := report.Differing(); err == nil && n > 0 {
			return fmt.Errorf("%d zero-shot accuracies are not within %.1f points of any published one", n, verify.ZeroShotBound)
		}
		return err
	}
	return cmd
}
