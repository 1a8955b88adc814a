package main

import (
	"context"
	"encoding/json"
	"slices"
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
				want, wantLearnt = once(`{"round": 3}`), rounds-1
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
