package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/host/figures"
	"github.com/upl-host/upl-host/host/report/figure"
)

func newFiguresCommand() *cobra.Command {
	var o figures.Options
	var formats []string
	one, several := figures.Names()
	cmd := &cobra.Command{
		Use:   "figures RUN|MATRIX…",
		Short: "Write figures for print, each with the data behind it",
		Long: `Figures draws what a run's folder has data for, or, of several folders and of a
matrix, what sets the runs side by side: 8.4 or 17.4 cm wide, text of 8 points,
colours that the colour-blind tell apart, fonts embedded. Beside each figure is a
CSV file of what it shows. What there is no data for is named, with the reason:
docs/figures.md.

Of one run:
` + inLines(one) + `
Of several runs, or of a matrix:
` + inLines(several),
		Example: `  upl-host figures runs/pets
  upl-host figures runs/pets -o paper/ --format pdf --only reliability,confused-pairs
  upl-host figures runs/top-k runs/threshold -o compared/`,
		Args: cobra.MinimumNArgs(1),
	}
	cmd.Flags().StringVarP(&o.Out, "output", "o", "", "folder `DIR` of the files (default: figures/print in the one folder given)")
	cmd.Flags().StringSliceVar(&formats, "format", []string{"svg", "pdf"}, "`FORMATS` of the figures: svg, pdf, png")
	cmd.Flags().StringSliceVar(&o.Only, "only", nil, "`NAMES` of the figures that are drawn (default: all)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		for _, format := range formats {
			o.Formats = append(o.Formats, figure.Format(format))
		}
		result, err := figures.Write(cmd.Context(), args, o)
		if err != nil {
			return err
		}
		if err := printFigures(cmd.OutOrStdout(), result); err != nil {
			return err
		}
		if len(result.Drawn) == 0 {
			return errors.New("no figure was drawn: the reasons are above")
		}
		return nil
	}
	return cmd
}

// inLines are names in lines of a terminal's width.
func inLines(names []string) string {
	const most = 76
	var lines []string
	for _, name := range names {
		last := len(lines) - 1
		if last < 0 || len(lines[last])+len(", ")+len(name) > most {
			lines = append(lines, "  "+name)
			continue
		}
		lines[last] += ", " + name
	}
	return strings.Join(lines, "\n")
}

func printFigures(w io.Writer, result *figures.Result) error {
	var text strings.Builder
	for _, f := range result.Drawn {
		fmt.Fprintf(&text, "%s.{%s}: %s\n", f.Name, strings.Join(f.Endings, ","), f.Title)
	}
	for _, m := range result.Missing {
		fmt.Fprintf(&text, "left out: %s: %s\n", m.Name, m.Why)
	}
	fmt.Fprintf(&text, "figures: %s\n", result.Folder)
	_, err := io.WriteString(w, text.String())
	return err
}
