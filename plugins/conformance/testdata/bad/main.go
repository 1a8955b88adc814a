// Command bad is a plugin of policies that each break one promise, and of some that
// look as if they did.
package main

import (
	"errors"
	"math/rand/v2"
	"strconv"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/serve"
)

const empty = `{"type": "object", "additionalProperties": false}`

var plugin = serve.Policies(
	policy("good", func(*sdk.Setup) error { return nil }, first),
	policy("map-order", nil, mapOrder),
	policy("language-random", nil, func(p *rule, r *sdk.Round) error { return r.Emit(label(rand.IntN(int(r.Rows)), 0)) }),
	batches,
	policy("no-rows", nil, func(p *rule, r *sdk.Round) error { return r.Emit(p.labels[0]) }),
	policy("second-model", nil, func(p *rule, r *sdk.Round) error { return first(p, r) }, func(p *sdk.Policy) {
		p.Selection = func() sdk.Selection { return &rule{model: 1, end: first} }
	}),
	policy("undeclared-view", func(s *sdk.Setup) error { _, err := s.OpenRows(0); return err }, first),
	policy("undeclared-rounds", nil, nil, func(p *sdk.Policy) {
		p.Selection = func() sdk.Selection { return &rule{another: true, end: first} }
	}),
	policy("endless-rounds", nil, nil, func(p *sdk.Policy) {
		p.Rounds, p.Selection = true, func() sdk.Selection { return &rule{another: true, end: first} }
	}),
	policy("wrong-default", nil, first, parameters(`"k": {"type": "integer", "minimum": 1, "maximum": 8, "default": 16}`)),
	policy("untyped", nil, first, parameters(`"k": {"minimum": 1, "default": 1}`)),
	policy("internal", topM, first, parameters(`"m": {"type": "integer", "minimum": 1, "default": 3}`), needs(sdk.ViewTopM)),
	policy("nameless", nameless, first, parameters(`"t": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5}`)),
	policy("required", required, first, func(p *sdk.Policy) {
		p.Parameters = `{"type": "object", "additionalProperties": false, "required": ["target"], "properties": {"target": {"enum": ["a", "b"]}}}`
	}),
	policy("hangs", nil, func(*rule, *sdk.Round) error { return hang() }),
	policy("hangs-on-ties", nil, hangsOnTies),
	policy("keeps-all", nil, keepsAll),
	policy("floods", nil, floods),
	policy("ungranted", ungranted, first, needs(sdk.ViewFeatures)),
	policy("greedy", nil, first, needs(sdk.ViewFeatures)),
	policy("soft", nil, soft),
	policy("soft-surprised", nil, softSurprised),
	policy("wants-prior", wantsPrior, first),
	policy("anonymous", nil, first, func(p *sdk.Policy) { p.Summary = "" }),
	ensemble("unnormalised", func(out, row []float32) {
		for c, p := range row {
			out[c] = 2 * p
		}
	}),
	ensemble("divides-by-least", func(out, row []float32) {
		var sum float32
		for c, p := range row {
			out[c] = 1 / p // of 0: infinite
			sum += out[c]
		}
		for c := range out {
			out[c] /= sum
		}
	}),
)

func main() { plugin.Main() }

// rule is a selection that sees each row's first class and probability.
type rule struct {
	configure func(*sdk.Setup) error
	observe   func(*rule, *sdk.Batch) error
	end       func(*rule, *sdk.Round) error
	model     int
	another   bool

	stats  *sdk.View[sdk.Stats]
	labels []sdk.Label // one a row
	p      []float32
	kept   [][]byte
}

func policy(name string, configure func(*sdk.Setup) error, end func(*rule, *sdk.Round) error, more ...func(*sdk.Policy)) sdk.Policy {
	p := sdk.Policy{
		Name: name, Version: "1.0.0", Summary: "a test", Parameters: empty, Needs: []sdk.ViewKind{sdk.ViewStats},
		Selection: func() sdk.Selection { return &rule{configure: configure, end: end, model: sdk.Ensemble} },
	}
	for _, change := range more {
		change(&p)
	}
	return p
}

func needs(view sdk.ViewKind) func(*sdk.Policy) {
	return func(p *sdk.Policy) { p.Needs = append(p.Needs, view) }
}

func parameters(properties string) func(*sdk.Policy) {
	return func(p *sdk.Policy) {
		p.Parameters = `{"type": "object", "additionalProperties": false, "properties": {` + properties + `}}`
	}
}

func label(row int, class uint32) sdk.Label {
	return sdk.Label{Row: uint64(row), Class: class, Weight: 1}
}

func (p *rule) Configure(s *sdk.Setup) (err error) {
	if p.configure != nil {
		if err := p.configure(s); err != nil {
			return err
		}
	}
	p.stats, err = s.OpenStats(p.model, 0)
	return err
}

func (p *rule) Observe(b *sdk.Batch) error {
	if p.observe != nil {
		return p.observe(p, b)
	}
	stats, err := p.stats.Batch(b)
	for i, s := range stats {
		p.labels, p.p = append(p.labels, label(b.First+i, s.Class)), append(p.p, s.P)
	}
	return err
}

func (p *rule) EndRound(r *sdk.Round) (bool, error) { return p.another, p.end(p, r) }

// first emits what is predicted with more than one half.
func first(p *rule, r *sdk.Round) error {
	for i, l := range p.labels {
		if p.p[i] > 0.5 && r.Number == 0 {
			if err := r.Emit(l); err != nil {
				return err
			}
		}
	}
	return nil
}

// mapOrder takes the first row that a map happens to give, of each class.
func mapOrder(p *rule, r *sdk.Round) error {
	rows := map[int]uint32{}
	for i, l := range p.labels {
		rows[i] = l.Class
	}
	taken := map[uint32]bool{}
	for row, class := range rows {
		if !taken[class] {
			taken[class] = true
			if err := r.Emit(label(row, class)); err != nil {
				return err
			}
		}
	}
	return nil
}

// batches takes the first row of each batch.
var batches = policy("batches", nil, nil, func(p *sdk.Policy) {
	p.Selection = func() sdk.Selection {
		return &rule{model: sdk.Ensemble, end: func(*rule, *sdk.Round) error { return nil }, observe: func(_ *rule, b *sdk.Batch) error {
			return b.Emit(label(b.First, 0))
		}}
	}
})

func topM(s *sdk.Setup) error {
	m, err := s.Int("m")
	if err != nil {
		return err
	}
	if _, err := s.OpenTopM(sdk.Ensemble, min(m, 1<<20)); err != nil && int(s.Classes) < m && s.Classes > 2 {
		return errors.New("cannot look at " + strconv.Itoa(m) + " classes")
	}
	return nil
}

func nameless(s *sdk.Setup) error {
	if t, err := s.Float("t"); err != nil || t == 0 {
		return &sdk.Error{Code: sdk.CodeConfig, Message: "0 will not do"}
	}
	return nil
}

func required(s *sdk.Setup) error {
	target, err := s.Text("target")
	if target == "b" {
		return sdk.Unusable("target", "is b, which only other data have")
	}
	return err
}

func hang() error {
	for i := 1; i != 0; {
		i = i&7 + 1
	}
	return nil
}

func hangsOnTies(p *rule, r *sdk.Round) error {
	if len(p.p) > 60 && p.p[0] == p.p[len(p.p)-1] && p.p[0] == 0.5 {
		return hang()
	}
	return first(p, r)
}

// keepsAll takes 64 KiB for each row.
func keepsAll(p *rule, r *sdk.Round) error {
	for range p.labels {
		p.kept = append(p.kept, make([]byte, 64<<10))
	}
	return first(p, r)
}

// floods logs every row twice.
func floods(p *rule, r *sdk.Round) error {
	for i := range p.labels {
		r.Log(sdk.LevelDebug, "looking at row "+strconv.Itoa(i))
	}
	return first(p, r)
}

func ungranted(s *sdk.Setup) error {
	if view, err := s.OpenFeatures(0); err != nil {
		panic(view) // who would not have features
	}
	return nil
}

func soft(p *rule, r *sdk.Round) error {
	if !r.Takes(sdk.EmitSoft) {
		return &sdk.Error{Code: sdk.CodeConfig, Message: "this rule gives soft labels, and this host takes none"}
	}
	return softSurprised(p, r)
}

func softSurprised(p *rule, r *sdk.Round) error {
	for i, l := range p.labels {
		if err := r.EmitSoft(i, 1, sdk.Candidate{Class: l.Class, P: 1}); err != nil {
			return err
		}
	}
	if !r.Takes(sdk.EmitSoft) && len(p.labels) > 0 {
		panic("where are they?")
	}
	return nil
}

func wantsPrior(s *sdk.Setup) error {
	if len(s.Prior) == 0 {
		return &sdk.Error{Code: sdk.CodeConfig, Message: "give a prior of the classes"}
	}
	return nil
}

// combiner makes a row of the mean of the models'.
type combiner struct {
	rows *sdk.View[float32]
	make func(out, row []float32)
}

func ensemble(name string, combine func(out, row []float32)) sdk.Policy {
	return sdk.Policy{
		Name: name, Version: "1.0.0", Summary: "a test", Parameters: empty, Needs: []sdk.ViewKind{sdk.ViewRows},
		Ensemble: func() sdk.Combiner { return &combiner{make: combine} },
	}
}

func (e *combiner) Configure(s *sdk.Setup) (err error) {
	e.rows, err = s.OpenRows(sdk.Ensemble)
	return err
}

func (e *combiner) Combine(b *sdk.Batch) error {
	rows, err := e.rows.Batch(b)
	classes := int(b.Classes)
	for i := range b.Rows {
		if err == nil {
			e.make(b.Output()[i*classes:(i+1)*classes], rows[i*classes:(i+1)*classes])
		}
	}
	return err
}
