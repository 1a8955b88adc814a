package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/safetensors"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/learn"
	"github.com/upl-host/upl-host/host/learn/adapter"
	"github.com/upl-host/upl-host/host/learn/head"
	"github.com/upl-host/upl-host/host/learn/numeric"
	"github.com/upl-host/upl-host/host/learn/probe"
	"github.com/upl-host/upl-host/host/learn/tip"
	"github.com/upl-host/upl-host/host/progress"
)

func headName(seed uint64) string { return fmt.Sprintf("heads/seed-%d.safetensors", seed) }

// headCourse learns a head on the pictures' features for each seed.
type headCourse struct {
	*run
	lessons     *lessons
	examination *examination
	// classifier is what all seeds share, without what they learn.
	classifier learn.Classifier
	epochs     int
	task       progress.Task
	done       int // steps
}

// learnHeads learns a head for each seed, or one where nothing is drawn. A seed that is
// done, of the same inputs, is not learnt again.
func (r *run) learnHeads(ctx context.Context, l *lessons, classifier learn.Classifier) (learn.Classifier, []string, error) {
	e, err := r.examination()
	if err != nil {
		return classifier, nil, err
	}
	if err := os.MkdirAll(r.folder.Join(l.place+"heads"), 0o755); err != nil {
		return classifier, nil, fmt.Errorf("making the run's folders: %w", err)
	}
	c := &headCourse{run: r, lessons: l, examination: e, classifier: classifier}
	c.epochs = epochsOf(r.config.Learn, l.shots, len(r.classNames))
	c.classifier.Method = r.config.Learn.Method
	seeds := l.seeds
	// What trains draws weights, or an order.
	if c.classifier.Deterministic = l.rows == nil && !c.trains(); c.classifier.Deterministic {
		r.note("learn: %s draws nothing here: one training stands for all seeds", c.classifier.Method)
		seeds = seeds[:1]
	}
	c.sayPlan(seeds)
	c.task = r.display.Start("learn", len(seeds)*c.steps(l.pictures()), "steps")
	defer c.task.End()
	whole, outputs := c.classifier, []string(nil)
	for _, seed := range seeds {
		one, written, err := c.seed(ctx, seed)
		if err != nil {
			return classifier, nil, err
		}
		whole.Heads, outputs = append(whole.Heads, one.Heads...), append(outputs, written...)
	}
	return whole, outputs, nil
}

// trains reports whether the method learns in steps.
func (c *headCourse) trains() bool {
	m := c.classifier.Method
	return m == config.MethodCLIPAdapter || m == config.MethodTipAdapterF
}

// epochsOf are those of the configuration, or CoOp's.
func epochsOf(learn config.Learn, shots, classes int) int {
	if learn.Epochs > 0 {
		return learn.Epochs
	}
	return numeric.CoOpEpochs(shots, classes)
}

// steps are those that one seed takes; what does not train is one.
func (c *headCourse) steps(pictures int) int {
	if !c.trains() {
		return 1
	}
	return c.training(0, learn.Data{}).Steps(pictures)
}

func (c *headCourse) sayPlan(seeds []uint64) {
	labels := "pseudo labels"
	if c.supervision != nil {
		labels = "true labels"
	}
	text := fmt.Sprintf("learn: %s on %d %s, %s", c.classifier.Method, c.lessons.pictures(), labels, counted(len(seeds), "seed", "seeds"))
	if c.trains() {
		text += fmt.Sprintf(" of %d epochs", c.epochs)
	}
	c.note("%s", text)
	if c.examination.why == "" {
		return
	}
	switch c.classifier.Method {
	case config.MethodTipAdapter, config.MethodTipAdapterF:
		c.note("learn: alpha is %g and beta %g, not searched: %s", c.config.Learn.Tip.Alpha, c.config.Learn.Tip.Beta, c.examination.why)
	case config.MethodLinearProbe:
		c.note("learn: the strength of L2 is %g, not searched: %s", c.config.Learn.Probe.L2, c.examination.why)
	}
}

// note tells the user and the log.
func (r *run) note(format string, arguments ...any) {
	message := fmt.Sprintf(format, arguments...)
	r.display.Say("%s", message)
	r.log.Info(message)
}

// seed learns one head, or finds it learnt. outputs are the files of it.
func (c *headCourse) seed(ctx context.Context, seed uint64) (one learn.Classifier, outputs []string, err error) {
	name := c.lessons.place + headName(seed)
	data, path := c.lessons.of(seed), c.folder.Join(name)
	outputs = []string{name}
	if c.trains() {
		outputs = append(outputs, c.lessons.place+filepath.ToSlash(learn.CurvePath("", seed)))
	}
	inputs := c.inputs(seed, data)
	defer func() {
		if err == nil {
			c.done += c.steps(data.Features.Rows)
			c.task.Set(c.done)
		}
	}()
	before, err := learn.ReadClassifier(path)
	switch {
	case err == nil && before.Inputs == inputs:
		return before, outputs, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, safetensors.ErrFormat):
		return one, nil, err
	}
	h, curve, err := c.learn(ctx, seed, data)
	var diverged *numeric.DivergedError
	if errors.As(err, &diverged) {
		err = &learn.DivergedError{Seed: seed, Epoch: diverged.Epoch, Step: diverged.Step, Rate: diverged.Rate, What: diverged.What}
	}
	if err != nil {
		return one, nil, err
	}
	if curve != nil {
		points := make([]learn.Epoch, len(curve))
		for i, p := range curve {
			points[i] = learn.Epoch(p)
		}
		if err := learn.WriteCurve(c.folder.Join(c.lessons.place), seed, points); err != nil {
			return one, nil, err
		}
	}
	one = c.classifier
	one.Heads, one.Inputs = []learn.SeedHead{{Seed: seed, Head: h}}, inputs
	c.log.Info("head learnt", "seed", seed, "method", c.classifier.Method)
	// The head comes last: where it is, all of the seed's files are.
	return one, outputs, one.Write(path)
}

// inputs is a hash of everything that a seed's head depends on.
func (c *headCourse) inputs(seed uint64, data learn.Data) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%+v %d %g %d\n", c.config.Learn, seed, c.classifier.LogitScale, c.epochs)
	for _, m := range append([]array.Matrix{data.Features, data.Targets.Matrix, c.classifier.ZeroShot, c.examination.features}, data.Views...) {
		fmt.Fprintf(sum, "%d %d\n", m.Rows, m.Cols)
		sum.Write(array.Bytes(m.Data))
	}
	fmt.Fprint(sum, data.Targets.Sets, c.examination.labels)
	return hex.EncodeToString(sum.Sum(nil))
}

// training is how a seed goes over its pictures.
func (c *headCourse) training(seed uint64, data learn.Data) numeric.Training {
	from := c.done
	training := numeric.Training{
		Epochs: c.epochs, BatchSize: c.config.Learn.BatchSize, DropLast: c.classifier.Method == config.MethodCLIPAdapter,
		Order:  func(epoch, n int) []int { return learn.Shuffled(seed, epoch, n) },
		OnStep: func(done, _ int) { c.task.Set(from + done) },
	}
	if len(data.Views) > 0 {
		training.Seen = func(epoch int) func(int) []float32 { return data.SeenIn(seed, epoch) }
	}
	return training
}

// learn learns a head by the method.
func (c *headCourse) learn(ctx context.Context, seed uint64, data learn.Data) (head.Head, []numeric.Epoch, error) {
	settings, scale := c.config.Learn, float64(c.classifier.LogitScale)
	switch c.classifier.Method {
	case config.MethodCLIPAdapter:
		optimiser := numeric.SGD{Momentum: float32(settings.Momentum), Decay: float32(settings.WeightDecay)}
		schedule := numeric.Schedule{
			Epochs: c.epochs, WarmupEpochs: settings.WarmupEpochs, Start: settings.LearningRate, Warmup: settings.WarmupLearningRate,
		}
		a := adapter.Random(seed, c.classifier.ZeroShot, scale, settings.Adapter.Ratio)
		return asHead(a.Train(ctx, data.Features, data.Targets, optimiser, schedule, c.training(seed, data)))
	case config.MethodLinearProbe:
		h, err := c.probe(ctx, seed, data)
		return h, nil, err
	}
	views := data.Views
	if len(views) == 0 {
		views = []array.Matrix{data.Features}
	}
	cache := tip.Cache{
		Keys: tip.MeanKeys(views), Values: tip.Values(data.Targets),
		Text: c.classifier.ZeroShot, Scale: scale, Alpha: settings.Tip.Alpha, Beta: settings.Tip.Beta,
	}
	var curve []numeric.Epoch
	var err error
	if c.classifier.Method == config.MethodTipAdapterF {
		cache, curve, err = cache.Train(ctx, data.Features, data.Targets, settings.LearningRate, settings.WeightDecay, c.training(seed, data))
		if err != nil {
			return nil, nil, err
		}
	}
	cache, err = c.searchCache(ctx, seed, cache)
	return cache, curve, err
}

func asHead[H head.Head](h H, curve []numeric.Epoch, err error) (head.Head, []numeric.Epoch, error) {
	return h, curve, err
}

// searchCache finds alpha and beta on the validation pictures, where it may.
func (c *headCourse) searchCache(ctx context.Context, seed uint64, cache tip.Cache) (tip.Cache, error) {
	settings := c.config.Learn.Tip
	if c.examination.why != "" || !settings.Search {
		return cache, nil
	}
	found, err := cache.Search(ctx, c.examination.features, c.examination.labels, tip.Grid{
		BetaMax: settings.BetaMax, AlphaMax: settings.AlphaMax, BetaSteps: tip.PublishedBetaSteps, AlphaSteps: tip.PublishedAlphaSteps,
	})
	if err != nil {
		return cache, err
	}
	cache.Alpha, cache.Beta = found.Alpha, found.Beta
	c.note("learn: seed %d: alpha %.4g and beta %.4g are right on %d of %d validation pictures", seed, found.Alpha, found.Beta, found.Best, found.Pictures)
	return cache, nil
}

// probe fits a linear probe, its strength of L2 found on the validation pictures,
// where it may be.
func (c *headCourse) probe(ctx context.Context, seed uint64, data learn.Data) (head.Head, error) {
	settings := c.config.Learn.Probe
	if c.examination.why != "" || !settings.Search {
		return probe.Fit(ctx, data.Features, data.Targets, settings.L2)
	}
	found, err := probe.Search(ctx, data.Features, data.Targets, c.examination.features, c.examination.labels)
	if err != nil {
		return nil, err
	}
	c.note("learn: seed %d: L2 of %.4g is right on %d of %d validation pictures", seed, found.L2, found.Correct, found.Pictures)
	return found.Probe, nil
}
