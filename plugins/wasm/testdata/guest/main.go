// Command guest is a plugin of policies that misbehave in ways that a Go program
// can, and one that uses what the sandbox leaves of the standard library.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/serve"
)

var plugin = serve.Policies(
	selection("panics", func(*sdk.Round) error { panic("on purpose") }),
	selection("indexes", func(r *sdk.Round) error { return r.Emit(make([]sdk.Label, 1)[r.Rows]) }),
	selection("allocates", allocates),
	selection("recurses", func(*sdk.Round) error { _, err := fmt.Println(recurses(1)); return err }),
	selection("floods", floods),
	selection("sleeps", sleeps),
	selection("looks-around", looksAround),
	selection("refuses", func(*sdk.Round) error { return sdk.Unusable("k", "is too odd") }),
	selection("undeclared", func(*sdk.Round) error { return nil }),
	whole,
)

func main() { plugin.Main() }

func selection(name string, end func(*sdk.Round) error) sdk.Policy {
	return sdk.Policy{
		Name: name, Version: "1.0.0", Parameters: `{"type": "object"}`,
		Selection: func() sdk.Selection { return &policy{name, end} },
	}
}

type policy struct {
	name string
	end  func(*sdk.Round) error
}

func (p *policy) Configure(s *sdk.Setup) error {
	if p.name == "undeclared" {
		_, err := s.OpenRows(sdk.Ensemble)
		return err
	}
	return nil
}

func (p *policy) EndRound(r *sdk.Round) (bool, error) { return false, p.end(r) }

func allocates(*sdk.Round) error {
	var all [][]byte
	for {
		all = append(all, make([]byte, 1<<20))
		all[len(all)-1][0] = 1
	}
}

//go:noinline
func recurses(n int) int { return 1 + recurses(n+1) }

func floods(*sdk.Round) error {
	for {
		if _, err := fmt.Println("and another thing"); err != nil {
			return err
		}
	}
}

// sleeps waits for an hour of its own time.
func sleeps(r *sdk.Round) error {
	began := time.Now()
	time.Sleep(time.Hour)
	return r.Metric("slept", time.Since(began).Round(time.Minute).Minutes())
}

// looksAround reports what it can see of the world, and draws random numbers.
func looksAround(r *sdk.Round) error {
	seen, err := json.Marshal(map[string]any{
		"args": len(os.Args), "environment": len(os.Environ()),
	})
	if err != nil {
		return err
	}
	r.Log(sdk.LevelInfo, string(seen)+"\x1b[2J")
	b := make([]byte, 4)
	if err := r.Random(b); err != nil {
		return err
	}
	r.Log(sdk.LevelDebug, fmt.Sprint(b))
	if n, err := os.Stdout.WriteString("half a line"); n == 0 || err != nil {
		return errors.Join(err, errors.New("nothing written"))
	}
	return nil
}

// whole uses what else the contract has: rounds, rows by number, the previous
// selection, features, temperatures, and every kind of record.
var whole = sdk.Policy{
	Name: "whole", Version: "1.0.0", Parameters: `{"type": "object"}`, Rounds: true,
	Needs:     []sdk.ViewKind{sdk.ViewRows, sdk.ViewGather, sdk.ViewPrevious, sdk.ViewFeatures, sdk.ViewQuantile},
	Selection: func() sdk.Selection { return &wholeContract{} },
}

type wholeContract struct {
	gather, features, texts *sdk.View[float32]
	columns                 *sdk.View[float64]
	previous                *sdk.Previous
}

func (w *wholeContract) Configure(s *sdk.Setup) error {
	if !s.Takes(sdk.EmitSoft) || !s.Takes(sdk.EmitCandidates) || !s.Takes(sdk.EmitDrop) || !s.Learns() {
		return errors.New("a host that does not take all")
	}
	var errs [5]error
	w.gather, errs[0] = s.At(0.5).OpenGather(sdk.Ensemble)
	w.features, errs[1] = s.OpenFeatures(0)
	w.texts, errs[2] = s.OpenTextFeatures(0)
	w.columns, errs[3] = s.OpenColumnQuantiles(0, 4)
	w.previous, errs[4] = s.OpenPrevious()
	return errors.Join(errs[:]...)
}

func (w *wholeContract) Observe(b *sdk.Batch) error {
	features, err := w.features.Batch(b)
	if err != nil {
		return err
	}
	b.Log(sdk.LevelInfo, fmt.Sprint("features ", features))
	return nil
}

func (w *wholeContract) EndRound(r *sdk.Round) (bool, error) {
	gathered, err1 := w.gather.Read(int(r.Rows)-1, 1)
	texts, err2 := w.texts.Read(0, int(r.Classes))
	columns, err3 := w.columns.Read(0, int(r.Classes))
	previous, err4 := w.previous.Read(0, 100)
	r.Log(sdk.LevelInfo, fmt.Sprint(gathered, texts, columns, previous))
	return r.Number == 0, errors.Join(
		err1, err2, err3, err4,
		r.Drop(0),
		r.EmitSoft(1, 0.5, sdk.Candidate{Class: 2, P: 0.25}, sdk.Candidate{Class: 0, P: 0.75}),
		r.EmitCandidates(2, 1, 2, 1),
		r.Emit(sdk.Label{Row: 3, Class: 1, Weight: 1}, sdk.Label{Row: 3, Class: 0, Weight: 1}),
	)
}
