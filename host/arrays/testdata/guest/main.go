// Command guest has policies that emit every kind of record and look at all that
// an operator may give, for tests.
package main

import (
	"fmt"
	"strings"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/serve"
)

var plugin = serve.Policies(
	sdk.Policy{
		Name: "kinds", Version: "1.0.0", Summary: "records of the kinds that are asked for, in turn",
		Parameters: `{"type": "object", "properties": {"kinds": {"type": "string"}}}`,
		Needs:      []sdk.ViewKind{sdk.ViewStats},
		Selection:  func() sdk.Selection { return &kinds{} },
	},
	sdk.Policy{
		Name: "texts", Version: "1.0.0", Summary: "each image as the class whose text it is nearest to, weighted by the prior",
		Parameters: `{"type": "object"}`,
		Needs:      []sdk.ViewKind{sdk.ViewFeatures},
		Selection:  func() sdk.Selection { return &texts{} },
	},
	sdk.Policy{
		Name: "grows", Version: "1.0.0", Summary: "more of each class from round to round", Rounds: true,
		Parameters: `{"type": "object", "properties": {"k": {"type": "integer", "default": 1}}}`,
		Needs:      []sdk.ViewKind{sdk.ViewClassTopK, sdk.ViewPrevious},
		Selection:  func() sdk.Selection { return &grows{} },
	},
)

func main() { plugin.Main() }

// grows goes through all rounds that there are: in round r, from 1, each class gets
// its first r k rows.
type grows struct {
	k      int
	ranked *sdk.ClassTopK
	before *sdk.Previous
}

func (g *grows) Configure(s *sdk.Setup) (err error) {
	if g.k, err = s.Int("k"); err != nil {
		return err
	}
	if g.before, err = s.OpenPrevious(); err != nil {
		return err
	}
	g.ranked, err = s.OpenClassTopK(sdk.Ensemble, g.k*int(s.MaxRounds), 0)
	return err
}

func (g *grows) EndRound(r *sdk.Round) (bool, error) {
	before, err := g.before.Read(0, 1000)
	if err != nil {
		return false, err
	}
	if err := r.Metric("before", float64(len(before))); err != nil {
		return false, err
	}
	for c := range r.Classes {
		ranked, err := g.ranked.Class(int(c))
		if err != nil {
			return false, err
		}
		for _, row := range ranked[:min(len(ranked), g.k*(r.Number+1))] {
			if err := r.Emit(sdk.Label{Row: row.Row, Class: c, Weight: 1}); err != nil {
				return false, err
			}
		}
	}
	return r.Learns() && r.Number+1 < int(r.MaxRounds), nil
}

type kinds struct {
	names []string
	stats *sdk.View[sdk.Stats]
	seen  int
}

func (k *kinds) Configure(s *sdk.Setup) (err error) {
	if s.Has("kinds") {
		text, err := s.Text("kinds")
		if err != nil {
			return err
		}
		k.names = strings.Split(text, ",")
	}
	k.stats, err = s.OpenStats(sdk.Ensemble, 0)
	return err
}

func (k *kinds) Observe(b *sdk.Batch) error {
	stats, err := k.stats.Batch(b)
	if err != nil {
		return err
	}
	b.Log(sdk.LevelWarn, fmt.Sprint(b.Rows, " rows"))
	for i, s := range stats {
		row := b.First + i
		if len(k.names) == 0 {
			break
		}
		other := (s.Class + 1) % b.Classes
		switch k.names[row%len(k.names)] {
		case "hard":
			err = b.Emit(sdk.Label{Row: uint64(row), Class: s.Class, Weight: s.P})
		case "soft":
			err = b.EmitSoft(row, 0.5, sdk.Candidate{Class: s.Class, P: 0.75}, sdk.Candidate{Class: other, P: 0.25})
		case "candidates":
			err = b.EmitCandidates(row, 1, s.Class, other)
		case "drop":
			err = b.Drop(row)
		}
		if err != nil {
			return err
		}
	}
	k.seen += b.Rows
	return nil
}

func (k *kinds) EndRound(r *sdk.Round) (bool, error) {
	r.Log(sdk.LevelInfo, "done")
	return false, r.Metric("seen", float64(k.seen))
}

type texts struct {
	images, texts *sdk.View[float32]
	classes       []float32
	prior         []float64
}

func (t *texts) Configure(s *sdk.Setup) (err error) {
	t.prior = s.Prior
	if t.images, err = s.OpenFeatures(0); err != nil {
		return err
	}
	t.texts, err = s.OpenTextFeatures(0)
	return err
}

func (t *texts) BeginRound(r *sdk.Round) (err error) {
	t.classes, err = t.texts.Read(0, int(r.Classes))
	return err
}

func (t *texts) EndRound(*sdk.Round) (bool, error) { return false, nil }

func (t *texts) Observe(b *sdk.Batch) error {
	images, err := t.images.Batch(b)
	if err != nil {
		return err
	}
	width := len(images) / b.Rows
	for i := range b.Rows {
		best, largest := 0, float32(-1e30)
		for c := range int(b.Classes) {
			var dot float32
			for d := range width {
				dot += images[i*width+d] * t.classes[c*width+d]
			}
			if dot > largest {
				best, largest = c, dot
			}
		}
		weight := float32(1)
		if len(t.prior) > 0 {
			weight = float32(t.prior[best])
		}
		if err := b.Emit(sdk.Label{Row: uint64(b.First + i), Class: uint32(best), Weight: weight}); err != nil {
			return err
		}
	}
	return nil
}
