package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/matrix"
	"github.com/upl-host/upl-host/host/progress"
)

func newRunCommand() *cobra.Command {
	var source config.Source
	var out string
	var asJSON, dryRun, isolate, failFast bool
	cmd := &cobra.Command{
		Use:   "run -c FILE",
		Short: "Learn a classifier from pictures without labels and a list of class names",
		Long: `Run does what a configuration asks for, stage by stage, in a run folder, and ends
with a table and report.html. A run may be stopped at any moment; the same
command goes on where it was, and the results are the same bytes.

A configuration with a matrix is many runs, of data sets, models, methods,
strategies, K and seeds, in one folder: all are checked before the first begins, a
run that fails does not stop the others, and it ends in one table. The same command,
started several times or on several machines, shares the runs out (docs/matrix.md).

docs/configuration.md lists all keys. Values come from the file, then UPL_…
environment variables (UPL_LEARN_EPOCHS=10), then --set. Paths in the file start
from its own folder, those of the others from the working directory.`,
		Example: `  upl-host run -c run.yaml
  upl-host run -c run.yaml --set learn.seeds=4 --set label.selection.params.k=8 --out runs/k8
  upl-host run -c run.yaml --dry-run
  upl-host run -c matrix.yaml --out runs/matrix`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVarP(&source.File, "config", "c", "", "configuration `FILE`: YAML, TOML or JSON (required)")
	flags.StringArrayVar(&source.Set, "set", nil, "set a key, any number of times: `KEY=VALUE`")
	flags.StringVar(&out, "out", "", "run folder `DIR` (run.out; default runs/NAME beside the configuration)")
	flags.BoolVar(&isolate, "isolate", false, "run plugins that are modules in child processes (label.isolate)")
	flags.BoolVar(&asJSON, "json", false, "print the summary as JSON")
	flags.BoolVar(&failFast, "fail-fast", false, "of a matrix: end with the first run that fails")
	flags.BoolVar(&dryRun, "dry-run", false, "print the effective configuration and the plan, and do nothing")

	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if source.File == "" {
			return usage("which configuration? upl-host run -c FILE")
		}
		source.Environ = os.Environ()
		if out != "" {
			source.Set = append(source.Set, "run.out="+strconv.Quote(out))
		}
		if isolate {
			source.Set = append(source.Set, "label.isolate=true")
		}
		options := host.Options{Plugins: host.PluginOptions(), Version: version}
		if m, err := config.LoadMatrix(source); err != nil {
			return err
		} else if m != nil {
			return runMatrix(cmd, m, matrix.Options{Options: options, FailFast: failFast}, dryRun, asJSON)
		}
		c, err := config.Load(source)
		if err != nil {
			return err
		}
		if dryRun {
			return printPlan(cmd.Context(), cmd.OutOrStdout(), c, options)
		}
		if !graphs.Available() {
			return executeTwin()
		}
		options.Display = progress.New(cmd.ErrOrStderr(), isTerminal(os.Stderr) && os.Getenv("NO_COLOR") == "")
		summary, err := host.Run(cmd.Context(), c, options)
		options.Display.Close()
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), summary)
		}
		return printSummary(cmd.OutOrStdout(), summary)
	}
	return cmd
}

func printPlan(ctx context.Context, w io.Writer, c *config.Config, options host.Options) error {
	plan, err := host.Describe(ctx, c, options)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n# Plan:\n#   %s\n", c.Effective(""), strings.ReplaceAll(strings.TrimSpace(plan), "\n", "\n#   "))
	return err
}

func printSummary(w io.Writer, s *host.Summary) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"", "top-1", ""})
	for _, row := range s.Rows() {
		t.AppendRow(table.Row{row.System, row.Top1, row.Detail})
	}
	if _, err := fmt.Fprintln(w, t.Render()); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s\n", s.Where())
	return err
}

func printJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
