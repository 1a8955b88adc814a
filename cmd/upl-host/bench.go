package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/host/bench"
	"github.com/upl-host/upl-host/host/dataset"
	"github.com/upl-host/upl-host/host/progress"
)

func newBenchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure this machine at prompt learning, encoding and selecting",
		Long: `Bench measures what a run spends its time on, on sizes of true use, and shows the
useful floating-point operations a second beside the rate of large matrix products
that TensorFlow reaches on the same threads. Useful is what the result needs at
least: no padding, nothing computed twice, nothing that leads nowhere.`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newBenchPromptCommand(), newBenchEncodeCommand(), newBenchTextCommand(), newBenchSelectCommand())
	return cmd
}

// benchOptions are what all benchmarks have in common.
type benchOptions struct {
	setup  bench.Setup
	asJSON bool
}

func (o *benchOptions) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntVar(&o.setup.Threads, "threads", 0, "threads, 0 for one a core")
	flags.DurationVar(&o.setup.Bounds.Duration, "duration", 10*time.Second, "how long to measure, three runs at least")
	flags.IntVar(&o.setup.Bounds.Runs, "runs", 0, "how many runs to measure, in place of --duration")
	flags.BoolVar(&o.asJSON, "json", false, "print JSON")
}

// prepare checks what was given, and shows what is done; close ends that.
func (o *benchOptions) prepare(cmd *cobra.Command) (finish func(), err error) {
	switch b := o.setup.Bounds; {
	case o.setup.Threads < 0 || o.setup.Threads > maxThreads:
		return nil, usage("--threads %d: want 0 to %d", o.setup.Threads, maxThreads)
	case b.Duration <= 0:
		return nil, usage("--duration %v: want a time above 0", b.Duration)
	case b.Runs < 0 || b.Runs == 0 && cmd.Flags().Changed("runs"):
		return nil, usage("--runs %d: want 1 or more", b.Runs)
	}
	o.setup.Display = progress.New(cmd.ErrOrStderr(), isTerminal(os.Stderr) && os.Getenv("NO_COLOR") == "")
	return o.setup.Display.Close, nil
}

func (o *benchOptions) print(cmd *cobra.Command, r *bench.Report) error {
	if o.asJSON {
		return printJSON(cmd.OutOrStdout(), r)
	}
	return printBenchmark(cmd.OutOrStdout(), r)
}

// measure prepares, runs a benchmark and prints what it found.
func measure(cmd *cobra.Command, o interface {
	prepare(cmd *cobra.Command) (finish func(), err error)
	print(cmd *cobra.Command, r *bench.Report) error
}, run func() (*bench.Report, error),
) error {
	finish, err := o.prepare(cmd)
	if err != nil {
		return err
	}
	report, err := run()
	finish()
	if err != nil {
		return err
	}
	return o.print(cmd, report)
}

// count checks a flag's number.
func count(flag string, value, most int) error {
	if value < 1 || value > most {
		return usage("--%s %d: want 1 to %d", flag, value, most)
	}
	return nil
}

// Most of what can be asked for: beyond is a slip of the finger.
const (
	mostClasses  = 1 << 16
	mostPictures = 1 << 20
	mostRows     = 1 << 30
)

// classOptions are the classes of a benchmark.
type classOptions struct {
	count int
	file  string
}

func (o *classOptions) flags(cmd *cobra.Command) {
	cmd.Flags().IntVar(&o.count, "classes", 101, "classes, with names that are made: one to three words")
	cmd.Flags().StringVar(&o.file, "class-names", "", "names of the classes, a `FILE` with one a line, in place of --classes")
}

func (o *classOptions) names(cmd *cobra.Command) ([]string, error) {
	if o.file == "" {
		names, err := bench.ClassNames(o.count)
		if err != nil {
			return nil, usage("--classes %d: %w", o.count, err)
		}
		return names, nil
	}
	if cmd.Flags().Changed("classes") {
		return nil, usage("--classes or --class-names: one of them")
	}
	classes, err := dataset.ReadClasses(o.file)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(classes))
	for i, class := range classes {
		names[i] = class.Name
	}
	return names, nil
}

// printBenchmark prints a report for people.
func printBenchmark(w io.Writer, r *bench.Report) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendRow(table.Row{"model", r.Model})
	t.AppendRow(table.Row{"on", fmt.Sprintf("%s, %s", r.Device, plural(r.Threads, "thread"))})
	t.AppendRow(table.Row{"measured", measured(r)})
	t.AppendRow(table.Row{"time", fmt.Sprintf("%.4g s, at least %.4g s, of %s", r.Median, r.Min, plural(r.Runs, "run"))})
	if r.Items > 1 {
		t.AppendRow(table.Row{"rate", fmt.Sprintf("%.4g %ss a second", r.ItemsPerSecond, r.Item)})
	}
	appendStages(t, r)
	switch {
	case r.GFLOPS > 0 && r.PeakGFLOPS > 0:
		t.AppendRow(table.Row{"useful", fmt.Sprintf("%.3g GFLOP/s, %.0f %% of the %.3g of matrix products", r.GFLOPS, 100*r.GFLOPS/r.PeakGFLOPS, r.PeakGFLOPS)})
	case r.PeakGFLOPS > 0:
		t.AppendRow(table.Row{"useful", fmt.Sprintf("unknown: the tower is none of ours; matrix products reach %.3g GFLOP/s", r.PeakGFLOPS)})
	}
	if r.RSS > 0 {
		t.AppendRow(table.Row{"memory", fmt.Sprintf("%.2f GiB at most", float64(r.RSS)/(1<<30))})
	}
	if r.EqualWithin != nil {
		t.AppendRow(table.Row{"equal within", fmt.Sprintf("%.1e, to the model's own prompt_gradient", *r.EqualWithin)})
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

// measured says what a run of a benchmark is.
func measured(r *bench.Report) string {
	s := r.Settings
	var parts []string
	add := func(ok bool, format string, arguments ...any) {
		if ok {
			parts = append(parts, fmt.Sprintf(format, arguments...))
		}
	}
	add(r.Benchmark == "prompt", "a step of prompt learning, forward and backward")
	add(r.Benchmark == "encode", "%s from files to features", plural(r.Items, "picture"))
	add(r.Benchmark == "text", "%d texts to class features", r.Items)
	add(r.Benchmark == "select", "%s by %s, of %s", plural(s.Rows, "row"), s.Policy, plural(s.Models, "model"))
	add(s.Classes > 0, "%d classes", s.Classes)
	add(s.Templates > 0, "%s", plural(s.Templates, "template"))
	add(s.Batch > 0, "batch %d", s.Batch)
	add(s.ContextLength > 0, "%s", plural(s.ContextLength, "vector"))
	add(s.ClassSpecific, "a context a class")
	add(s.Position != "", "name at the %s", s.Position)
	add(s.Path != "", "%s", s.Path)
	add(s.Seeds > 1, "%d contexts side by side", s.Seeds)
	add(s.Parts > 1, "in %d parts", s.Parts)
	add(s.Skipped > 0, "%s left out that cannot be decoded", plural(s.Skipped, "picture"))
	return strings.Join(parts, ", ")
}

func appendStages(t table.Writer, r *bench.Report) {
	var parts []string
	for _, stage := range []struct {
		name    string
		seconds float64
	}{
		{"decoding alone", r.Decode}, {"the tower alone", r.Tower}, {"ensemble", r.Ensemble}, {"selection", r.Selection},
	} {
		if stage.seconds > 0 {
			parts = append(parts, fmt.Sprintf("%s %.3g s", stage.name, stage.seconds))
		}
	}
	if len(parts) > 0 {
		t.AppendRow(table.Row{"of it", strings.Join(parts, ", ")})
	}
	if r.GBPerSecond > 0 {
		t.AppendRow(table.Row{"read", fmt.Sprintf("%.3g GB of probabilities a second", r.GBPerSecond)})
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
