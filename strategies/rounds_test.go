package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/sdktest"
)

// TestLearningRounds has each selection in a host that learns between rounds, without
// anything coming of it: of fewer rounds than some would have, and than others have
// passes.
func TestLearningRounds(t *testing.T) {
	const rounds = 3
	p := drawn(60, 4, 1)
	for _, policy := range plugin.List() {
		if policy.Kind() != sdk.KindSelection || !policy.Rounds {
			continue
		}
		t.Run(policy.Name, func(t *testing.T) {
			in := input(4, p.Values, p.Values)
			in.Takes = []sdk.EmitKind{sdk.EmitSoft, sdk.EmitCandidates}
			once := func(params string) plugins.Selection {
				in := in
				in.Params = json.RawMessage(params)
				s, err := sdktest.Select(t.Context(), policy, in)
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			learnt := 0
			in.LearningRounds = rounds
			in.NextRound = func(context.Context, plugins.Selection) (plugins.Learnt, error) {
				learnt++
				return plugins.Learnt{}, nil
			}
			got, err := sdktest.Select(t.Context(), policy, in)
			if err != nil {
				t.Fatal(err)
			}
			in.NextRound = nil
			// Those that are done once they have emitted, a run begins anew.
			want, wantLearnt := once(`{}`), 0
			if policy.Name == "leaderboard" { // its lists grow
				want, wantLearnt = once(`{"round": 3, "rounds": 3}`), rounds-1
			}
			if d := gocmp.Diff(want.Labels, got.Labels); d != "" || learnt != wantLearnt {
				t.Errorf("after learning %d times (-alone +learning):\n%s", learnt, d)
			}
			if len(got.Labels)+len(got.Candidates) == 0 || !slices.EqualFunc(want.Candidates, got.Candidates, func(a, b plugins.CandidateSet) bool { return gocmp.Equal(a, b) }) {
				t.Errorf("%d labels and %d sets, not %d sets", len(got.Labels), len(got.Candidates), len(want.Candidates))
			}
		})
	}
}

// TestRoundsOfLists has leaderboard grow its lists until the last round of learning,
// or until the one that is given, which may be before or behind it; alone it is in the
// first of ten. Only stable lists have all pictures.
func TestRoundsOfLists(t *testing.T) {
	p := drawn(60, 4, 1)
	i := slices.IndexFunc(plugin.List(), func(p sdk.Policy) bool { return p.Name == "leaderboard" })
	for params, want := range map[string][]int{ // images a class, by round of learning
		`{"round": 1}`:               {5, 10, 15},
		`{"rounds": null}`:           {5, 10, 15},
		`{"rounds": 10}`:             {1, 3, 4},
		`{"rounds": 2}`:              {7, 15},
		`{"round": 4}`:               {10, 12, 15}, // of 6
		`{"round": 9, "rounds": 10}`: {13, 15},
		`{"k": 2}`:                   {2},
	} {
		in := input(4, p.Values, p.Values)
		in.Params, in.LearningRounds = json.RawMessage(strings.Replace(params, "{", `{"mode": "stable", `, 1)), 3
		var got []int
		count := func(s plugins.Selection) { got = append(got, len(s.Labels)/4) }
		in.NextRound = func(_ context.Context, s plugins.Selection) (plugins.Learnt, error) {
			count(s)
			return plugins.Learnt{}, nil
		}
		s, err := sdktest.Select(t.Context(), plugin.List()[i], in)
		if err != nil {
			t.Fatal(err)
		}
		if count(s); !slices.Equal(got, want) {
			t.Errorf("%s: lists of %v, want %v", params, got, want)
		}
	}
	in := input(4, p.Values, p.Values)
	s, err := sdktest.Select(t.Context(), plugin.List()[i], in)
	if err != nil || len(s.Labels) != 4 {
		t.Errorf("alone: %d labels, want one a class: %v", len(s.Labels), err)
	}
}
