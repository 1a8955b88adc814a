package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/label"
	"github.com/upl-host/upl-host/plugins"
)

const (
	roundsDir  = "rounds"
	roundsName = "rounds.json"
)

// roundPlace is where the files of a round, from 1, are.
func roundPlace(number int) string { return fmt.Sprintf("%s/%d/", roundsDir, number) }

// Round is a round of selecting, as rounds.json and the manifest have it.
type Round struct {
	Round         int `json:"round"` // from 1
	PseudoLabels  int `json:"pseudo_labels"`
	Soft          int `json:"soft,omitempty"`
	CandidateSets int `json:"candidate_sets,omitempty"`
	Dropped       int `json:"dropped,omitempty"`
	// Seeds that learned from it.
	Seeds []uint64 `json:"seeds"`
}

// labelRounds is the work of the select stage: a policy selects, and, where there
// are several rounds, the run learns from each but the last, and the next one is
// shown what was learned: the first model's probabilities by it, and what the
// ensemble policy makes of these with the other models' own.
//
// A policy that goes through rounds itself is asked once, and learned from in
// between. One that does not is asked again in each round.
type labelRounds struct {
	*run
	total   int          // rounds there are
	done    int          // rounds that were learned from
	from    array.Matrix // what the round at hand chooses from
	mapped  []func() error
	outputs []string
	records []Round
}

func (r *run) newRounds() (*labelRounds, error) {
	l := &labelRounds{run: r, total: max(r.config.Label.Rounds, 1)}
	return l, l.choosesFrom(ensembleName)
}

func (l *labelRounds) close() error {
	var errs []error
	for _, closeOne := range l.mapped {
		errs = append(errs, closeOne())
	}
	return errors.Join(errs...)
}

func (l *labelRounds) choosesFrom(name string) error {
	m, err := array.Map(l.folder.Join(name))
	if err != nil {
		return err
	}
	l.mapped, l.from = append(l.mapped, m.Close), m.Matrix
	return nil
}

// selectAll makes the pseudo labels that the run learns from in the end, and all that
// comes before.
func (l *labelRounds) selectAll(ctx context.Context) ([]string, error) {
	for {
		before := l.done
		selected, err := l.ask(ctx)
		if err != nil {
			return nil, err
		}
		if l.done > before || l.done+1 == l.total {
			return l.keepLast(selected)
		}
		if err := l.learnFrom(ctx, selected); err != nil {
			return nil, err
		}
	}
}

// ask runs the policy on what the round at hand has.
func (l *labelRounds) ask(ctx context.Context) (_ plugins.Selection, err error) {
	in, closeAll, err := l.labelInput(l.selection, l.learntName())
	if err != nil {
		return plugins.Selection{}, err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	in.Ensemble, in.Takes = label.Matrix{Matrix: l.from}, learnable
	if left := l.total - l.done; left > 1 && l.selection.Needs.Rounds {
		in.LearningRounds = left
		in.NextRound = func(ctx context.Context, s plugins.Selection) (plugins.Learnt, error) {
			if err := l.learnFrom(ctx, s); err != nil {
				return plugins.Learnt{}, err
			}
			return l.learnt(in.Models)
		}
	}
	task, before := l.display.Start("select", len(l.kept.unlabeled), "pictures"), l.done
	defer task.End()
	selected, err := l.selection.Select(ctx, in)
	l.hear(l.selection, selected.Record, before)
	if err != nil {
		return selected, err
	}
	task.Set(len(l.kept.unlabeled))
	return selected, nil
}

// learntName is the file of the first model's probabilities in the round at hand;
// empty in the first round.
func (l *labelRounds) learntName() string {
	if l.done == 0 {
		return ""
	}
	return roundPlace(l.done+1) + probabilitiesName(l.models[0].Name)
}

// learnt is what a policy sees after learnFrom, having seen these models before.
func (l *labelRounds) learnt(models []plugins.Probabilities) (plugins.Learnt, error) {
	m, err := array.Map(l.folder.Join(l.learntName()))
	if err != nil {
		return plugins.Learnt{}, err
	}
	l.mapped = append(l.mapped, m.Close)
	now := append([]plugins.Probabilities{label.Matrix{Matrix: m.Matrix}}, models[1:]...)
	return plugins.Learnt{Ensemble: label.Matrix{Matrix: l.from}, Models: now}, nil
}

// learnFrom learns from a round's selection, and classifies the unlabeled pictures
// by that: the round at hand is then the next one.
func (l *labelRounds) learnFrom(ctx context.Context, s plugins.Selection) error {
	place, seeds := roundPlace(l.done+1), l.roundSeeds()
	if err := l.keep(place, s, seeds); err != nil {
		return err
	}
	written, err := l.learnAt(ctx, place, seeds)
	if err != nil {
		return fmt.Errorf("round %d of %d: %w", l.done+1, l.total, err)
	}
	l.outputs = append(l.outputs, written...)
	l.done++
	return l.predict(ctx, place+classifierName)
}

// roundSeeds are those of the rounds before the last.
func (l *labelRounds) roundSeeds() []uint64 {
	seeds := l.config.Learn.Seeds
	return seeds[:min(len(seeds), l.config.Label.RoundSeeds)]
}

// predict writes what the round at hand chooses from, by what the one before learned.
func (l *labelRounds) predict(ctx context.Context, classifier string) (err error) {
	learned, err := l.readClassifier(ctx, classifier)
	if err != nil {
		return err
	}
	features, err := l.features(0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, features.Close()) }()
	name, combined := l.learntName(), roundPlace(l.done+1)+ensembleName
	if err := os.MkdirAll(filepath.Dir(l.folder.Join(name)), 0o755); err != nil {
		return fmt.Errorf("making the run's folders: %w", err)
	}
	err = label.Classify(ctx, l.folder.Join(name), features.Matrix, l.rows(0, l.kept.unlabeled), learned.Best())
	if err != nil {
		return err
	}
	in, closeAll, err := l.labelInput(l.ensemble, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	if err := l.combineInto(ctx, combined, in, l.done); err != nil {
		return err
	}
	l.outputs = append(l.outputs, name, combined)
	return l.choosesFrom(combined)
}

// keep writes and records the selection of the round at hand.
func (l *labelRounds) keep(place string, s plugins.Selection, seeds []uint64) error {
	written, err := l.keepSelection(place, s, l.from)
	if err != nil {
		return err
	}
	l.outputs = append(l.outputs, written...)
	labels := len(s.Labels) + len(s.Soft) + len(s.Candidates)
	l.records = append(l.records, Round{
		Round: l.done + 1, PseudoLabels: labels, Soft: len(s.Soft), CandidateSets: len(s.Candidates), Dropped: len(s.Drops), Seeds: seeds,
	})
	l.display.Say("round %d of %d: %s", l.done+1, l.total, counted(labels, "pseudo label", "pseudo labels"))
	l.log.Info("selected", "round", l.done+1, "of", l.total, "pseudo_labels", labels)
	return nil
}

// keepLast keeps the last selection, where the run learns from it too.
func (l *labelRounds) keepLast(s plugins.Selection) ([]string, error) {
	l.warnEmptyClasses(s)
	written, err := l.keepSelection("", s, l.from)
	if err != nil || l.total == 1 {
		return written, err
	}
	if err := l.keep(roundPlace(l.done+1), s, l.config.Learn.Seeds); err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(l.records, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", roundsName, err)
	}
	if err := l.folder.Write(roundsName, append(text, '\n')); err != nil {
		return nil, err
	}
	// What is left of a run of other pictures that went through more rounds.
	for number := l.done + 2; number <= l.total; number++ {
		if err := os.RemoveAll(l.folder.Join(roundPlace(number))); err != nil {
			return nil, fmt.Errorf("removing the rounds of an earlier run: %w", err)
		}
	}
	return append(append(l.outputs, written...), roundsName), nil
}

// readRounds learns from rounds.json what rounds there were; none where there is one.
func (r *run) readRounds() error {
	if r.config.Label.Rounds <= 1 {
		return nil
	}
	data, err := os.ReadFile(r.folder.Join(roundsName))
	if err != nil {
		return fmt.Errorf("reading the rounds: %w", err)
	}
	if err := json.Unmarshal(data, &r.manifest.Rounds); err != nil {
		return fmt.Errorf("reading %s: %w", r.folder.Join(roundsName), err)
	}
	return nil
}
