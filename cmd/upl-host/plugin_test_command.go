package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/trial"
	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/plugins/conformance"
	"github.com/upl-host/upl-host/plugins/develop"
	"github.com/upl-host/upl-host/sdk/session"
)

// pluginTest is one call of `plugin test`.
type pluginTest struct {
	name    string // a path, or a policy's name
	params  string
	run     string // a run folder
	timeout time.Duration
	asJSON  bool

	out, err io.Writer
}

func newPluginTestCommand() *cobra.Command {
	t := &pluginTest{}
	var watch bool
	cmd := &cobra.Command{
		Use:   "test PATH|NAME",
		Short: "Test a plugin: what it breaks, why, and what to do; or try it on a run's probabilities",
		Long: `Test runs each policy of a plugin on made-up data and says which promises of the
contract it breaks (docs/plugin-abi.md): that it is what it says it is, that the same
gives the same, whatever the threads and the sizes of batches, what it makes of
parameters at the edge of their schema and of odd data, that it stays within limits.
Features are granted. The exit code is 3 where a check fails.

PATH is a plugin's folder, a module, or a source folder whose Makefile has built one
into build/NAME; "#POLICY" behind it takes one policy of several. Test builds nothing
but with --watch.

With --data a policy gets the probabilities of a run folder instead, and what it makes
of them is shown: pseudo labels by class, their accuracy where the pictures have
labels, what it has in common with the run's own.`,
		Example: `  upl-host plugin test build/my-rule
  upl-host plugin test . --watch
  upl-host plugin test build/my-rule --params '{"k": 8}' --data runs/glyphs`,
		Args: cobra.ExactArgs(1),
	}
	flags := cmd.Flags()
	flags.StringVar(&t.params, "params", "", "parameters, a `JSON` object, in place of the defaults")
	flags.StringVar(&t.run, "data", "", "try the policy on the probabilities of a run folder, `RUN_DIR`")
	flags.DurationVar(&t.timeout, "timeout", time.Minute, "how long a check, or a trial with --data, may take")
	flags.BoolVar(&t.asJSON, "json", false, "print JSON: a report; with --data a list of trials")
	flags.BoolVar(&watch, "watch", false, "build with make, and again on every save; Ctrl-C ends")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		t.name, t.out, t.err = args[0], cmd.OutOrStdout(), cmd.ErrOrStderr()
		if t.name == "" {
			return usage("which plugin? Give a path or a policy's name")
		}
		if t.timeout <= 0 {
			return usage("--timeout %v: want more than 0", t.timeout)
		}
		place, err := t.locate()
		if err != nil {
			return err
		}
		if watch {
			return t.watch(cmd.Context(), place)
		}
		return t.once(cmd.Context(), place)
	}
	return cmd
}

// locate finds the plugin's built and source folders; none of a policy's name.
func (t *pluginTest) locate() (develop.Place, error) {
	path, _, _ := strings.Cut(t.name, "#")
	place, err := develop.Locate(path)
	var several *develop.SeveralError
	switch {
	case errors.As(err, &several):
		return place, &usageError{err}
	case errors.Is(err, fs.ErrNotExist) && !strings.ContainsRune(path, os.PathSeparator) && !strings.HasSuffix(path, ".wasm"):
		return develop.Place{Built: path}, nil
	case errors.Is(err, fs.ErrNotExist):
		return place, &usageError{err}
	}
	return place, err
}

// once tests what is built.
func (t *pluginTest) once(ctx context.Context, place develop.Place) (err error) {
	if place.Built == "" {
		return usage("%s is not built, and `plugin test` builds nothing: run `make -C %s` first, or give --watch", place.Source, place.Source)
	}
	name := place.Built
	if _, policy, ok := strings.Cut(t.name, "#"); ok {
		name += "#" + policy
	}
	options := host.PluginOptions()
	options.Trial = true
	catalogue := plugins.NewCatalogue(options)
	defer func() { err = errors.Join(err, catalogue.Close()) }()
	if t.run != "" {
		return t.try(ctx, catalogue, name)
	}
	report, err := conformance.Test(ctx, catalogue, name, conformance.Options{
		Params: json.RawMessage(t.params), Timeout: t.timeout, Progress: t.progress(),
	})
	if err != nil {
		return err
	}
	if t.asJSON {
		err = printJSON(t.out, report)
	} else {
		err = printReport(t.out, report)
	}
	return errors.Join(err, report.Err())
}

// progress shows on a terminal which check has just ended.
func (t *pluginTest) progress() func(string, conformance.Result) {
	if t.err != os.Stderr || !isTerminal(os.Stderr) {
		return nil
	}
	last := conformance.LastCheck()
	return func(policy string, r conformance.Result) {
		fmt.Fprintf(t.err, "\r\x1b[K%s %s", policy, r.ID)
		if r.ID == last || policy == "" {
			fmt.Fprint(t.err, "\r\x1b[K")
		}
	}
}

// try tries all policies that a name stands for on a run.
func (t *pluginTest) try(ctx context.Context, catalogue *plugins.Catalogue, name string) (err error) {
	cause := &plugins.LimitError{Limit: session.LimitTime, Detail: fmt.Sprintf("the trial took more than %v (--timeout)", t.timeout)}
	ctx, cancel := context.WithTimeoutCause(ctx, t.timeout, cause)
	defer cancel()
	run, err := trial.Open(t.run)
	if err != nil {
		return &usageError{err}
	}
	defer func() { err = errors.Join(err, run.Close()) }()
	policies, err := catalogue.FindAll(ctx, name)
	if err != nil {
		return err
	}
	results := make([]*trial.Result, len(policies))
	for i, p := range policies {
		if results[i], err = run.Try(ctx, p, json.RawMessage(t.params)); err != nil {
			return err
		}
		if !t.asJSON {
			if err := printTrial(t.out, results[i]); err != nil {
				return err
			}
		}
	}
	if t.asJSON {
		return printJSON(t.out, results)
	}
	return nil
}

// watch builds and tests, again and again.
func (t *pluginTest) watch(ctx context.Context, place develop.Place) error {
	if place.Source == "" {
		return usage("--watch needs a source folder with a Makefile; %s has none, and is no build/NAME of one", t.name)
	}
	return develop.Watch(ctx, place.Source, func(ctx context.Context) {
		if f, ok := t.out.(*os.File); ok && isTerminal(f) {
			fmt.Fprint(t.out, "\x1b[H\x1b[2J\x1b[3J")
		}
		err := t.buildAndTest(ctx, place.Source)
		if ctx.Err() != nil {
			return // what was tested has changed
		}
		if err != nil {
			report(t.err, err)
		}
		fmt.Fprintf(t.err, "%s watching %s; Ctrl-C ends\n", time.Now().Format(time.TimeOnly), place.Source)
	})
}

func (t *pluginTest) buildAndTest(ctx context.Context, source string) error {
	if err := develop.Build(ctx, source); err != nil {
		return err
	}
	place, err := t.locate()
	if err != nil {
		return err
	}
	if place.Built == "" {
		return fmt.Errorf("make in %s has built no build/NAME/%s", source, plugins.ManifestName)
	}
	return t.once(ctx, place)
}
