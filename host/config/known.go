package config

import (
	"slices"
	"strings"
)

// star ends the name of a method that takes pseudo labels of all models.
const star = "*"

// known is a method that a matrix knows by name.
type known struct {
	name, meaning string
	// assign is what it sets, as --set does.
	assign []string
	// ignores are the axes that it does not use.
	ignores []string
	// alone: the trained model makes the pseudo labels alone.
	alone bool
}

// What methods do not use of the axes.
var (
	learnsNothing = []string{axisStrategies, axisK, axisSeeds}
	ownSelection  = []string{axisStrategies, axisK}
	trueLabels    = []string{axisStrategies}
	drawsNothing  = []string{axisSeeds}
)

// methods are all that are known by name, but for those with a star. Each has the
// hyper-parameters that it was published with, whatever the file says of others.
var methods = []known{
	{"zero-shot", "the templates alone", []string{"learn.method=zero-shot"}, learnsNothing, true},
	{"threshold", "self-training: a prompt from every picture above 0.9", []string{"learn.method=prompt", "learn.labels=pseudo", "label.selection={plugin: threshold, params: {t: 0.9}}"}, ownSelection, true},
	{"upl", "a prompt from the pseudo labels of the trained model", []string{"learn.method=prompt", "learn.labels=pseudo"}, nil, true},
	{"coop", "a prompt from K true labels a class", onTrue(coop), trueLabels, true},
	{"coop-pseudo", "the same from pseudo labels", onPseudo(coop), nil, true},
	{"clip-adapter", "an adapter behind the features, from K true labels a class", onTrue(clipAdapter), trueLabels, true},
	{"clip-adapter-pseudo", "the same from pseudo labels", onPseudo(clipAdapter), nil, true},
	{"tip-adapter", "a cache of K true labels a class", onTrue(tipAdapter), trueLabels, true},
	{"tip-adapter-pseudo", "the same of pseudo labels", onPseudo(tipAdapter), drawsNothing, true},
	{"tip-adapter-f", "a cache of K true labels a class, its keys learnt", onTrue(tipAdapterF), trueLabels, true},
	{"tip-adapter-f-pseudo", "the same of pseudo labels", onPseudo(tipAdapterF), nil, true},
	{"linear-probe", "a linear classifier from K true labels a class", onTrue(linearProbe), trueLabels, true},
	{"linear-probe-pseudo", "the same from pseudo labels", onPseudo(linearProbe), drawsNothing, true},
}

// What the baselines set, from whatever labels.
var (
	coop        = []string{"learn.method=coop", "learn.epochs=0"}
	clipAdapter = []string{"learn.method=clip-adapter", "learn.epochs=0"}
	tipAdapter  = []string{"learn.method=tip-adapter", "learn.views=10"}
	tipAdapterF = []string{
		"learn.method=tip-adapter-f", "learn.views=10", "learn.epochs=0", "learn.batch_size=256", "learn.learning_rate=0.001", "learn.weight_decay=0.01",
	}
	linearProbe = []string{"learn.method=linear-probe"}
)

func onTrue(assign []string) []string   { return append(slices.Clone(assign), "learn.labels=true") }
func onPseudo(assign []string) []string { return append(slices.Clone(assign), "learn.labels=pseudo") }

// aloneEnsemble and allEnsemble are whose pseudo labels a method takes.
const (
	aloneEnsemble = "label.ensemble={plugin: single, params: {}}"
	allEnsemble   = "label.ensemble={plugin: mean, params: {}}"
)

// knownMethod returns the method of a name, or nil. A star takes the place of the
// trained model's pseudo labels by the mean of all models' probabilities.
func knownMethod(name string) *known {
	plain, all := strings.CutSuffix(name, star)
	i := slices.IndexFunc(methods, func(m known) bool { return m.name == plain })
	if i < 0 || all && !methods[i].pseudo() {
		return nil
	}
	m := methods[i]
	m.name, m.alone = name, !all
	ensemble := aloneEnsemble
	if all {
		ensemble = allEnsemble
	}
	m.assign = append(slices.Clone(m.assign), ensemble)
	return &m
}

// pseudo says whether a method learns from pseudo labels.
func (m known) pseudo() bool {
	return !slices.Contains(m.assign, "learn.labels=true") && !slices.Equal(m.ignores, learnsNothing)
}

// methodNames lists the names of methods.
func methodNames() []string {
	var names []string
	for _, m := range methods {
		names = append(names, m.name)
		if m.pseudo() {
			names = append(names, m.name+star)
		}
	}
	return names
}

// KnownMethods describes the methods that a matrix knows by name: name, meaning,
// what it sets.
func KnownMethods() [][3]string {
	var rows [][3]string
	for _, name := range methodNames() {
		m := knownMethod(name)
		meaning := m.meaning
		if !m.alone {
			meaning = "the same, from the pseudo labels of all models"
		}
		rows = append(rows, [3]string{name, meaning, strings.Join(m.assign, "  ")})
	}
	return rows
}

// strategies are the selection rules that came with upl-host.
var strategies = map[string]struct{ withoutK bool }{
	"top-k": {}, "top-k-column": {}, "leaderboard": {}, "sinkhorn": {}, "prior-corrected": {}, "agreement": {},
	"threshold": {withoutK: true}, "flexmatch": {withoutK: true}, "candidates": {withoutK: true},
}
