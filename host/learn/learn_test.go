package learn_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn"
	"github.com/upl-host/upl-host/host/learn/numeric"
)

// scaled is a text tower simple enough to differentiate by hand: the features
// of class c are those of its name, times the sum of the context's vectors.
type scaled struct {
	names array.Matrix // [C, D], D = W
	scale float64
}

func (s scaled) Gradient(_ context.Context, vectors, features, targets array.Matrix) (graphs.Gradient, error) {
	sum := make([]float64, vectors.Cols)
	for l := range vectors.Rows {
		for d, v := range vectors.Row(l) {
			sum[d] += float64(v)
		}
	}
	g := graphs.Gradient{Gradient: array.NewMatrix(vectors.Rows, vectors.Cols), Logits: array.NewMatrix(targets.Rows, targets.Cols)}
	slope := make([]float64, vectors.Cols)
	for i := range features.Rows {
		f, logits := features.Row(i), make([]float64, s.names.Rows)
		for c := range logits {
			for d, e := range s.names.Row(c) {
				logits[c] += s.scale * float64(f[d]) * float64(e) * sum[d]
			}
			g.Logits.Row(i)[c] = float32(logits[c])
		}
		highest, total, weight := slices.Max(logits), 0.0, 0.0
		for c := range logits {
			total += math.Exp(logits[c] - highest)
			weight += float64(targets.Row(i)[c])
		}
		for c, logit := range logits {
			p, target := math.Exp(logit-highest)/total, float64(targets.Row(i)[c])
			g.Loss -= target * math.Log(p) / float64(features.Rows)
			for d, e := range s.names.Row(c) {
				slope[d] += (weight*p - target) * s.scale * float64(f[d]) * float64(e) / float64(features.Rows)
			}
		}
	}
	for l := range vectors.Rows {
		for d := range slope {
			g.Gradient.Row(l)[d] = float32(slope[d])
		}
	}
	return g, nil
}

func (s scaled) Gradients(ctx context.Context, batches []graphs.Batch) ([]graphs.Gradient, error) {
	return gradienter(func(vectors, features, targets array.Matrix) (graphs.Gradient, error) {
		return s.Gradient(ctx, vectors, features, targets)
	}).Gradients(ctx, batches)
}

// gradienter makes a function one.
type gradienter func(vectors, features, targets array.Matrix) (graphs.Gradient, error)

func (f gradienter) Gradients(_ context.Context, batches []graphs.Batch) ([]graphs.Gradient, error) {
	gradients := make([]graphs.Gradient, len(batches))
	for i, b := range batches {
		var err error
		if gradients[i], err = f(b.Vectors, b.Features, b.Targets); err != nil {
			return nil, err
		}
	}
	return gradients, nil
}

func newJob(folder string, pictures int) learn.Job {
	const classes, width = 3, 4
	tower := scaled{names: learn.RandomContext(7, classes, width), scale: 1000}
	data := learn.Data{Features: learn.RandomContext(8, pictures, width)}
	for i := range data.Features.Data {
		data.Features.Data[i] *= 25
	}
	// The labels are those that some context gives.
	truth, err := tower.Gradient(context.Background(), array.Matrix{Rows: 1, Cols: width, Data: []float32{0.5, -0.4, -0.1, 0.3}},
		data.Features, array.NewMatrix(pictures, classes))
	if err != nil {
		panic(err) // it never fails
	}
	labels := make([]learn.Label, pictures)
	for i := range labels {
		row := truth.Logits.Row(i)
		labels[i] = learn.Label{Class: slices.Index(row, slices.Max(row)), Weight: 1}
	}
	if data.Targets, err = learn.Targets(labels, classes); err != nil {
		panic(err) // the labels above are right
	}
	settings := learn.DefaultSettings()
	settings.Epochs, settings.BatchSize, settings.Seeds, settings.CheckpointEvery = 6, 8, []uint64{1, 2, 3}, 0
	return learn.Job{
		Folder: folder,
		Prompt: learn.Prompt{
			Model: "scaled", ModelHash: "0", LogitScale: 1000, ClassNames: []string{"a", "b", "c"},
			Length: 2, Width: width, Position: "end",
		},
		Gradienter: tower, Data: data, Settings: settings, Software: "test",
	}
}

func mustRun(t interface {
	Helper()
	Fatal(...any)
}, job learn.Job,
) []learn.Context {
	t.Helper()
	contexts, err := learn.Run(context.Background(), job)
	if err != nil {
		t.Fatal(err)
	}
	return contexts
}

// contents returns all files below folder.
func contents(t interface{ Fatal(...any) }, folder string) map[string]string {
	files := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		name, _ := filepath.Rel(folder, path)
		files[name] = string(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestSchedule(t *testing.T) {
	paper := learn.DefaultSettings()
	reference := paper
	reference.Epochs = 3
	noWarmup := paper
	noWarmup.WarmupEpochs = 0
	for _, c := range []struct {
		settings learn.Settings
		epoch    int
		want     float64
	}{
		{paper, 0, 1e-5},
		{paper, 1, 0.002},
		{paper, 26, 0.001},
		{paper, 49, 0.002 * 0.0039426493427611},
		{reference, 0, 1e-5},
		{reference, 1, 0.002},
		{reference, 2, 0.0015},
		{noWarmup, 0, 0.002},
		{noWarmup, 25, 0.001},
	} {
		if got := c.settings.Rate(c.epoch); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("of %d epochs, %d of warm-up: epoch %d at %g, want %g", c.settings.Epochs, c.settings.WarmupEpochs, c.epoch, got, c.want)
		}
	}
}

func TestLearns(t *testing.T) {
	job := newJob(t.TempDir(), 40)
	curves := map[uint64][]learn.Epoch{}
	job.Events.OnEpoch = func(seed uint64, e learn.Epoch) { curves[seed] = append(curves[seed], e) }
	var plan learn.Plan
	job.Events.OnPlan = func(p learn.Plan) { plan = p }
	var last learn.Step
	job.Events.OnStep = func(s learn.Step) { last = s }
	contexts := mustRun(t, job)
	if want := (learn.Plan{Prompts: 3, Epochs: 6, StepsPerEpoch: 5}); plan != want {
		t.Errorf("the plan is %v, want %v", plan, want)
	}
	if last.Done != 90 || last.Total != 90 || last.Seed != 3 || last.Epoch != 5 || last.Step != 4 {
		t.Errorf("the last step is %+v", last)
	}
	for _, c := range contexts {
		curve := curves[c.Seed]
		if first, final := curve[0].Loss, curve[5].Loss; final > 0.8*first {
			t.Errorf("seed %d: the loss went from %g to %g", c.Seed, first, final)
		}
		if curve[5].Accuracy <= curve[0].Accuracy {
			t.Errorf("seed %d: accuracy went from %g to %g", c.Seed, curve[0].Accuracy, curve[5].Accuracy)
		}
		read, err := learn.ReadContext(learn.ContextPath(job.Folder, c.Seed))
		if err != nil {
			t.Fatal(err)
		}
		c.Settings.Seeds, c.Settings.Together = nil, 0
		if diff := cmp.Diff(c, read); diff != "" {
			t.Errorf("the file differs: %s", diff)
		}
	}
	curve, err := os.ReadFile(learn.CurvePath(job.Folder, 2))
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Split(curve, []byte("\n")); string(lines[0]) != "epoch,learning_rate,loss,accuracy" || len(lines) != 8 {
		t.Errorf("the curve is %s", curve)
	}
	if states, _ := filepath.Glob(filepath.Join(job.Folder, "contexts", ".*")); len(states) > 0 {
		t.Errorf("%v are left", states)
	}
}

// TestInterrupted kills trainings anywhere, and lets them go on: all files must
// be those of a training that was never disturbed, also where seeds train side by side.
func TestInterrupted(t *testing.T) {
	errKilled := errors.New("killed")
	folders := 0
	root := t.TempDir()
	folder := func() string {
		folders++
		return filepath.Join(root, string(rune('a'+folders/26/26%26))+string(rune('a'+folders/26%26))+string(rune('a'+folders%26)))
	}
	smallJob := func(together int) learn.Job {
		job := newJob(folder(), 20)
		job.Settings.Epochs, job.Settings.Together = 4, together
		return job
	}
	want := map[int]map[string]string{}
	for together := 1; together <= 3; together++ {
		undisturbed := smallJob(together)
		mustRun(t, undisturbed)
		want[together] = contents(t, undisturbed.Folder)
		if len(want[together]) != 9 {
			t.Fatalf("%d files, want a context, a curve and events of 3 seeds", len(want[together]))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		together := rapid.IntRange(1, 3).Draw(t, "together")
		job := smallJob(together)
		tower := job.Gradienter.(scaled)
		for alive := true; alive; {
			left := rapid.Int32Range(0, 18).Draw(t, "steps until it is killed")
			if rapid.Bool().Draw(t, "rare checkpoints") {
				job.Settings.CheckpointEvery = 1 << 40
			}
			steps := atomic.Int32{}
			job.Gradienter = gradienter(func(vectors, features, targets array.Matrix) (graphs.Gradient, error) {
				if steps.Add(1) > left {
					return graphs.Gradient{}, errKilled
				}
				return tower.Gradient(context.Background(), vectors, features, targets)
			})
			_, err := learn.Run(context.Background(), job)
			if err != nil && !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			alive = err != nil
		}
		if diff := cmp.Diff(want[together], contents(t, job.Folder)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestFinishedSeedsAreKept(t *testing.T) {
	job := newJob(t.TempDir(), 20)
	want := mustRun(t, job)
	tower := job.Gradienter.(scaled)
	steps := 0
	job.Gradienter = gradienter(func(vectors, features, targets array.Matrix) (graphs.Gradient, error) {
		steps++
		return tower.Gradient(context.Background(), vectors, features, targets)
	})
	if diff := cmp.Diff(want[0].Vectors, mustRun(t, job)[0].Vectors); diff != "" || steps != 0 {
		t.Errorf("%d steps were made again: %s", steps, diff)
	}
	if err := os.WriteFile(learn.ContextPath(job.Folder, 2), []byte("not a context"), 0o600); err != nil {
		t.Fatal(err)
	}
	var plan learn.Plan
	job.Events.OnPlan = func(p learn.Plan) { plan = p }
	if diff := cmp.Diff(want[1].Vectors, mustRun(t, job)[1].Vectors); diff != "" || steps != plan.StepsPerPrompt() {
		t.Errorf("%d steps were made for one damaged context: %s", steps, diff)
	}
	if plan.Done != 2*plan.StepsPerPrompt() {
		t.Errorf("%d of the steps count as done", plan.Done)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	job := newJob(t.TempDir(), 20)
	job.Events.OnStep = func(s learn.Step) {
		if s.Seed == 1 && s.Epoch == 2 {
			cancel()
		}
	}
	if _, err := learn.Run(ctx, job); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, want context.Canceled", err)
	}
	var plan learn.Plan
	job.Events = learn.Events{OnPlan: func(p learn.Plan) { plan = p }}
	mustRun(t, job)
	if plan.Done != 2*plan.StepsPerEpoch {
		t.Errorf("%d steps are done, want those of 2 epochs", plan.Done)
	}
}

func TestDiverged(t *testing.T) {
	nan, infinite := math.NaN(), float32(math.Inf(1))
	for name, spoil := range map[string]func(*graphs.Gradient){
		"loss":     func(g *graphs.Gradient) { g.Loss = nan },
		"gradient": func(g *graphs.Gradient) { g.Gradient.Data[3] = infinite },
	} {
		job := newJob(t.TempDir(), 20)
		tower, steps := job.Gradienter.(scaled), 0
		job.Gradienter = gradienter(func(vectors, features, targets array.Matrix) (graphs.Gradient, error) {
			g, err := tower.Gradient(context.Background(), vectors, features, targets)
			if steps++; steps == 4 {
				spoil(&g)
			}
			return g, err
		})
		_, err := learn.Run(context.Background(), job)
		var diverged *learn.DivergedError
		if !errors.As(err, &diverged) {
			t.Fatalf("%s: %v, want a DivergedError", name, err)
		}
		if diverged.Seed != 1 || diverged.Epoch != 1 || diverged.Step != 1 {
			t.Errorf("%s: it diverged at %+v, want seed 1, epoch 1, step 1", name, diverged)
		}
	}
}

func TestRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*learn.Job){
		"no pictures": func(j *learn.Job) {
			j.Data = learn.Data{Features: array.NewMatrix(0, 4), Targets: numeric.NewTargets(0, 3, false)}
		},
		"NaN in features":      func(j *learn.Job) { j.Data.Features.Data[5] = float32(math.NaN()) },
		"a target below 0":     func(j *learn.Job) { j.Data.Targets.Data[5] = -1 },
		"targets of fewer":     func(j *learn.Job) { j.Data.Targets = j.Data.Targets.Slice(0, 3) },
		"a class without name": func(j *learn.Job) { j.Prompt.ClassNames = []string{"a", "b", ""} },
		"no seeds":             func(j *learn.Job) { j.Settings.Seeds = nil },
		"a seed twice":         func(j *learn.Job) { j.Settings.Seeds = []uint64{1, 1} },
		"rate NaN":             func(j *learn.Job) { j.Settings.LearningRate = math.NaN() },
		"none together":        func(j *learn.Job) { j.Settings.Together = 0 },
		"momentum 1":           func(j *learn.Job) { j.Settings.Momentum = 1 },
		"no epochs":            func(j *learn.Job) { j.Settings.Epochs = 0 },
		"position":             func(j *learn.Job) { j.Prompt.Position = "top" },
		"initial context":      func(j *learn.Job) { j.Initial = new(array.NewMatrix(1, 4)) },
		"gradient of fewer": func(j *learn.Job) {
			j.Gradienter = spoiled(func(g *graphs.Gradient) { g.Gradient = g.Gradient.Slice(0, 1) })
		},
		"logits of fewer": func(j *learn.Job) {
			j.Gradienter = spoiled(func(g *graphs.Gradient) { g.Logits = g.Logits.Slice(0, 1) })
		},
		"a folder that is none": func(j *learn.Job) { j.Folder = "/dev/null" },
	} {
		job := newJob(t.TempDir(), 20)
		spoil(&job)
		if _, err := learn.Run(context.Background(), job); err == nil {
			t.Errorf("%s: learned", name)
		} else if name == "no pictures" && !errors.Is(err, learn.ErrNothingToLearn) {
			t.Errorf("%s: %v, want ErrNothingToLearn", name, err)
		}
	}
}

func spoiled(spoil func(*graphs.Gradient)) learn.Gradienter {
	tower := scaled{names: learn.RandomContext(7, 3, 4), scale: 1000}
	return gradienter(func(vectors, features, targets array.Matrix) (graphs.Gradient, error) {
		g, err := tower.Gradient(context.Background(), vectors, features, targets)
		spoil(&g)
		return g, err
	})
}

func TestOneClassAndFewPictures(t *testing.T) {
	job := newJob(t.TempDir(), 2)
	targets, err := learn.Targets([]learn.Label{{Weight: 0.5}, {Weight: 1}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	job.Prompt.ClassNames, job.Data.Targets = []string{"a"}, targets
	job.Gradienter = scaled{names: learn.RandomContext(7, 1, 4), scale: 1000}
	var plan learn.Plan
	job.Events.OnPlan = func(p learn.Plan) { plan = p }
	mustRun(t, job)
	if plan.StepsPerEpoch != 1 {
		t.Errorf("%d steps an epoch, want one of both pictures", plan.StepsPerEpoch)
	}
}

// TestDraws pins what seeds give: a change would change every result.
func TestDraws(t *testing.T) {
	m := learn.RandomContext(1, 100, 100)
	sum, squares := 0.0, 0.0
	for _, v := range m.Data {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	if mean, deviation := sum/1e4, math.Sqrt(squares/1e4); math.Abs(mean) > 6e-4 || math.Abs(deviation-0.02) > 5e-4 {
		t.Errorf("mean %g, deviation %g, want 0 and 0.02", mean, deviation)
	}
	if diff := cmp.Diff(pinnedContext, m.Data[:3]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(pinnedOrder, learn.Shuffled(1, 2, 8)); diff != "" {
		t.Error(diff)
	}
	rapid.Check(t, func(t *rapid.T) {
		seed, epoch := rapid.Uint64().Draw(t, "seed"), rapid.IntRange(0, 1000).Draw(t, "epoch")
		n := rapid.IntRange(0, 200).Draw(t, "pictures")
		order := learn.Shuffled(seed, epoch, n)
		if !slices.Equal(order, learn.Shuffled(seed, epoch, n)) {
			t.Fatal("an order changed")
		}
		if n > 50 && (slices.Equal(order, learn.Shuffled(seed, epoch+1, n)) || slices.Equal(order, learn.Shuffled(seed+1, epoch, n))) {
			t.Fatal("two epochs have one order")
		}
		slices.Sort(order)
		if !slices.Equal(order, learn.InOrder(seed, epoch, n)) {
			t.Fatalf("%v is no permutation", order)
		}
	})
}

var (
	pinnedContext = []float32{0.028251713141798973, 0.004600774496793747, 0.005342692602425814}
	pinnedOrder   = []int{2, 1, 0, 5, 4, 6, 7, 3}
)

// Views take the place of the features: the same in all views is as without them,
// others are another training, which goes on where it was stopped.
func TestViews(t *testing.T) {
	plain := newJob(t.TempDir(), 20)
	want := mustRun(t, plain)
	same := newJob(t.TempDir(), 20)
	same.Data.Views = []array.Matrix{same.Data.Features, same.Data.Features}
	for i, c := range mustRun(t, same) {
		if !slices.Equal(c.Vectors.Data, want[i].Vectors.Data) {
			t.Errorf("seed %d: views that are the features themselves change the context", c.Seed)
		}
		if c.Inputs == want[i].Inputs {
			t.Errorf("seed %d: the views are no part of the inputs", c.Seed)
		}
	}
	augmented := func(folder string) learn.Job {
		job := newJob(folder, 20)
		job.Data.Views = []array.Matrix{learn.RandomContext(20, 20, 4), learn.RandomContext(21, 20, 4)}
		return job
	}
	undisturbed := augmented(t.TempDir())
	want = mustRun(t, undisturbed)
	stopped := augmented(t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	stopped.Events.OnStep = func(s learn.Step) {
		if s.Done == 17 {
			cancel()
		}
	}
	if _, err := learn.Run(ctx, stopped); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	stopped.Events.OnStep = nil
	for i, c := range mustRun(t, stopped) {
		if !slices.Equal(c.Vectors.Data, want[i].Vectors.Data) {
			t.Errorf("seed %d: a stopped training with views ends elsewhere", c.Seed)
		}
	}
	for says, spoil := range map[string]func(d *learn.Data){
		"view 1 is of 19 pictures": func(d *learn.Data) { d.Views[1] = d.Views[1].Slice(0, 19) },
		"view 0":                   func(d *learn.Data) { d.Views[0] = d.Views[0].Clone(); d.Views[0].Data[5] = float32(math.NaN()) },
	} {
		job := augmented(t.TempDir())
		spoil(&job.Data)
		if _, err := learn.Run(t.Context(), job); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
}
