package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/host/arrays"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/progress"
	"github.com/upl-host/upl-host/plugins"
)

// arrayOptions are what select and combine have in common.
type arrayOptions struct {
	job            arrays.Job
	params, memory string
	lockFile       string
	isolate        bool
	time           time.Duration
	asJSON         bool
}

// maxThreads is what a run's configuration allows, too.
const maxThreads = 4096

func (o *arrayOptions) flags(cmd *cobra.Command, output string) {
	flags := cmd.Flags()
	flags.StringArrayVarP(&o.job.Probabilities, "probabilities", "p", nil, "softmax outputs [N, C], a .npy `FILE`; once for each model (required)")
	flags.StringVar(&o.params, "params", "", "the policy's parameters, a `JSON` object")
	flags.StringArrayVar(&o.job.Features, "features", nil, "features of the rows [N, D], a .npy `FILE`, for policies that look at them; once for each -p")
	flags.StringArrayVar(&o.job.TextFeatures, "text-features", nil, "features of the classes' texts [C, D], a .npy `FILE`; once for each -p")
	flags.StringVar(&o.job.Prior, "prior", "", "how frequent the classes are, a .npy [C] or .csv (class,number) `FILE`")
	flags.StringVar(&o.job.ClassNames, "class-names", "", "names of the classes, a `FILE` with one a line (default: their numbers)")
	flags.Float64SliceVar(&o.job.LogitScales, "logit-scale", nil, "the model's logit scale `X` (1/tau); once for each -p")
	flags.Lookup("logit-scale").DefValue = ""
	flags.Uint64Var(&o.job.Seed, "seed", 1, "where the policy's randomness starts")
	flags.IntVar(&o.job.Threads, "threads", 0, "threads, 0 for one a core; results do not depend on it")
	flags.DurationVar(&o.time, "time", 0, "the longest that a policy may compute (default 10m)")
	flags.StringVar(&o.memory, "memory", "", "the most memory that a policy may hold, a `SIZE` (default 256MiB, of a program 4GiB)")
	flags.BoolVar(&o.isolate, "isolate", false, "run plugins that are modules in child processes")
	lockFlag(cmd, &o.lockFile)
	flags.StringVarP(&o.job.Output, "output", "o", "", output)
	flags.BoolVar(&o.asJSON, "json", false, "print JSON")
}

// prepare completes the job; close unloads the policies.
func (o *arrayOptions) prepare(cmd *cobra.Command) (finish func() error, err error) {
	if o.job.Output == "" {
		return nil, usage("where to? -o FILE")
	}
	if o.job.Policy.Params, err = jsonObject("--params", o.params); err != nil {
		return nil, err
	}
	for _, scale := range o.job.LogitScales {
		if !(scale > 0) || math.IsInf(scale, 0) {
			return nil, usage("--logit-scale %v: want a finite number above 0", scale)
		}
	}
	if o.job.Threads < 0 || o.job.Threads > maxThreads {
		return nil, usage("--threads %d: want 0 to %d", o.job.Threads, maxThreads)
	}
	if o.time < 0 {
		return nil, usage("--time %v: want 0 or more", o.time)
	}
	o.job.Limits = plugins.Limits{Time: o.time, Call: o.time}
	if o.memory != "" {
		size, err := config.ParseSize(o.memory)
		if err != nil || size <= 0 {
			return nil, usage("--memory %s: want a size such as 512MiB", o.memory)
		}
		o.job.Limits.Memory = int64(size)
	}
	if o.job.Catalogue, err = openCatalogue(o.lockFile, func(options *plugins.Options) {
		options.Isolate, options.Grants = o.isolate, []string{plugins.GrantFeatures} // all there are is what the command names
		options.Ceiling = plugins.Ceiling{Time: o.time, Memory: o.job.Limits.Memory, ProcessMemory: o.job.Limits.Memory}
	}); err != nil {
		return nil, err
	}
	o.job.Display = progress.New(cmd.ErrOrStderr(), isTerminal(os.Stderr) && os.Getenv("NO_COLOR") == "")
	return func() error {
		o.job.Display.Close()
		return o.job.Catalogue.Close()
	}, nil
}

// print prints what a policy said to standard error, also of one that failed, and
// the report to standard output.
func (o *arrayOptions) print(cmd *cobra.Command, r *arrays.Report, failed error, table func(io.Writer, *arrays.Report) error) error {
	if r == nil {
		return failed
	}
	if !o.asJSON || failed != nil {
		said := make([]string, 0, len(r.Log)+len(r.Metrics))
		for _, line := range r.Log {
			said = append(said, line.String())
		}
		for _, m := range r.Metrics {
			said = append(said, fmt.Sprintf("%s, round %d: %s = %v", m.Plugin, m.Round, m.Name, m.Value))
		}
		printSome(cmd.ErrOrStderr(), said)
	}
	for _, warning := range r.Warnings {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s\n", warning)
	}
	switch {
	case failed != nil:
		return failed
	case o.asJSON:
		return printJSON(cmd.OutOrStdout(), r)
	}
	return table(cmd.OutOrStdout(), r)
}

// printSome prints the lines of a policy, but for the middle of very many.
func printSome(w io.Writer, lines []string) {
	const head, tail = 40, 20
	for i, line := range lines {
		if i == head && len(lines) > head+tail {
			fmt.Fprintf(w, "… %d lines left out\n", len(lines)-head-tail)
		}
		if i < head || i >= len(lines)-tail {
			fmt.Fprintln(w, line)
		}
	}
}

// jsonObject checks a JSON object of the command line.
func jsonObject(option, text string) (json.RawMessage, error) {
	if text == "" {
		return nil, nil
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil || object == nil {
		return nil, usage(`%s %s: want a JSON object such as '{"k": 8}'`, option, text)
	}
	return json.RawMessage(text), nil
}

func described(p *arrays.Policy) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", p.Name, p.Version, p.Params))
}

func duration(r *arrays.Report) string {
	return fmt.Sprintf("%.3g s, %.3g s per million rows", r.Seconds, r.SecondsPerMillionRows)
}
