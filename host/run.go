package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/host/backbone"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/host/folder"
	"github.com/upl-host/upl-host/host/label"
	"github.com/upl-host/upl-host/host/learn"
	"github.com/upl-host/upl-host/host/progress"
	"github.com/upl-host/upl-host/plugins"
)

// saveEvery is the most work that a kill costs, apart from the batch or epoch at hand.
const saveEvery = 2 * time.Second

// Options of a run, beside its configuration.
type Options struct {
	// Plugins are where policies are found and kept: PluginOptions. Lock, ceiling and
	// isolation are the configuration's.
	Plugins plugins.Options
	// Display shows the progress; nil: silent.
	Display progress.Display
	// Shared is what this run has in common with others; nil: nothing.
	Shared *Shared
	// Version is this program's.
	Version string
}

// Run does what a configuration asks for in its run folder: it goes on where an
// earlier run of the same configuration was stopped, and gives the same results
// as if it had not been. A folder of another configuration is refused.
//
// Errors: *config.Error and *UsageError (the user's to mend), *folder.LockedError,
// those of package plugins, ctx.Err().
func Run(ctx context.Context, c *config.Config, options Options) (_ *Summary, err error) {
	if options.Display == nil {
		options.Display = progress.Silent
	}
	shared, done := options.sharing()
	defer func() { err = errors.Join(err, done()) }()
	options.Shared = shared
	p, truth, err := prepare(ctx, c, options)
	if err != nil {
		return nil, err
	}
	f, err := folder.Open(c.Run.Out)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := claim(f, c); err != nil {
		return nil, err
	}
	log, closeLog, err := openLog(f, c.Log.Level)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeLog()) }()

	// Before a decoder, or a product, opens a session of its own.
	if err := graphs.FixThreads(c.Run.Threads); err != nil {
		return nil, err
	}
	r := newRun(p, options, f)
	r.log = log
	r.towers = newTowers(p.models, graphs.Options{
		Device: c.Device, Threads: c.Run.Threads, Precision: graphs.Precision(c.Run.Precision),
	}, p.shared, log)
	r.manifest = r.newManifest()
	for _, note := range r.data.Notes {
		r.warn("%s", note)
	}
	if n := len(r.data.Missing); n > 0 {
		r.warn("%d pictures are listed and not there: %s", n, shortList(r.data.Missing))
	}
	for _, note := range p.notes() {
		r.warn("%s", note)
	}
	err = r.stages(ctx, &examiner{run: r, truth: truth})
	r.manifest.Finished = time.Now().UTC()
	r.manifest.Status = statusOf(err)
	if writeErr := r.manifest.write(f); err == nil {
		err = writeErr
	}
	if err != nil {
		log.Error("the run ended", "status", r.manifest.Status, "error", err)
		return nil, err
	}
	log.Info("the run is done", "seconds", r.manifest.Finished.Sub(r.manifest.Started).Seconds())
	return r.summary()
}

func statusOf(err error) string {
	switch {
	case err == nil:
		return "done"
	case errors.Is(err, context.Canceled):
		return "interrupted"
	}
	return "failed"
}

// run is a run at work.
type run struct {
	*plan
	display  progress.Display
	version  string // this program's
	folder   *folder.Folder
	log      *slog.Logger
	manifest *Manifest

	towers *towers
	kept   pictures
	// prompts are those that are learnt: see classPrompts.
	prompts *learn.ClassPrompts
	chain   string // hash of everything that the finished stages put out
}

// newRun takes of the options what stages may see: the data sets that runs share come
// with the truth.
func newRun(p *plan, o Options, f *folder.Folder) *run {
	return &run{plan: p, display: o.Display, version: o.Version, folder: f}
}

// A stage reads files and writes files. Its inputs are what the stages before it
// put out, the configuration, and what it says itself.
type stage struct {
	name   string
	inputs func() string
	// run returns the names of the files that it wrote.
	run func(ctx context.Context) (outputs []string, err error)
}

func (r *run) stages(ctx context.Context, x *examiner) error {
	for _, s := range r.stageList(x) {
		if err := r.do(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// stageList are the stages in their order. The examiner alone holds the truth: it
// names the labels that the first stage lists in a table, for people and the report,
// and evaluates.
func (r *run) stageList(x *examiner) []stage {
	nothing := func() string { return "" }
	encode := func(ctx context.Context) ([]string, error) { return r.encode(ctx, x.labelName) }
	return []stage{
		{"encode", r.encodeInputs, encode},
		{"classify", r.prompting.digest, r.classify},
		{"combine", r.policyInputs(r.ensemble), r.combine},
		{"select", r.policyInputs(r.selection), r.selectLabels},
		{"learn", nothing, r.learn},
		{"evaluate", func() string { return evaluate.Format }, x.evaluate},
		{"report", r.reportInputs, r.report},
	}
}

// inputs is the hash of all that a stage's results depend on.
func (r *run) inputs(s stage) string {
	return digest(s.name, r.config.Fingerprint(), r.chain, s.inputs())
}

// finish goes on from a stage's results.
func (r *run) finish(s stage, record folder.Record) error {
	if s.name == "encode" {
		if err := r.readKept(); err != nil {
			return err
		}
	}
	if s.name == "select" {
		if err := r.readRounds(); err != nil {
			return err
		}
	}
	r.chain = digest(r.chain, record.Digest())
	return nil
}

// do runs a stage, or finds it done.
func (r *run) do(ctx context.Context, s stage) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	inputs := r.inputs(s)
	record, reused := r.folder.Finished(s.name, inputs)
	m := r.manifest
	if reused {
		m.Warnings, m.Metrics = append(m.Warnings, record.Warnings...), append(m.Metrics, record.Metrics...)
	} else {
		r.log.Info("stage begins", "stage", s.name)
		began, warnings, metrics := time.Now(), len(m.Warnings), len(m.Metrics)
		outputs, err := s.run(ctx)
		if err != nil {
			return err
		}
		record, err = r.folder.Finish(s.name, folder.Record{
			Inputs: inputs, Seconds: time.Since(began).Seconds(), Warnings: m.Warnings[warnings:], Metrics: m.Metrics[metrics:],
		}, outputs)
		if err != nil {
			return err
		}
	}
	if err := r.finish(s, record); err != nil {
		return err
	}
	m.Stages = append(m.Stages, StageRecord{Name: s.name, Seconds: record.Seconds, Reused: reused})
	r.log.Info("stage is done", "stage", s.name, "seconds", record.Seconds, "reused", reused)
	return m.write(r.folder)
}

func digest(parts ...string) string {
	hash := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(hash, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// claim binds the folder to the configuration, or says why it cannot.
func claim(f *folder.Folder, c *config.Config) error {
	before, err := configurationOf(f)
	if err != nil {
		return err
	}
	if before != nil {
		if err := refuseOther(f.Path, before, c); err != nil {
			return err
		}
	} else if empty, err := f.Empty(); err != nil {
		return err
	} else if !empty {
		return &UsageError{Err: fmt.Errorf("%s is neither empty nor a run's folder: choose another one with --out", f.Path)}
	}
	return f.Write(configurationName, c.Effective(f.Path))
}

func refuseOther(path string, before, now *config.Config) error {
	var differences []string
	for _, d := range config.Diff(before, now) {
		if d.Results {
			differences = append(differences, d.String())
		}
	}
	if len(differences) == 0 {
		return nil
	}
	return &UsageError{Err: &OtherConfigurationError{Path: path, Differences: differences}}
}

// deviceKind is what the models run on, whether they are open or not, as keys of
// caches have it: cpu, gpu, cpu bfloat16.
func (r *run) deviceKind() (string, error) {
	device, err := r.towers.device()
	if err != nil {
		return "", err
	}
	r.manifest.Machine.Device, r.manifest.Machine.Precision = device, r.config.Run.Precision
	name := kind(device)
	if p := r.config.Run.Precision; p != string(graphs.Float32) {
		name += " " + p
	}
	return name, nil
}

// model opens a model where it is not open.
func (r *run) model(i int) (*backbone.Backbone, error) {
	b, err := r.towers.open(i)
	if err != nil {
		return nil, err
	}
	r.manifest.Machine.Device, r.manifest.Machine.Precision = b.Device(), string(b.Precision())
	return b, nil
}

func openLog(f *folder.Folder, level string) (*slog.Logger, func() error, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, nil, &UsageError{Err: fmt.Errorf("log.level: %w", err)}
	}
	file, err := os.OpenFile(f.Join("log.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the log: %w", err)
	}
	return slog.New(slog.NewJSONHandler(file, &slog.HandlerOptions{Level: l})), file.Close, nil
}

func (r *run) newManifest() *Manifest {
	m := &Manifest{
		Schema: 1, Name: r.config.Name, Status: "running", Started: time.Now().UTC(),
		Configuration: r.config.Fingerprint(), Seed: r.config.Seed,
		Software: Software{Version: r.version, Go: runtime.Version(), TensorFlow: graphs.Version()},
		Machine:  Machine{System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU()},
	}
	if r.config.Learn.Method != config.MethodZeroShot {
		m.Seeds = r.config.Learn.Seeds
	}
	for _, model := range r.models {
		m.Models = append(m.Models, ModelRecord{
			Name: model.Name, Path: model.Dir, Hash: model.Hash,
			Preprocess: model.Transform.Key(), LogitScale: float64(model.Config.LogitScale),
		})
	}
	root, err := filepath.Abs(r.data.Root)
	if err != nil {
		root = r.data.Root
	}
	m.Dataset = DatasetRecord{Root: root, Classes: len(r.data.Classes), Labels: r.labelled}
	m.Plugins = []PluginRecord{pluginRecord("ensemble", r.ensemble), pluginRecord("selection", r.selection)}
	return m
}

func pluginRecord(role string, p *label.Policy) PluginRecord {
	return PluginRecord{
		Role: role, Name: p.Name, Version: p.Version, Runtime: p.Runtime, Path: p.Path, Hash: p.Hash,
		Lock: string(p.State), Grants: p.Granted, Params: p.Params,
	}
}
