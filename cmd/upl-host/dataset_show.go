package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/dataset/inspect"
	"github.com/upl-host/upl-host/host/progress"
	contact "github.com/upl-host/upl-host/host/report"
)

func newDatasetShowCommand() *cobra.Command {
	var source datasetSource
	var sheet string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show PATH | -c FILE",
		Short: "Show what is in a data set: splits, classes, sizes, prompts",
		Long: `Show counts the pictures of each split and class, reads the headers of pictures
(20,000 at most), and says what the models will read: the classes' names, and the
prompts made of them. PATH is a folder per class, a table, Parquet files, tars, or a
data set in CoOp's layout; its files show which, or --kind says it. Keys of a
configuration's section dataset are set by --set. With --sheet it writes a contact
sheet: some pictures of each class, to see whether labels and pictures belong together.`,
		Example: `  upl-host dataset show pictures
  upl-host dataset show pictures --set dataset.unlabeled=train --set dataset.test=test
  upl-host dataset show cifar10/ --sheet cifar10.html
  upl-host dataset show -c run.yaml --json`,
		Args: cobra.MaximumNArgs(1),
	}
	source.flags(cmd)
	cmd.Flags().StringVar(&sheet, "sheet", "", "write a contact sheet, an .html or .png `FILE`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if sheet != "" {
			if err := contact.SheetFormat(sheet); err != nil {
				return &usageError{fmt.Errorf("--sheet: %w", err)}
			}
		}
		c, err := source.load(cmd, args)
		if err != nil {
			return err
		}
		i, err := host.Inspect(c)
		if err != nil {
			return err
		}
		options := inspect.ShowOptions{Templates: i.Templates(), ClassPrompts: i.ClassPrompts(), Workers: c.Run.Threads}
		display := newDisplay(cmd)
		task := display.Start("headers", options.Sampled(i.Data), "pictures")
		options.Progress = task.Set
		overview, err := inspect.Show(cmd.Context(), i.Data, i.Truth, options)
		task.End()
		display.Close()
		if err != nil {
			return err
		}
		if asJSON {
			err = printJSON(cmd.OutOrStdout(), overview)
		} else {
			err = printOverview(cmd.OutOrStdout(), overview)
		}
		if err != nil || sheet == "" {
			return err
		}
		return writeSheet(cmd, i, preprocess.Limits{Pixels: c.Dataset.MaxPixels}, sheet)
	}
	return cmd
}

// newDisplay shows progress: bars on a terminal, lines now and then elsewhere.
func newDisplay(cmd *cobra.Command) progress.Display {
	return progress.New(cmd.ErrOrStderr(), isTerminal(os.Stderr) && os.Getenv("NO_COLOR") == "")
}

func writeSheet(cmd *cobra.Command, i *host.Inspection, limits preprocess.Limits, file string) error {
	failed, err := inspect.WriteSheet(cmd.Context(), i.Data, i.Truth, limits, file)
	if err != nil {
		return err
	}
	if failed > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s cannot be shown; `upl-host dataset check` says why\n", plural(failed, "picture"))
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "contact sheet: %s\n", file)
	return nil
}

func printOverview(w io.Writer, o *inspect.Overview) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendRow(table.Row{"data set", o.Root})
	t.AppendRow(table.Row{"classes", len(o.Classes)})
	for _, s := range o.Splits {
		t.AppendRow(table.Row{s.Name, splitWords(s)})
	}
	var formats []string
	for _, f := range o.Formats {
		formats = append(formats, fmt.Sprintf("%d %s", f.Pictures, f.Name))
	}
	if n := len(o.Unreadable); n > 0 {
		formats = append(formats, fmt.Sprintf("%d unreadable (%s)", n, some(o.Unreadable)))
	}
	t.AppendRow(table.Row{"formats", strings.Join(formats, ", ")})
	if s := o.Sizes; s != nil {
		t.AppendRow(table.Row{"shorter side", rangeWords(s.Shorter)})
		t.AppendRow(table.Row{"longer side", rangeWords(s.Longer)})
		if s.Smallest.Width != s.Largest.Width || s.Smallest.Height != s.Largest.Height {
			t.AppendRow(table.Row{"smallest", sizedWords(s.Smallest)})
			t.AppendRow(table.Row{"largest", sizedWords(s.Largest)})
		}
	}
	prompts := strings.Join(o.Prompts, "\n")
	if n := len(o.Templates); n > 3 {
		prompts += fmt.Sprintf("\nand %d more templates", n-3)
	}
	t.AppendRow(table.Row{"prompts", prompts})
	if _, err := fmt.Fprintln(w, t.Render()); err != nil {
		return err
	}
	if err := printClassCounts(w, o); err != nil {
		return err
	}
	for _, note := range o.Notes { // as long as a paragraph
		if _, err := fmt.Fprintln(w, "note:", note); err != nil {
			return err
		}
	}
	return nil
}

func splitWords(s inspect.Split) string {
	switch {
	case s.Labelled == 0:
		return fmt.Sprintf("%s, no labels", plural(s.Pictures, "picture"))
	case s.Labelled < s.Pictures:
		return fmt.Sprintf("%s, %d with labels; %s", plural(s.Pictures, "picture"), s.Labelled, extremes(s))
	}
	return fmt.Sprintf("%s; %s", plural(s.Pictures, "picture"), extremes(s))
}

func extremes(s inspect.Split) string {
	if s.Smallest.Pictures == s.Largest.Pictures {
		return fmt.Sprintf("%d of each class", s.Smallest.Pictures)
	}
	text := fmt.Sprintf("%d (%s) to %d (%s) of a class", s.Smallest.Pictures, s.Smallest.Class, s.Largest.Pictures, s.Largest.Class)
	if s.Empty > 1 {
		text += fmt.Sprintf(", %d classes without", s.Empty)
	}
	return text
}

func rangeWords(r inspect.Range) string {
	if r.Min == r.Max {
		return fmt.Sprintf("%d pixels", r.Min)
	}
	return fmt.Sprintf("%d to %d pixels, median %d", r.Min, r.Max, r.Median)
}

func sizedWords(s inspect.Sized) string {
	return fmt.Sprintf("%d x %d, %s", s.Width, s.Height, s.Picture)
}

// printClassCounts lists the classes, those with the most pictures first; of many
// both ends.
func printClassCounts(w io.Writer, o *inspect.Overview) error {
	classes := slices.Clone(o.Classes)
	slices.SortStableFunc(classes, func(a, b inspect.Class) int { return b.Total() - a.Total() })
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	heading := table.Row{"class"}
	renamed := slices.ContainsFunc(classes, func(c inspect.Class) bool { return c.Folder != c.Spoken })
	if renamed {
		heading = append(heading, "as the model reads it")
	}
	for _, s := range o.Splits {
		heading = append(heading, s.Name)
	}
	t.AppendHeader(heading)
	const most, ends = 40, 10
	left := 0
	for n, class := range classes {
		if len(classes) > most && n >= ends && n < len(classes)-ends {
			if left++; n == ends {
				t.AppendSeparator()
			}
			continue
		}
		row := table.Row{class.Folder}
		if renamed {
			row = append(row, class.Spoken)
		}
		for _, count := range class.Counts {
			row = append(row, count)
		}
		t.AppendRow(row)
	}
	if _, err := fmt.Fprintln(w, t.Render()); err != nil || left == 0 {
		return err
	}
	_, err := fmt.Fprintf(w, "%d classes between these are left out; --json lists all %d\n", left, len(classes))
	return err
}
