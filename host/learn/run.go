package learn

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/safetensors"
)

// Job is the learning of the contexts of several seeds.
type Job struct {
	// Folder is the run's: contexts/, training/ and tensorboard/ are written in it.
	Folder     string
	Prompt     Prompt
	Gradienter Gradienter
	Data       Data
	Settings   Settings
	// Initial is the context to begin with (WordContext); nil: drawn by each seed.
	Initial *array.Matrix
	// Order of the pictures in an epoch; nil: Shuffled.
	Order Order
	// Software is this program's version, for the files' metadata.
	Software string
	Events   Events

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

func (j *Job) statePath(seed uint64) string {
	return filepath.Join(j.Folder, "contexts", "."+seedName(seed)+".state.safetensors")
}

func (j *Job) order() Order {
	if j.Order == nil {
		return Shuffled
	}
	return j.Order
}

func (j *Job) validate() error {
	if err := errors.Join(j.Settings.Validate(), j.Prompt.Validate()); err != nil {
		return err
	}
	if err := j.Data.validate(len(j.Prompt.ClassNames)); err != nil {
		return err
	}
	if i := j.Initial; i != nil && (i.Rows != j.Prompt.Rows() || i.Cols != j.Prompt.Width) {
		return fmt.Errorf("the initial context is %d x %d, want %d x %d", i.Rows, i.Cols, j.Prompt.Rows(), j.Prompt.Width)
	}
	return nil
}

// NewPlan says what work it is to learn from that many pictures, at least 1.
func NewPlan(settings Settings, pictures int) Plan {
	_, steps := settings.batches(pictures)
	return Plan{Prompts: len(settings.Seeds), Epochs: settings.Epochs, StepsPerEpoch: steps}
}

// Run learns the contexts of all seeds and returns them in the order of
// Settings.Seeds. A seed whose file is there, of the same inputs, is not learned
// again; one that was interrupted goes on at its last saved epoch. When ctx
// ends, or after an error, what is done is saved.
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
	r := &run{Job: j, contexts: make([]*Context, len(j.Settings.Seeds)), plan: NewPlan(j.Settings, j.Data.Features.Rows)}
	if err := r.lookBack(); err != nil {
		return nil, err
	}
	if err := r.learn(ctx); err != nil {
		return nil, err
	}
	contexts := make([]Context, len(r.contexts))
	for i, c := range r.contexts {
		contexts[i] = *c
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
	contexts []*Context // by seed; nil while not learned
	plan     Plan

	mutex sync.Mutex // of the events, and of what follows
	done  int        // steps of all seeds
	pace  pace
}

// lookBack finds what earlier calls left.
func (r *run) lookBack() error {
	for i, seed := range r.Settings.Seeds {
		c, err := ReadContext(ContextPath(r.Folder, seed))
		switch {
		case err == nil && c.Inputs == r.inputs(seed):
			r.contexts[i] = &c
			r.plan.Done += r.plan.StepsPerPrompt()
			continue
		case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, safetensors.ErrFormat):
			return fmt.Errorf("looking for finished contexts: %w", err)
		}
		s, err := r.resume(seed)
		if err != nil {
			return err
		}
		r.plan.Done += len(s.curve) * r.plan.StepsPerEpoch
	}
	r.done = r.plan.Done
	return nil
}

func (r *run) learn(ctx context.Context) error {
	if r.Events.OnPlan != nil {
		r.Events.OnPlan(r.plan)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, r.Settings.Parallel))
	for i, seed := range r.Settings.Seeds {
		group.Go(func() error {
			if r.contexts[i] != nil {
				return r.forget(seed)
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			c, err := r.learnSeed(ctx, seed)
			r.contexts[i] = c
			return err
		})
	}
	return group.Wait()
}

func (r *run) learnSeed(ctx context.Context, seed uint64) (*Context, error) {
	from, err := r.resume(seed)
	if err != nil {
		return nil, err
	}
	t := newTrainer(r.Job, seed, from, func(epoch, step int, loss float64) { r.stepped(seed, epoch, step, loss) })
	if err := r.epochs(ctx, t); err != nil {
		return nil, err
	}
	if err := writeCurve(CurvePath(r.Folder, seed), t.curve); err != nil {
		return nil, err
	}
	c := &Context{
		Prompt: r.Prompt, Vectors: t.vectors, Seed: seed,
		Settings: r.Settings, Inputs: r.inputs(seed), Software: r.Software,
	}
	// The context comes last: where it is, the seed is done.
	if err := c.Write(ContextPath(r.Folder, seed)); err != nil {
		return nil, err
	}
	if err := r.forget(seed); err != nil {
		return nil, err
	}
	r.tell(func() {
		if r.Events.OnSeed != nil {
			r.Events.OnSeed(seed)
		}
	})
	return c, nil
}

// epochs trains to the last epoch, checkpointing on the way, and also when it
// is stopped.
func (r *run) epochs(ctx context.Context, t *trainer) (err error) {
	events, err := board(filepath.Join(r.Folder, "tensorboard", seedName(t.seed)), t.curve)
	if err != nil {
		return err
	}
	last, saved, savedAt := t.clone(), len(t.curve), time.Now()
	defer func() {
		if err != nil && len(last.curve) > saved {
			err = errors.Join(err, r.save(t.seed, last))
		}
		err = errors.Join(err, events.Close())
	}()
	for len(t.curve) < r.Settings.Epochs {
		if err := t.epoch(ctx); err != nil {
			return err
		}
		last = t.clone()
		point := last.curve[len(last.curve)-1]
		if err := show(events, point); err != nil {
			return err
		}
		r.tell(func() {
			if r.Events.OnEpoch != nil {
				r.Events.OnEpoch(t.seed, point)
			}
		})
		if len(last.curve) < r.Settings.Epochs && time.Since(savedAt) >= r.Settings.CheckpointEvery {
			if err := r.save(t.seed, last); err != nil {
				return err
			}
			saved, savedAt = len(last.curve), time.Now()
		}
	}
	return nil
}

func (r *run) tell(event func()) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	event()
}

func (r *run) stepped(seed uint64, epoch, step int, loss float64) {
	r.tell(func() {
		r.done++
		total := r.plan.Steps()
		left := r.pace.step(time.Now(), total-r.done)
		if r.Events.OnStep != nil {
			r.Events.OnStep(Step{Seed: seed, Epoch: epoch, Step: step, Loss: loss, Done: r.done, Total: total, Left: left})
		}
	})
}
