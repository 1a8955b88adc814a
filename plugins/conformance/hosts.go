package conformance

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
)

// What follows is about hosts that have, or take, less than the ordinary one, or more.

func (s *subject) needsFeatures() bool {
	return slices.Contains(s.Needs.Views, sdk.ViewFeatures.String())
}

// withoutGrant runs without features being granted: a policy that cannot do
// without them says so.
func withoutGrant(ctx context.Context, s *subject) verdict {
	denied, policy := *s, *s.Policy
	policy.Granted = nil
	denied.Policy = &policy
	return denied.withoutFeatures(ctx, func(*plugins.Input) {})
}

// withoutFeatures grants features that there are not.
func withoutFeatures(ctx context.Context, s *subject) verdict {
	return s.withoutFeatures(ctx, func(in *plugins.Input) { in.Features, in.TextFeatures = nil, nil })
}

func (s *subject) withoutFeatures(ctx context.Context, change func(*plugins.Input)) verdict {
	if !s.needsFeatures() {
		return skip("it needs no features")
	}
	o := s.again(ctx, change)
	if o.err == nil {
		return pass("it does without: %s", o.size(s.Kind))
	}
	if message, ok := refusal(o.err, sdk.CodeDenied, sdk.CodeNotSupported, sdk.CodeConfig); ok {
		return pass("it says so: %s", message)
	}
	v := o.failed("")
	v.advice = "return the error of opening the view as it is, from Configure"
	return v
}

// hardLabelsOnly runs with a host that takes what the main job takes.
func hardLabelsOnly(ctx context.Context, s *subject) verdict {
	others := emitted(s.plain.seen.emitted)
	o := s.again(ctx, func(in *plugins.Input) { in.Takes = []sdk.EmitKind{} })
	if o.err == nil {
		if others == "" {
			return pass("it emits nothing else: %s", o.size(s.Kind))
		}
		return pass("elsewhere it emits %s, here %s", others, o.size(s.Kind))
	}
	if message, ok := refusal(o.err, sdk.CodeConfig, sdk.CodeNotSupported); ok {
		return pass("it emits %s, and says so: %s", others, message).
			but("upl-host run takes soft labels with any learn.method, candidate sets where it learns prompts alone")
	}
	v := o.failed("")
	v.advice = "ask Takes in Configure, and return CONFIG where the host takes none of what the policy emits"
	return v
}

// emitted lists the kinds beside hard labels.
func emitted(set map[sdk.EmitKind]bool) string {
	var names []string
	for _, kind := range slices.Sorted(maps.Keys(set)) {
		if kind != sdk.EmitHard {
			names = append(names, kind.String())
		}
	}
	return strings.Join(names, " and ")
}

// endsItsRounds looks at how many rounds the ordinary run took.
func endsItsRounds(ctx context.Context, s *subject) verdict {
	if !s.Needs.Rounds {
		return skip("it asks for one round")
	}
	// The fewest that the policy had, so that it may look at the limit.
	o := s.again(ctx, func(in *plugins.Input) { in.MaxRounds = s.plain.record.Rounds })
	if o.err != nil {
		return o.failed(fmt.Sprintf("with at most %s, as many as it took before", counted(s.plain.record.Rounds, "rounds")))
	}
	return pass("%s of at most 100", counted(s.plain.record.Rounds, "rounds"))
}

// learnsBetween runs with a host that learns, as a real one does from a selection
// that is mostly right: each round's probabilities are sharper than the last one's.
func learnsBetween(ctx context.Context, s *subject) verdict {
	if !s.Needs.Rounds {
		return skip("it asks for one round")
	}
	var outcomes [2]outcome
	for i := range outcomes {
		f := ordinary(ordinaryRows, ordinaryClasses, ordinaryModels)
		in := s.input(f)
		in.NextRound = sharpen(f)
		outcomes[i] = s.run(ctx, in)
		if err := outcomes[i].err; err != nil {
			return outcomes[i].failed("")
		}
	}
	if d := difference(&outcomes[0], &outcomes[1]); d != "" {
		return fail("make each round a function of what the host gives it", "the same twice: %s", d)
	}
	return pass("%s: %s", counted(outcomes[0].record.Rounds, "rounds"), outcomes[0].size(s.Kind))
}

// sharpen learns by raising probabilities to the power of 1.25, each time more.
func sharpen(f fixture) func(context.Context, plugins.Selection) (plugins.Learnt, error) {
	models, power := f.models, 1.0
	return func(context.Context, plugins.Selection) (plugins.Learnt, error) {
		power *= 1.25
		next := fixture{}
		for _, m := range models {
			sharper := newMatrix(m.rows, m.columns)
			for i := range m.rows {
				logits := make([]float64, m.columns)
				for c, p := range m.row(i) {
					logits[c] = math.Log(max(float64(p), 0x1p-126))
				}
				softmax(sharper.row(i), logits, power)
			}
			next.models = append(next.models, sharper)
		}
		return plugins.Learnt{Ensemble: next.mean(), Models: probabilities(next.models)}, nil
	}
}

// identicalModels says whether an ensemble of one model thrice is that model.
func identicalModels(ctx context.Context, s *subject) verdict {
	f := ordinary(100, ordinaryClasses, ordinaryModels)
	f.models[1], f.models[2] = f.models[0], f.models[0]
	o := s.run(ctx, s.input(f))
	if o.err != nil {
		return o.failed("")
	}
	var most float64
	for i, p := range f.models[0].values {
		most = max(most, math.Abs(float64(o.combined[i]-p)))
	}
	return pass("gives that model within %.1g", most)
}

const (
	largeRows    = 50_000
	largeClasses = 100
)

// standsLarge runs on data that are made while they are read, with the limits that a
// run has by default.
func standsLarge(ctx context.Context, s *subject) verdict {
	models := []plugins.Probabilities{
		generated{largeRows, largeClasses, 1}, generated{largeRows, largeClasses, 2},
	}
	in := plugins.Input{
		Models: models, ClassNames: slices.Repeat([]string{"class"}, largeClasses),
		LogitScales: []float64{100, 100}, ModelNames: []string{"a", "b"}, Seed: 1, Takes: everything(),
		Params: s.params,
	}
	if s.Kind == sdk.KindSelection {
		in.Ensemble = generated{largeRows, largeClasses, 3}
	}
	if s.needsFeatures() {
		images, texts := generatedFeatures{generated{largeRows, featureWidth, 4}}, generatedFeatures{generated{largeClasses, featureWidth, 5}}
		in.Features, in.TextFeatures = []plugins.Features{images, images}, []plugins.Features{texts, texts}
	}
	if s.world.prior {
		in.Prior = even(largeClasses)
	}
	if s.world.learns { // nothing: more of the same data
		in.NextRound = func(context.Context, plugins.Selection) (plugins.Learnt, error) { return plugins.Learnt{}, nil }
	}
	o := s.run(ctx, in)
	if o.err != nil {
		return o.failed("")
	}
	million := func(d time.Duration) time.Duration {
		return (d * (1_000_000 / largeRows)).Round(time.Millisecond)
	}
	v := pass("for a million rows %v in the policy, %v in all", million(o.seen.inside), million(o.took))
	if o.seen.memory > 0 {
		v.detail += fmt.Sprintf("; %.1f MiB", float64(o.seen.memory)/(1<<20))
	}
	return v
}
