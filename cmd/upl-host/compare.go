package main

import (
	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/host/compare"
)

func newCompareCommand() *cobra.Command {
	var seed uint64
	var asJSON, asCSV, asMarkdown bool
	cmd := &cobra.Command{
		Use:   "compare RUN...",
		Short: "Set finished runs side by side: configuration, measures, paired differences",
		Long: `Compare takes folders of finished runs, or of a matrix, for all of its runs, and
sets each against the first: which keys of the configuration differ, the measures,
and, picture by picture, how often one is right where the other is wrong, with
McNemar's exact test and a 95 % bootstrap interval of the difference. Where there
are several comparisons p is also shown with Holm's correction. Runs on other test
pictures are compared on those that both have; without labels there is
disagreement alone. See docs/compare.md.`,
		Example: `  upl-host compare runs/upl runs/upl-star
  upl-host compare runs/matrix --csv > comparisons.csv`,
		Args: cobra.MinimumNArgs(1),
	}
	cmd.Flags().Uint64Var(&seed, "seed", 1, "the bootstrap's `SEED`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, with every class")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print CSV, a row a comparison")
	cmd.Flags().BoolVar(&asMarkdown, "markdown", false, "print Markdown")
	cmd.MarkFlagsMutuallyExclusive("json", "csv", "markdown")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		runs, err := compare.Open(args...)
		if err != nil {
			return err
		}
		report, err := compare.Compare(runs, seed)
		if err != nil {
			return err
		}
		w := cmd.OutOrStdout()
		switch {
		case asJSON:
			return printJSON(w, report)
		case asCSV:
			return report.CSV(w)
		case asMarkdown:
			return report.Markdown(w)
		}
		return report.Print(w)
	}
	return cmd
}
