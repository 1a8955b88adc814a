package session_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/session"
)

// TestViewsOfARound opens a view in each round: it is gone in the next.
func TestViewsOfARound(t *testing.T) {
	open := func(h sdk.Host) (int32, error) {
		return h.OpenView(sdk.ViewSpec{Size: sdk.SizeViewSpec, Kind: sdk.ViewClassMean, Model: sdk.Ensemble})
	}
	g := &guest{
		configure: func(h sdk.Host) error { _, err := open(h); return err },
		begin: func(h sdk.Host, round int) error {
			if handle, err := open(h); handle != 1 || err != nil {
				return fmt.Errorf("handle %d: %w", handle, err)
			}
			return nil
		},
		end: func(h sdk.Host, round int) (bool, error) {
			a, err1 := read(h, 0, 0, 3)
			b, err2 := read(h, 1, 0, 3)
			if !slices.Equal(a, b) {
				return false, errors.New("two views of the same differ")
			}
			return round < 2, errors.Join(err1, err2)
		},
	}
	if _, err := session.Select(t.Context(), description, input(20, 3), g.start); err != nil {
		t.Error(err)
	}
}

func TestRounds(t *testing.T) {
	var random [2][8]byte
	g := &guest{
		end: func(h sdk.Host, round int) (bool, error) {
			d, err := h.Dataset()
			if err != nil || d.Round != uint32(round) || d.Rows != 20 || d.Classes != 3 || d.Models != 2 || d.Seed != 7 {
				return false, fmt.Errorf("data set %+v in round %d: %w", d, round, err)
			}
			if err := h.Random(random[round][:]); err != nil {
				return false, err
			}
			// Out of order; the first round's are discarded.
			err = errors.Join(h.Emit(sdk.EmitHard, label(uint64(5+round), 2)), h.Emit(sdk.EmitHard, label(uint64(round), 1)))
			return round == 0, errors.Join(err, h.Metric("m", float64(round)))
		},
	}
	s, err := session.Select(t.Context(), description, input(20, 3), g.start)
	if err != nil {
		t.Fatal(err)
	}
	want := []session.Label{{Row: 1, Class: 1, Weight: 1}, {Row: 6, Class: 2, Weight: 1}}
	if !slices.Equal(s.Labels, want) || s.Rounds != 2 || len(s.Metrics) != 2 || s.Metrics[1] != (session.Metric{Name: "m", Round: 1, Value: 1}) {
		t.Errorf("%+v", s)
	}
	again := random
	if random[0] == random[1] {
		t.Error("two rounds have the same random bytes")
	}
	if _, err := session.Select(t.Context(), description, input(20, 3), g.start); err != nil || random != again {
		t.Errorf("another run has other random bytes: %v", err)
	}

	undeclared := description
	undeclared.Needs.Rounds = false
	var protocol *session.ProtocolError
	if _, err := session.Select(t.Context(), undeclared, input(20, 3), g.start); !errors.As(err, &protocol) {
		t.Errorf("undeclared rounds: %v", err)
	}
}

// emittedBefore is the previous selection, which a policy reads from the begin of a
// round on, in pieces.
func emittedBefore(t *testing.T, h sdk.Host, handle int32, piece int) []sdk.Emitted {
	t.Helper()
	var out []sdk.Emitted
	for {
		b, err := read(h, handle, len(out), piece)
		if err != nil {
			t.Error(err)
		}
		if out = append(out, records[sdk.Emitted](t, b)...); len(b) < piece*sdk.SizeEmitted {
			return out
		}
	}
}

func TestPrevious(t *testing.T) {
	want := []sdk.Emitted{
		{Row: 1, Class: 0, Weight: 1, Kind: sdk.EmitHard},
		{Row: 1, Class: 2, Weight: 1, Kind: sdk.EmitHard},
		{Row: 3, Class: 0, Weight: 0.5, Kind: sdk.EmitSoft, P: 0.25},
		{Row: 3, Class: 1, Weight: 0.5, Kind: sdk.EmitSoft, P: 0.75},
		{Row: 4, Class: sdk.NoClass, Kind: sdk.EmitDrop},
		{Row: 6, Class: 1, Weight: 2, Kind: sdk.EmitCandidates},
		{Row: 6, Class: 2, Weight: 2, Kind: sdk.EmitCandidates},
	}
	for piece := 1; piece <= len(want)+1; piece++ {
		seen := map[string][]sdk.Emitted{}
		look := func(h sdk.Host, when string) { seen[when] = emittedBefore(t, h, 0, piece) }
		g := &guest{
			configure: func(h sdk.Host) error {
				_, err := h.OpenView(sdk.ViewSpec{Size: sdk.SizeViewSpec, Kind: sdk.ViewPrevious, Model: sdk.Ensemble})
				_, early := h.ReadView(0, 0, 1, nil)
				if !errors.Is(early, &sdk.Error{Code: sdk.CodeState}) {
					t.Errorf("read in configure: %v", early)
				}
				return err
			},
			begin: func(h sdk.Host, round int) error { look(h, fmt.Sprint("begin ", round)); return nil },
			end: func(h sdk.Host, round int) (bool, error) {
				look(h, fmt.Sprint("end ", round))
				if round > 0 { // the second emits nothing: the third still sees the first's
					return round < 2, nil
				}
				return true, errors.Join(
					h.Emit(sdk.EmitDrop, drop(4)),
					h.Emit(sdk.EmitSoft, soft(3, 0.5, sdk.Candidate{Class: 1, P: 0.75}, sdk.Candidate{Class: 0, P: 0.25})),
					h.Emit(sdk.EmitHard, slices.Concat(label(1, 2), label(1, 0))),
					h.Emit(sdk.EmitCandidates, candidates(6, 2, 2, 1)),
				)
			},
		}
		s, err := session.Select(t.Context(), description, taking(input(20, 3)), g.start)
		if err != nil || !s.Empty() {
			t.Fatalf("%+v: %v", s, err)
		}
		for when, records := range seen {
			if strings.HasSuffix(when, " 0") != (len(records) == 0) || len(records) > 0 && !slices.Equal(records, want) {
				t.Errorf("in pieces of %d, %s: %v", piece, when, records)
			}
		}
		if len(seen) != 6 {
			t.Errorf("looked in %d calls", len(seen))
		}
	}
}

// TestNextRound learns between rounds: those that emitted, but the last.
func TestNextRound(t *testing.T) {
	in := input(20, 3)
	var learnt []session.Selection
	in.NextRound = func(_ context.Context, s session.Selection) (session.Learnt, error) {
		learnt = append(learnt, s)
		return session.Learnt{Ensemble: draw(uint64(40+len(learnt)), 20, 3)}, nil
	}
	seen := map[int][]byte{}
	g := &guest{
		configure: func(h sdk.Host) error {
			d, err := h.Dataset()
			if d.Flags != sdk.Retrains {
				t.Errorf("flags %d", d.Flags)
			}
			_, err2 := h.OpenView(sdk.ViewSpec{Size: sdk.SizeViewSpec, Kind: sdk.ViewRows, Model: sdk.Ensemble})
			return errors.Join(err, err2)
		},
		observe: func(h sdk.Host, first, rows int) error {
			d, err := h.Dataset()
			b, err2 := read(h, 0, first, rows)
			seen[int(d.Round)] = append(seen[int(d.Round)], b...)
			return errors.Join(err, err2)
		},
		end: func(h sdk.Host, round int) (bool, error) {
			if round == 1 {
				return true, nil
			}
			return round < 3, h.Emit(sdk.EmitHard, label(uint64(round), 1))
		},
	}
	s, err := session.Select(t.Context(), description, in, g.start)
	if err != nil || !slices.Equal(s.Labels, []session.Label{{Row: 3, Class: 1, Weight: 1}}) || s.Rounds != 4 {
		t.Fatalf("%+v: %v", s, err)
	}
	if len(learnt) != 2 || learnt[0].Labels[0].Row != 0 || learnt[1].Labels[0].Row != 2 {
		t.Errorf("learnt from %+v", learnt)
	}
	for round, seed := range []uint64{1, 41, 41, 42} {
		if !reflect.DeepEqual(records[float32](t, seen[round]), draw(seed, 20, 3).Values) {
			t.Errorf("round %d saw other probabilities", round)
		}
	}

	for says, learn := range map[string]func() (session.Learnt, error){
		"learning from round 0: no memory": func() (session.Learnt, error) { return session.Learnt{}, errors.New("no memory") },
		"of another data set": func() (session.Learnt, error) {
			other := draw(1, 21, 3)
			return session.Learnt{Ensemble: other, Models: []session.Probabilities{other, other}}, nil
		},
		"what round 0 learnt: probabilities of the ensemble are 21 x 3": func() (session.Learnt, error) {
			return session.Learnt{Ensemble: draw(1, 21, 3)}, nil
		},
	} {
		in.NextRound = func(context.Context, session.Selection) (session.Learnt, error) { return learn() }
		if _, err := session.Select(t.Context(), description, in, g.start); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
}

// TestLearningRounds bounds the rounds that emit, and those that do not between them.
func TestLearningRounds(t *testing.T) {
	learning := input(5, 2)
	learning.LearningRounds, learning.MaxRounds = 3, 4
	calls := 0
	learning.NextRound = func(context.Context, session.Selection) (session.Learnt, error) {
		calls++
		return session.Learnt{}, nil
	}
	// of is a policy that emits in some of the rounds that it asks for.
	of := func(rounds string) *guest {
		return &guest{
			configure: func(h sdk.Host) error {
				if d, err := h.Dataset(); err != nil || d.MaxRounds != 3 {
					return fmt.Errorf("it is told of %d rounds: %w", d.MaxRounds, err)
				}
				return nil
			},
			end: func(h sdk.Host, round int) (bool, error) {
				if rounds[round] == 'e' {
					if err := h.Emit(sdk.EmitHard, label(uint64(round%5), 1)); err != nil {
						return false, err
					}
				}
				return round+1 < len(rounds), nil
			},
		}
	}
	for rounds, want := range map[string]struct {
		learnt int
		says   string
	}{
		"e":            {0, ""},
		"eee":          {2, ""},
		"---e---e---e": {2, ""},
		"---e":         {0, ""},
		"eeee":         {2, "another round after 3"},
		"----e":        {0, "4 rounds without a selection"},
		"e----e":       {1, "4 rounds without a selection"},
		"e-e-e-":       {2, "another round after 3"},
	} {
		calls = 0
		_, err := session.Select(t.Context(), description, learning, of(rounds).start)
		var limit *session.LimitError
		switch {
		case want.says == "" && err != nil:
			t.Errorf("%s: %v", rounds, err)
		case want.says != "" && (!errors.As(err, &limit) || limit.Limit != session.LimitRounds || !strings.Contains(err.Error(), want.says)):
			t.Errorf("%s: %v does not say %q", rounds, err, want.says)
		case calls != want.learnt:
			t.Errorf("%s: %d rounds were learnt from, want %d", rounds, calls, want.learnt)
		}
	}
}

func TestRoundsNeedNoHook(t *testing.T) {
	g := &guest{end: func(h sdk.Host, round int) (bool, error) {
		return round < 2, h.Emit(sdk.EmitHard, label(uint64(round), 1))
	}}
	s, err := session.Select(t.Context(), description, input(5, 2), g.start)
	if err != nil || s.Rounds != 3 || len(s.Labels) != 1 || s.Labels[0].Row != 2 {
		t.Errorf("%+v: %v", s, err)
	}
}
