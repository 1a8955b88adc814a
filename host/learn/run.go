package learn

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/safetensors"
	"github.com/upl-host/upl-host/graphs/tensorboard"
)

// Job is the learning of the contexts of several seeds.
type Job struct {
	// Folder is the run's: contexts/, training/ and tensorboard/ are written in it.
	Folder     string
	Prompt     Prompt
	Gradienter Gradienter
	Data       Data
	// Rows are, by seed, the rows of Data that it learns from, as many for each; nil:
	// all of them, for all seeds.
	Rows     map[uint64][]int
	Settings Settings
	// Initial is the context to begin with (WordContext); nil: drawn by each seed.
	Initial *array.Matrix
	// Order of the pictures in an epoch; nil: Shuffled.
	Order Order
	// Software is this program's version, for the files' metadata.
	Software string
	// Kept is a folder of what was learned from the same inputs, for other runs to take;
	// empty: none. It is to be of one program, on one kind of device.
	Kept   string
	Events Events

	digest [sha256.Size]byte
}

// ContextPath is where a run's folder has the context of a seed.
func ContextPath(folder string, seed uint64) string {
	return filepath.Join(folder, "contexts", seedName(seed)+".safetensors")
}

// CurvePath is where a run's folder has the training curve of a seed: epoch,
// learning_rate, loss, accuracy.
func CurvePath(folder string, seed uint64) string {
	return filepath.Join(folder, "training", seedName(seed)+".csv")
}

func seedName(seed uint64) string { return "seed-" + strconv.FormatUint(seed, 10) }

// statePath is where the state of a group is kept, named for its first seed.
func (j *Job) statePath(group []uint64) string {
	return filepath.Join(j.Folder, "contexts", "."+seedName(group[0])+".state.safetensors")
}

// keptPath is where other runs find what a group has learned in the end.
func (j *Job) keptPath(group []uint64) string {
	return filepath.Join(j.Kept, j.groupInputs(group)+".safetensors")
}

// pictures is how many each seed learns from.
func (j *Job) pictures() int {
	if j.Rows == nil {
		return j.Data.Features.Rows
	}
	return len(j.Rows[j.Settings.Seeds[0]])
}

// visits are the rows of Data in the order in which an epoch of a seed sees them.
func (j *Job) visits(seed uint64, epoch int) []int {
	order := j.Order
	if order == nil {
		order = Shuffled
	}
	visits := order(seed, epoch, j.pictures())
	if rows := j.Rows[seed]; rows != nil {
		for i, place := range visits {
			visits[i] = rows[place]
		}
	}
	return visits
}

func (j *Job) validate() error {
	if err := errors.Join(j.Settings.Validate(), j.Prompt.Validate()); err != nil {
		return err
	}
	if err := j.Data.validate(len(j.Prompt.ClassNames)); err != nil {
		return err
	}
	if err := j.validateRows(); err != nil {
		return err
	}
	if i := j.Initial; i != nil && (i.Rows != j.Prompt.Rows() || i.Cols != j.Prompt.Width) {
		return fmt.Errorf("the initial context is %d x %d, want %d x %d", i.Rows, i.Cols, j.Prompt.Rows(), j.Prompt.Width)
	}
	return nil
}

func (j *Job) validateRows() error {
	if j.Rows == nil {
		return nil
	}
	for _, seed := range j.Settings.Seeds {
		rows := j.Rows[seed]
		if len(rows) != j.pictures() || len(rows) == 0 {
			return fmt.Errorf("seed %d learns from %d pictures, seed %d from %d: want as many for each, and one at least",
				seed, len(rows), j.Settings.Seeds[0], j.pictures())
		}
		for _, row := range rows {
			if row < 0 || row >= j.Data.Features.Rows {
				return fmt.Errorf("seed %d learns from row %d of %d", seed, row, j.Data.Features.Rows)
			}
		}
	}
	return nil
}

// NewPlan says what work it is to learn from that many pictures, at least 1.
func NewPlan(settings Settings, pictures int) Plan {
	_, steps := settings.batches(pictures)
	return Plan{Prompts: len(settings.Seeds), Epochs: settings.Epochs, StepsPerEpoch: steps}
}

// Run learns the contexts of all seeds and returns them in the order of
// Settings.Seeds. A group of seeds (Settings.Together) whose files are there, of
// the same inputs, is not learned again, nor is one that another run has Kept; one
// that was interrupted goes on at its last saved epoch. When ctx ends, or after an
// error, what is done is saved.
//
// Errors: ErrNothingToLearn, DivergedError, those of the Gradienter and of files.
func Run(ctx context.Context, job Job) ([]Context, error) {
	j := &job
	if err := j.validate(); err != nil {
		return nil, err
	}
	if err := j.digestInputs(); err != nil {
		return nil, err
	}
	if err := makeFolders(ContextPath(j.Folder, 0), CurvePath(j.Folder, 0)); err != nil {
		return nil, err
	}
	if j.Kept != "" {
		if err := os.MkdirAll(j.Kept, 0o755); err != nil {
			return nil, fmt.Errorf("keeping what is learned: %w: set cache.dir to a folder that can be written to", err)
		}
	}
	r := &run{Job: j, contexts: make(map[uint64]Context), plan: NewPlan(j.Settings, j.pictures())}
	if err := r.lookBack(); err != nil {
		return nil, err
	}
	if err := r.learn(ctx); err != nil {
		return nil, err
	}
	contexts := make([]Context, len(j.Settings.Seeds))
	for i, seed := range j.Settings.Seeds {
		contexts[i] = r.contexts[seed]
	}
	return contexts, nil
}

// makeFolders makes the folders of files that are to be written.
func makeFolders(paths ...string) error {
	for _, path := range paths {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("making the run's folders: %w", err)
		}
	}
	return nil
}

// run is one call of Run.
type run struct {
	*Job
	contexts map[uint64]Context // by seed, of the groups that are done
	plan     Plan
	done     int // steps of all seeds
	pace     pace
}

// lookBack finds what earlier calls left.
func (r *run) lookBack() error {
	for _, group := range r.Settings.groups() {
		found, err := r.finished(group)
		if err != nil {
			return err
		}
		if found != nil {
			maps.Copy(r.contexts, found)
			r.plan.Done += len(group) * r.plan.StepsPerPrompt()
			continue
		}
		states, err := r.resume(group)
		if err != nil {
			return err
		}
		r.plan.Done += len(group) * len(states[0].curve) * r.plan.StepsPerEpoch
	}
	r.done = r.plan.Done
	return nil
}

// finished returns the contexts of a group that is done; nil where one is missing.
func (r *run) finished(group []uint64) (map[uint64]Context, error) {
	contexts := make(map[uint64]Context)
	for _, seed := range group {
		c, err := ReadContext(ContextPath(r.Folder, seed))
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, safetensors.ErrFormat):
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("looking for finished contexts: %w", err)
		case c.Inputs != r.inputs(group, seed):
			return nil, nil
		}
		contexts[seed] = c
	}
	return contexts, nil
}

func (r *run) learn(ctx context.Context) error {
	if r.Events.OnPlan != nil {
		r.Events.OnPlan(r.plan)
	}
	for _, group := range r.Settings.groups() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, done := r.contexts[group[0]]; !done {
			if err := r.learnGroup(ctx, group); err != nil {
				return err
			}
		}
		if err := r.forget(group); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) learnGroup(ctx context.Context, group []uint64) error {
	from, err := r.resume(group)
	if err != nil {
		return err
	}
	t := newTrainer(r.Job, group, from, r.stepped)
	known := t.done() == r.Settings.Epochs
	if err := r.epochs(ctx, t); err != nil {
		return err
	}
	if r.Kept != "" && !known {
		if err := r.save(r.keptPath(group), group, t.states); err != nil {
			return err
		}
	}
	for i, seed := range group {
		if err := writeCurve(CurvePath(r.Folder, seed), t.states[i].curve); err != nil {
			return err
		}
		c := Context{
			Prompt: r.Prompt, Vectors: t.states[i].vectors, Seed: seed,
			Settings: r.Settings, Inputs: r.inputs(group, seed), Software: r.Software,
		}
		// The context comes last: where those of a group are, it is done.
		if err := c.Write(ContextPath(r.Folder, seed)); err != nil {
			return err
		}
		r.contexts[seed] = c
		if r.Events.OnSeed != nil {
			r.Events.OnSeed(seed)
		}
	}
	return nil
}

// epochs trains to the last epoch, checkpointing on the way, and also when it
// is stopped.
func (r *run) epochs(ctx context.Context, t *trainer) (err error) {
	boards, err := r.boards(t)
	if err != nil {
		return err
	}
	last, saved, savedAt := t.clone(), t.done(), time.Now()
	defer func() {
		if err != nil && len(last[0].curve) > saved {
			err = errors.Join(err, r.save(r.statePath(t.seeds), t.seeds, last))
		}
		err = errors.Join(err, closeBoards(boards))
	}()
	for t.done() < r.Settings.Epochs {
		if err := t.epoch(ctx); err != nil {
			return err
		}
		last = t.clone()
		for i, s := range last {
			point := s.curve[len(s.curve)-1]
			if err := show(boards[i], point); err != nil {
				return err
			}
			if r.Events.OnEpoch != nil {
				r.Events.OnEpoch(t.seeds[i], point)
			}
		}
		if t.done() < r.Settings.Epochs && time.Since(savedAt) >= r.Settings.CheckpointEvery {
			if err := r.save(r.statePath(t.seeds), t.seeds, last); err != nil {
				return err
			}
			saved, savedAt = t.done(), time.Now()
		}
	}
	return nil
}

// boards begins the TensorBoard events of a group.
func (r *run) boards(t *trainer) ([]*tensorboard.Writer, error) {
	boards := make([]*tensorboard.Writer, 0, len(t.seeds))
	for i, seed := range t.seeds {
		w, err := board(boardPath(r.Folder, seed), t.states[i].curve)
		if err != nil {
			return nil, errors.Join(err, closeBoards(boards))
		}
		boards = append(boards, w)
	}
	return boards, nil
}

func closeBoards(boards []*tensorboard.Writer) error {
	errs := make([]error, len(boards))
	for i, w := range boards {
		errs[i] = w.Close()
	}
	return errors.Join(errs...)
}

func (r *run) stepped(seed uint64, epoch, step int, loss float64) {
	r.done++
	total := r.plan.Steps()
	left := r.pace.step(time.Now(), total-r.done)
	if r.Events.OnStep != nil {
		r.Events.OnStep(Step{Seed: seed, Epoch: epoch, Step: step, Loss: loss, Done: r.done, Total: total, Left: left})
	}
}
