package arrays

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/upl-host/upl-host/host/label"
	"github.com/upl-host/upl-host/host/progress"
	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
)

// DefaultEnsemble is the policy that makes one matrix of several models'.
const DefaultEnsemble = "mean"

// Choice is a policy by name or path, and its parameters: an object, or nothing.
type Choice struct {
	Name   string
	Params json.RawMessage
}

// Job is a policy, or two, over arrays. All options are checked, and all files
// opened, before any long work.
type Job struct {
	Sources
	Policy Choice
	// Ensemble, of Select, makes the matrix that is chosen from. Without a name it
	// is the mean of several models, and a single one as it is.
	Ensemble Choice
	// Labels is a file of the rows' true classes, int64 or int32 [N], -1 where
	// unknown; empty: none. No policy sees them.
	Labels string
	// Output is the file that is written, whole or not at all; one that is there
	// is replaced.
	Output  string
	Seed    uint64
	Threads int // 0: all cores
	Limits  plugins.Limits

	Catalogue *plugins.Catalogue // that grants features: all there are is what the job names
	Display   progress.Display
}

// open opens the job's files.
func (j *Job) open(endings ...string) (*data, error) {
	if err := checkOutput(j.Output, endings, append(j.files(), j.Labels)); err != nil {
		return nil, err
	}
	d, err := openData(&j.Sources)
	if err != nil {
		return nil, err
	}
	d.input.Seed, d.input.Threads, d.input.Limits = j.Seed, j.Threads, j.Limits
	return d, nil
}

// policy loads what was chosen.
func (j *Job) policy(ctx context.Context, c Choice, kind sdk.Kind) (*label.Policy, error) {
	if c.Name == "" && kind == sdk.KindEnsemble {
		c.Name = DefaultEnsemble
	}
	p, err := label.Open(ctx, j.Catalogue, c.Name, c.Params, kind)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{err} // a path that leads nowhere
	}
	return p, err
}

// Select runs a selection policy and writes what it selected to Output, a .npz or
// .csv file. Once a policy was run the report is there with an error too: what
// the policy said.
func (j *Job) Select(ctx context.Context) (report *Report, err error) {
	d, err := j.open(".npz", ".csv")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	labels := unknown(d.rows)
	if j.Labels != "" {
		if labels, err = readLabels(j.Labels, d); err != nil {
			return nil, err
		}
	}
	selection, err := j.policy(ctx, j.Policy, sdk.KindSelection)
	if err != nil {
		return nil, err
	}
	report = newReport(d, j.Output)
	report.Policy = report.use(selection)
	if err := j.makeEnsemble(ctx, d, report); err != nil {
		return report, err
	}
	if ensemble, ok := d.input.Ensemble.(*scratch); ok {
		defer func() { err = errors.Join(err, ensemble.Close()) }()
	}
	report.warnUnseenFeatures(d)

	// Whatever a policy may emit can be written.
	d.input.Takes = []sdk.EmitKind{sdk.EmitSoft, sdk.EmitCandidates, sdk.EmitDrop}
	began := time.Now()
	var selected plugins.Selection
	err = j.run("select", d, func(in plugins.Input) (err error) {
		selected, err = selection.Select(ctx, in)
		return err
	})
	report.hear(selection, selected.Record)
	if err != nil {
		return report, d.explain(err, selection)
	}
	report.took(time.Since(began))
	if err := report.measure(selected, labels, d.input.ClassNames); err != nil {
		return report, err
	}
	return report, WriteSelection(j.Output, selected, d.classes)
}

// makeEnsemble gives d the matrix that a selection chooses from.
func (j *Job) makeEnsemble(ctx context.Context, d *data, report *Report) error {
	if j.Ensemble.Name == "" && len(d.models) == 1 {
		d.input.Ensemble = d.input.Models[0]
		return nil
	}
	ensemble, err := j.policy(ctx, j.Ensemble, sdk.KindEnsemble)
	if err != nil {
		return err
	}
	report.Ensemble = report.use(ensemble)
	// Beside the output: where N x C has room is for the user to say.
	combined, err := newScratch(filepath.Dir(j.Output), d.rows, d.classes)
	if err != nil {
		return err
	}
	began := time.Now()
	err = j.run("combine", d, func(in plugins.Input) error {
		in.Mixed = func(mixed plugins.Probabilities) { d.input.Ensemble = mixed }
		told, err := ensemble.Combine(ctx, in, combined.write)
		report.hear(ensemble, told)
		return err
	})
	if err != nil {
		return errors.Join(d.explain(err, ensemble), combined.Close())
	}
	report.EnsembleSeconds = time.Since(began).Seconds()
	if d.input.Ensemble != nil { // it is made as it is read
		return combined.Close()
	}
	d.input.Ensemble = combined
	return nil
}

// Combine runs an ensemble policy and streams its matrix to Output, a .npy file.
// Once the policy was run the report is there with an error too.
func (j *Job) Combine(ctx context.Context) (report *Report, err error) {
	d, err := j.open(".npy")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	ensemble, err := j.policy(ctx, j.Policy, sdk.KindEnsemble)
	if err != nil {
		return nil, err
	}
	report = newReport(d, j.Output)
	report.Policy = report.use(ensemble)
	report.warnUnseenFeatures(d)
	began := time.Now()
	err = j.run("combine", d, func(in plugins.Input) error {
		told, err := ensemble.CombineFile(ctx, in, j.Output, func(int) {})
		report.hear(ensemble, told)
		return err
	})
	if err != nil {
		return report, d.explain(err, ensemble)
	}
	report.took(time.Since(began))
	return report, nil
}

// run does something with d's input and shows how far it is.
func (j *Job) run(name string, d *data, do func(plugins.Input) error) error {
	display := j.Display
	if display == nil {
		display = progress.Silent
	}
	task := display.Start(name, d.rows, "rows")
	defer task.End()
	m := &meter{task: task, rows: d.rows}
	in := d.input
	in.Models = nil
	for _, p := range d.input.Models {
		in.Models = append(in.Models, m.watch(p))
	}
	if in.Ensemble != nil {
		in.Ensemble = m.watch(in.Ensemble)
	}
	if err := do(in); err != nil {
		return err
	}
	m.finish()
	return nil
}

// unknown are the labels of rows without any.
func unknown(rows int) []int {
	labels := make([]int, rows)
	for i := range labels {
		labels[i] = -1
	}
	return labels
}
