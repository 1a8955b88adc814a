// Package witness has policies that look at all there is and say what they saw, so
// that tests can tell whether two carriers show, and take, the same.
package witness

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"math"
	"strconv"

	"github.com/upl-host/upl-host/sdk"
)

// Policies are all of them.
var Policies = []sdk.Policy{
	{
		Name: "sees-all", Version: "1.0.0", Rounds: true, Parameters: schema,
		Needs: []sdk.ViewKind{
			sdk.ViewRows, sdk.ViewTopM, sdk.ViewStats, sdk.ViewAgree, sdk.ViewColumn, sdk.ViewGather,
			sdk.ViewClassTopK, sdk.ViewClassMean, sdk.ViewQuantile, sdk.ViewPrevious, sdk.ViewFeatures,
		},
		Selection: func() sdk.Selection { return &all{} },
	},
	{
		Name: "combines", Version: "1.0.0", Parameters: schema,
		Needs:    []sdk.ViewKind{sdk.ViewRows},
		Ensemble: func() sdk.Combiner { return &combined{} },
	},
	{
		Name: "mixes", Version: "1.0.0", Parameters: schema,
		Needs:    []sdk.ViewKind{sdk.ViewRows},
		Ensemble: func() sdk.Combiner { return &mixed{} },
	},
	{
		Name: "scans", Version: "1.0.0", Parameters: schema,
		Needs:     []sdk.ViewKind{sdk.ViewRows},
		Selection: func() sdk.Selection { return &scans{} },
	},
}

const schema = `{"type": "object", "properties": {"fault": {"type": "string", "default": ""}}}`

// all opens every view, in several ways, and emits every kind of record.
type all struct {
	fault    string
	batches  []seen
	globals  []seen
	gather   *sdk.View[float32]
	previous *sdk.Previous
	topK     *sdk.ClassTopK
	texts    *sdk.View[float32]
	round    *sdk.View[sdk.Stats]
	setup    *sdk.Setup
}

// seen reads a view and gives a number that stands for all that was read.
type seen struct {
	name string
	read func(first, n int) (uint64, error)
}

type record interface {
	float32 | float64 | sdk.Candidate | sdk.Stats | sdk.Ranked | sdk.Emitted
}

func view[T record](name string, v *sdk.View[T], err error) (seen, error) {
	return seen{name, func(first, n int) (uint64, error) {
		records, err := v.Read(first, n)
		return sum(records), err
	}}, err
}

func sum[T record](records []T) uint64 {
	h := fnv.New64a()
	b, _ := binary.Append(nil, binary.LittleEndian, records) // records are of fixed size
	_, _ = h.Write(b)                                        // a hash takes all
	return h.Sum64()
}

// Configure opens views.
func (a *all) Configure(s *sdk.Setup) (err error) {
	a.setup = s
	if a.fault, err = s.Text("fault"); err != nil {
		return err
	}
	if a.fault == "configure" {
		return sdk.Unusable("fault", "is what was asked for")
	}
	keep := func(list *[]seen) func(seen, error) {
		return func(v seen, e error) {
			if *list = append(*list, v); err == nil {
				err = e
			}
		}
	}
	batch, global := keep(&a.batches), keep(&a.globals)
	classes := int(s.Classes)
	batch(open("rows", s.OpenRows)(sdk.Ensemble))
	batch(open("rows of model 0", s.At(0.5).OpenRows)(0))
	top, e := s.OpenTopM(sdk.Ensemble, min(2, classes))
	batch(view("top", top, e))
	stats, e := s.OpenStats(0, 0)
	batch(view("stats", stats, e))
	agree, e := s.OpenAgree()
	batch(view("agree", agree, e))
	column, e := s.OpenColumn(sdk.Ensemble, classes-1)
	batch(view("column", column, e))
	batch(open("features", s.OpenFeatures)(0))
	mean, e := s.OpenClassMean(sdk.Ensemble, 0)
	global(view("mean", mean, e))
	quantile, e := s.At(2).OpenQuantile(sdk.Ensemble, sdk.QuantileMargin, classes)
	global(view("quantile", quantile, e))
	columns, e := s.OpenColumnQuantiles(0, 3)
	global(view("columns", columns, e))
	if err != nil {
		return err
	}
	if a.topK, err = s.OpenClassTopK(sdk.Ensemble, 3, sdk.FlagAll); err != nil {
		return err
	}
	if a.gather, err = s.OpenGather(0); err != nil {
		return err
	}
	if a.texts, err = s.OpenTextFeatures(0); err != nil {
		return err
	}
	a.previous, err = s.OpenPrevious()
	return err
}

func open[T record](name string, f func(int) (*sdk.View[T], error)) func(int) (seen, error) {
	return func(model int) (seen, error) {
		v, err := f(model)
		return view(name, v, err)
	}
}

// BeginRound opens a view for this round, and reads what can be read at any time.
func (a *all) BeginRound(r *sdk.Round) (err error) {
	a.round, err = r.OpenStats(sdk.Ensemble, sdk.FlagNoEntropy)
	if err != nil {
		return err
	}
	previous, err := a.previous.Read(0, 1000)
	if err != nil {
		return err
	}
	r.Log(sdk.LevelInfo, "previous "+strconv.FormatUint(sum(previous), 16)+" of "+strconv.Itoa(len(previous)))
	random := make([]byte, 100)
	if err := r.Random(random); err != nil {
		return err
	}
	return r.Metric("random", float64(binary.LittleEndian.Uint32(random[96:])))
}

// Observe reads all batch views, part of one, and emits.
func (a *all) Observe(b *sdk.Batch) error {
	for _, v := range a.batches {
		x, err := v.read(b.First, b.Rows)
		if err != nil {
			return err
		}
		b.Log(sdk.LevelDebug, v.name+" "+strconv.FormatUint(x, 16))
	}
	last, err := a.round.Read(b.First+b.Rows-1, 1)
	if err != nil {
		return err
	}
	if _, err := a.round.Read(b.First, b.Rows+1); err == nil {
		return &sdk.Error{Code: sdk.CodeInternal, Message: "rows beyond the batch can be read"}
	}
	switch a.fault {
	case "forge":
		return b.Emit(sdk.Label{Row: math.MaxUint64, Weight: 1})
	case "panic":
		panic("as asked for")
	}
	row, class := b.First+b.Rows-1, last[0].Class
	switch row % 4 {
	case 0:
		return b.Emit(sdk.Label{Row: uint64(row), Class: class, Weight: last[0].P})
	case 1:
		return b.EmitSoft(row, 0.5, sdk.Candidate{Class: class, P: 1})
	case 2:
		return b.EmitCandidates(row, 1, class)
	}
	return b.Drop(row)
}

// EndRound reads global views and rows by number.
func (a *all) EndRound(r *sdk.Round) (bool, error) {
	sizes := map[string]int{"mean": int(r.Classes), "quantile": int(r.Classes) + 1, "columns": int(r.Classes)}
	for _, v := range a.globals {
		x, err := v.read(0, sizes[v.name])
		if err != nil {
			return false, err
		}
		r.Log(sdk.LevelInfo, v.name+" "+strconv.FormatUint(x, 16))
	}
	for c := range int(r.Classes) {
		ranked, err := a.topK.Class(c)
		if err != nil {
			return false, err
		}
		r.Log(sdk.LevelInfo, "top "+strconv.FormatUint(sum(ranked), 16))
	}
	gathered, err := a.gather.Read(0, int(r.Rows))
	if err != nil {
		return false, err
	}
	texts, err := a.texts.Read(0, int(r.Classes))
	if err != nil {
		return false, err
	}
	r.Log(sdk.LevelWarn, "gathered "+strconv.FormatUint(sum(gathered), 16)+", texts "+strconv.FormatUint(sum(texts), 16))
	return r.Number == 0, r.Metric("rows", float64(r.Rows))
}

// combined mixes all models by position.
type combined struct{ models []*sdk.View[float32] }

// Configure opens views.
func (c *combined) Configure(s *sdk.Setup) error {
	for m := range int(s.Models) {
		v, err := s.OpenRows(m)
		if err != nil {
			return err
		}
		c.models = append(c.models, v)
	}
	return nil
}

// Combine takes each row from the models in turn.
func (c *combined) Combine(b *sdk.Batch) error {
	for m, v := range c.models {
		rows, err := v.Batch(b)
		if err != nil {
			return err
		}
		classes := int(b.Classes)
		for i := range b.Rows {
			if (b.First+i)%len(c.models) == m {
				copy(b.Output()[i*classes:], rows[i*classes:(i+1)*classes])
			}
		}
	}
	return nil
}

// mixed leaves a mean of all models, of weights of their own, to the host.
type mixed struct{ combined }

// EndRound names the mean.
func (m *mixed) EndRound(r *sdk.Round) (bool, error) {
	parts := make([]sdk.Part, len(m.models))
	for i, view := range m.models {
		parts[i] = sdk.Part{View: view, Weight: 1 / float32(i+1)}
	}
	return false, r.EmitMean(parts...)
}

// Combine is not called.
func (m *mixed) Combine(*sdk.Batch) error { return errors.New("a mean was to be the host's") }

// scans looks at every probability.
type scans struct {
	rows *sdk.View[float32]
	most float32
}

// Configure opens the rows.
func (p *scans) Configure(s *sdk.Setup) (err error) {
	p.rows, err = s.OpenRows(sdk.Ensemble)
	return err
}

// Observe finds the largest probability.
func (p *scans) Observe(b *sdk.Batch) error {
	rows, err := p.rows.Batch(b)
	if err != nil {
		return err
	}
	most := p.most
	for _, x := range rows {
		if x > most {
			most = x
		}
	}
	p.most = most
	return nil
}

// EndRound says which it was.
func (p *scans) EndRound(r *sdk.Round) (bool, error) {
	return false, r.Metric("most", float64(p.most))
}
