package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/tokenizer"
	"github.com/upl-host/upl-host/host/backbone"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/dataset"
	"github.com/upl-host/upl-host/host/label"
	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
)

// plan is all that is known, and checked, before the first stage begins.
type plan struct {
	config     *config.Config
	data       *dataset.Dataset
	classNames []string
	prompting  prompting
	labelled   bool   // any picture has a label
	labels     string // a hash of all labels
	// supervision are the labels that may be learnt from; nil: pseudo labels are.
	supervision         *dataset.Supervision
	models              []*backbone.Description
	catalogue           *plugins.Catalogue
	shared              *sharedModels
	ensemble, selection *label.Policy
	prior               []float64 // of the classes; nil without
}

// prepare reads everything that a run needs and finds what is wrong with it
// before any long work: models, class names against their tokenizers, data set,
// plugins and their parameters. The options share something with other runs, or
// with none. The truth comes apart from the plan: see examiner.
func prepare(ctx context.Context, c *config.Config, options Options) (*plan, *dataset.Truth, error) {
	catalogue, err := options.Shared.catalogue(c, options.Plugins)
	if err != nil {
		return nil, nil, err
	}
	p := &plan{config: c, catalogue: catalogue, shared: options.Shared.models}
	truth, err := p.openData(options.Shared)
	if err != nil {
		return nil, nil, err
	}
	if learn := c.Learn; learn.Method != config.MethodZeroShot && learn.Labels == config.LabelsTrue {
		if p.supervision, err = supervise(truth, p.data); err != nil {
			return nil, nil, err
		}
	}
	if err := p.openPrompting(); err != nil {
		return nil, nil, err
	}
	if err := p.openPrior(); err != nil {
		return nil, nil, err
	}
	if err := p.describeModels(); err != nil {
		return nil, nil, err
	}
	if p.ensemble, err = label.OpenPolicy(ctx, p.catalogue, c.Label.Ensemble, sdk.KindEnsemble); err != nil {
		return nil, nil, policyError("label.ensemble", err)
	}
	if p.selection, err = label.OpenPolicy(ctx, p.catalogue, c.Label.Selection, sdk.KindSelection); err != nil {
		return nil, nil, policyError("label.selection", err)
	}
	if err := p.checkSimilarity(); err != nil {
		return nil, nil, err
	}
	return p, truth, nil
}

// openCatalogue makes the catalogue of a configuration: its lock, its limits as the
// ceiling, its isolation.
func openCatalogue(c *config.Config, options plugins.Options) (_ *plugins.Catalogue, err error) {
	l := c.Label
	if options.Lock, options.LockPath, err = ReadLock(l.Lock); err != nil {
		return nil, lockError(err)
	}
	options.Isolate = l.Isolate
	options.Ceiling = plugins.Ceiling{Time: l.Limits.Time, Memory: int64(l.Limits.Memory), ProcessMemory: int64(l.Limits.ProcessMemory)}
	return plugins.NewCatalogue(options), nil
}

// lockError makes a lock that is not there the user's to mend.
func lockError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &UsageError{Err: fmt.Errorf("label.lock: %w: `upl-host plugin lock` makes one", err)}
	}
	return err
}

// notes are what the user may not have meant.
func (p *plan) notes() []string {
	var notes []string
	for _, policy := range []*label.Policy{p.ensemble, p.selection} {
		if policy.Shadows != "" {
			notes = append(notes, fmt.Sprintf("policy %s is that of %s, not the one that came with upl-host (%s): lock it, or say %s#%[1]s",
				policy.Name, policy.Path, policy.Shadows, policy.Plugin))
		}
	}
	return notes
}

// trust says in a line why a policy may run.
func trust(p *label.Policy, lock string) string {
	text := string(p.State)
	if p.State == plugins.StateLocked {
		text += " by " + lock
	}
	if len(p.Granted) > 0 {
		text += ", sees " + strings.Join(p.Granted, ", ")
	}
	if p.Runtime == plugins.RuntimeProcess {
		text += ", a program with your rights"
	}
	return text
}

// policyError makes a path that leads nowhere the user's to mend.
func policyError(key string, err error) error {
	err = fmt.Errorf("%s: %w", key, err)
	if errors.Is(err, fs.ErrNotExist) {
		return &UsageError{Err: err}
	}
	return err
}

func (p *plan) openData(shared *Shared) (*dataset.Truth, error) {
	d := p.config.Dataset
	data, truth, err := shared.openData(dataset.Config{
		Kind: d.Kind, Path: d.Path, Variant: d.Variant, Split: d.Split, Classes: d.Classes,
		Unlabeled: d.Unlabeled, Validation: d.Validation, Test: d.Test, SkipMissing: d.Missing == "skip",
	})
	if err != nil {
		return nil, err
	}
	p.data, p.labelled = data, truth.Has()
	for _, class := range data.Classes {
		p.classNames = append(p.classNames, class.Name)
	}
	labels := make([]int, len(data.Pictures))
	for i := range labels {
		labels[i] = truth.Label(i)
	}
	p.labels = digest(fmt.Sprint(labels))
	return truth, nil
}

// supervise takes from the truth what may be learnt from.
func supervise(truth *dataset.Truth, data *dataset.Dataset) (*dataset.Supervision, error) {
	s, err := truth.Supervision(data)
	if err != nil {
		return nil, fmt.Errorf("learn.labels is true: %w", err)
	}
	if _, err := s.Shots(data, 0, 0); err != nil {
		return nil, &UsageError{Err: fmt.Errorf("learn.labels is true, and dataset.unlabeled has no labels: %w", err)}
	}
	training, shared := membership(data.Unlabeled), []string(nil)
	for _, i := range data.Validation {
		if training[i] {
			shared = append(shared, data.Pictures[i].ID)
		}
	}
	if len(shared) > 0 {
		return nil, &UsageError{Err: fmt.Errorf("dataset.validation: %d of its pictures are learnt from too (%s): a search on them finds what fits them best; give it pictures of its own",
			len(shared), shortList(shared))}
	}
	return s, nil
}

// openPrior reads the prior over the classes, where there is one.
func (p *plan) openPrior() (err error) {
	given := p.config.Label.Prior
	switch {
	case given.File != "":
		p.prior, err = label.ReadPrior(given.File, p.classNames)
	case given.Values != nil:
		p.prior, err = label.Prior(given.Values, len(p.classNames))
	}
	if err != nil {
		return &UsageError{Err: fmt.Errorf("label.prior: %w", err)}
	}
	return nil
}

// describeModels opens the models' folders and tries the class names on their
// tokenizers: a name that is too long is found now.
func (p *plan) describeModels() error {
	described, errs := p.readModels()
	for i, d := range described {
		if errs[i] != nil {
			return fmt.Errorf("models[%d]: %w", i, errs[i])
		}
		if d.Name == ensembleModel {
			return &UsageError{Err: fmt.Errorf("models: %s is named %q, which the files of the run keep for the models' ensemble: give it another `name`", d.Dir, d.Name)}
		}
		if err := p.prompting.check(d); err != nil {
			return &UsageError{Err: err}
		}
		p.models = append(p.models, d)
	}
	learn := p.config.Learn
	if err := checkRounds(p.config); err != nil {
		return err
	}
	if !learnsPrompts(learn) {
		return nil
	}
	first := p.models[0]
	if !first.Learnable {
		return &UsageError{Err: fmt.Errorf("model %s: %w: set learn.method to another, such as tip-adapter or zero-shot, or export it with that signature", first.Name, graphs.ErrNoGradient)}
	}
	length, err := contextLength(learn, first)
	if err != nil {
		return err
	}
	if _, err := first.Prompts(p.prompting.spoken, length, learn.ClassTokenPosition, learn.ClassSpecific); err != nil {
		return &UsageError{Err: err}
	}
	return nil
}

// checkRounds finds rounds in which nothing would be learnt from pseudo labels.
func checkRounds(c *config.Config) error {
	switch rounds := c.Label.Rounds; {
	case rounds <= 1:
	case c.Learn.Method == config.MethodZeroShot:
		return &UsageError{Err: fmt.Errorf("label.rounds: %d rounds learn in between, and learn.method is %s: set it to another, such as prompt, or label.rounds to 1", rounds, c.Learn.Method)}
	case c.Learn.Labels == config.LabelsTrue:
		return &UsageError{Err: fmt.Errorf("label.rounds: %d rounds learn from pseudo labels in between, and learn.labels is true: set it to pseudo, or label.rounds to 1", rounds)}
	}
	return nil
}

// readModels reads the models' folders, at once: most of it is hashing.
func (p *plan) readModels() (described []*backbone.Description, errs []error) {
	models := p.config.Models
	described, errs = make([]*backbone.Description, len(models)), make([]error, len(models))
	var readers sync.WaitGroup
	for i, m := range models {
		readers.Go(func() {
			if described[i], errs[i] = p.shared.describe(m); errs[i] == nil {
				described[i], errs[i] = described[i].Resized(p.config.Dataset.Resize)
			}
		})
	}
	readers.Wait()
	return described, errs
}

// contextLength is L: learn.context_length, or the number of the initial words'
// tokens, as in CoOp.
func contextLength(learn config.Learn, d *backbone.Description) (int, error) {
	if learn.InitialWords == "" {
		return learn.ContextLength, nil
	}
	words, err := d.Tokenizer.Words(learn.InitialWords)
	if err != nil {
		return 0, &UsageError{Err: fmt.Errorf("learn.initial_words for model %s: %w", d.Name, err)}
	}
	return len(words), nil
}

// textError makes what a tokenizer refuses the user's to mend.
func textError(err error) error {
	var long *tokenizer.LengthError
	if errors.As(err, &long) || errors.Is(err, tokenizer.ErrUnknownText) || errors.Is(err, tokenizer.ErrEmptyName) {
		return &UsageError{Err: err}
	}
	return err
}

// learnsPrompts reports whether contexts of prompts are learnt.
func learnsPrompts(learn config.Learn) bool {
	return learn.Method == config.MethodPrompt || learn.Method == config.MethodCoOp
}

// union returns the pictures of all splits, ascending.
func (p *plan) union() []int {
	all := slices.Concat(p.data.Unlabeled, p.data.Validation, p.data.Test)
	slices.Sort(all)
	return slices.Compact(all)
}

// dataDigest changes with the list of pictures, their sizes and times: whether
// their contents changed too is then found by reading them.
func (p *plan) dataDigest() string {
	parts := slices.Clone(p.classNames)
	for _, i := range p.union() {
		picture := p.data.Pictures[i]
		parts = append(parts, picture.ID, picture.Stamp())
	}
	parts = append(parts, fmt.Sprint(p.data.Unlabeled), fmt.Sprint(p.data.Validation), fmt.Sprint(p.data.Test))
	return digest(parts...)
}

// Describe says what a run would do, without TensorFlow and without touching
// the run folder.
func Describe(ctx context.Context, c *config.Config, options Options) (_ string, err error) {
	shared, done := options.sharing()
	defer func() { err = errors.Join(err, done()) }()
	options.Shared = shared
	p, _, err := prepare(ctx, c, options)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	line := func(format string, arguments ...any) { fmt.Fprintf(&b, format+"\n", arguments...) }
	line("run folder  %s", c.Run.Out)
	validation := ""
	if n := len(p.data.Validation); n > 0 {
		validation = fmt.Sprintf("%d validation, ", n)
	}
	line("pictures    %d unlabeled, %s%d test, %d in all, below %s", len(p.data.Unlabeled), validation, len(p.data.Test), len(p.union()), p.data.Root)
	labels := "no labels: the report will show no accuracy"
	switch {
	case p.supervision != nil:
		labels = "with labels; what is learnt sees those of no test picture"
	case p.labelled:
		labels = "with labels, which the evaluation alone sees"
	}
	line("classes     %d, %s", len(p.classNames), labels)
	line("prompts     %v", &p.prompting)
	for i, m := range p.models {
		role := "pseudo labels"
		if i == 0 {
			role = "trained and tested, pseudo labels"
		}
		line("model       %s (%s): %d px, %d features; %s", m.Name, m.Dir, m.Config.ImageSize, m.Config.EmbeddingWidth, role)
	}
	lock := "none: modules run without grants, programs do not run"
	if p.catalogue.Lock() != nil {
		lock = p.catalogue.LockPath()
	}
	line("lock        %s", lock)
	line("ensemble    %s; %s", p.ensemble, trust(p.ensemble, lock))
	line("selection   %s; %s", p.selection, trust(p.selection, lock))
	if rounds := c.Label.Rounds; rounds > 1 {
		line("rounds      %d, each of which but the last learns %s", rounds, counted(min(c.Label.RoundSeeds, len(c.Learn.Seeds)), "seed", "seeds"))
	}
	for _, note := range p.notes() {
		line("warning     %s", note)
	}
	line("learning    %s", p.learning())
	return b.String(), nil
}

// learning says in a line what is learnt, from what.
func (p *plan) learning() string {
	learn := p.config.Learn
	from := "the pseudo labels that the selection makes"
	if p.supervision != nil {
		from = "all true labels"
		if learn.Shots > 0 {
			from = fmt.Sprintf("%s of each class", counted(learn.Shots, "true label", "true labels"))
		}
	}
	epochs := fmt.Sprintf("%d epochs", learn.Epochs)
	if learn.Epochs == 0 {
		epochs = "CoOp's number of epochs (50, 100 or 200)"
	}
	switch learn.Method {
	case config.MethodZeroShot:
		return "none: zero-shot"
	case config.MethodPrompt, config.MethodCoOp:
		return fmt.Sprintf("%d prompts x %s, batches of %d, on %s", len(learn.Seeds), epochs, learn.BatchSize, from)
	case config.MethodCLIPAdapter, config.MethodTipAdapterF:
		return fmt.Sprintf("%s, %s x %s, batches of %d, on %s", learn.Method, counted(len(learn.Seeds), "seed", "seeds"), epochs, learn.BatchSize, from)
	}
	return fmt.Sprintf("%s, %s, on %s", learn.Method, counted(len(learn.Seeds), "seed", "seeds"), from)
}
