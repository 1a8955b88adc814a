package main

import (
	"context"

	"github.com/upl-host/upl-host/host/report/figure"
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/strategies/ensemble/align"
	"github.com/upl-host/upl-host/strategies/ensemble/logmean"
	"github.com/upl-host/upl-host/strategies/ensemble/mean"
	"github.com/upl-host/upl-host/strategies/ensemble/single"
	"github.com/upl-host/upl-host/strategies/ensemble/vote"
	"github.com/upl-host/upl-host/strategies/ensemble/weighted"
	"github.com/upl-host/upl-host/strategies/selection/agreement"
	"github.com/upl-host/upl-host/strategies/selection/candidates"
	"github.com/upl-host/upl-host/strategies/selection/flexmatch"
	"github.com/upl-host/upl-host/strategies/selection/leaderboard"
	"github.com/upl-host/upl-host/strategies/selection/priorcorrected"
	"github.com/upl-host/upl-host/strategies/selection/sinkhorn"
	"github.com/upl-host/upl-host/strategies/selection/threshold"
	"github.com/upl-host/upl-host/strategies/selection/topk"
	"github.com/upl-host/upl-host/strategies/selection/topkcolumn"
)

// exhibit is a policy to be shown.
type exhibit struct {
	policy sdk.Policy
	// params, of which the picture shows the first and the tables all.
	params []string
}

// exhibits are the policies that ship, in the order of their manifest.
func exhibits() []exhibit {
	return []exhibit{
		{topk.Policy, []string{`{}`, `{"k": 0}`}},
		{topkcolumn.Policy, []string{`{}`, `{"refine": true}`}},
		{threshold.Policy, []string{`{}`, `{"t": 0.7, "cap": 16}`}},
		{flexmatch.Policy, []string{`{"warmup": false}`, `{}`, `{"warmup": false, "cap": 16}`}},
		{leaderboard.Policy, []string{`{"k": 16}`, `{"k": 16, "mode": "stable"}`}},
		{sinkhorn.Policy, []string{`{}`, `{"prior": "power", "gamma": 0.5}`}},
		{priorcorrected.Policy, []string{`{}`}},
		{candidates.Policy, []string{`{}`}},
		{agreement.Policy, []string{`{}`, `{"quorum": 2}`}},
		{mean.Policy, []string{`{}`, `{"calibrate": "mean"}`}},
		{logmean.Policy, []string{`{}`, `{"calibrate": "mean"}`, `{"weights": [1, 1, 1]}`}},
		{weighted.Policy, []string{`{"by": "entropy"}`, `{"by": "entropy", "temperature": 0.1}`, `{"by": "max"}`, `{"weights": [1, 1, 3]}`}},
		{vote.Policy, []string{`{}`, `{"output": "onehot"}`}},
		{single.Policy, []string{`{}`, `{"model": 2}`}},
		{align.Policy, []string{`{}`, `{"model": 2}`}},
	}
}

// show draws the exhibit, and adds its rows to the table of its kind.
func (e exhibit) show(ctx context.Context, d *data, picks, combinations *table) (shown figure.Figure, err error) {
	for i, params := range e.params {
		var drawn figure.Figure
		if e.policy.Kind() == sdk.KindSelection {
			drawn, err = e.selection(ctx, d, params, picks)
		} else {
			drawn, err = e.ensemble(ctx, d, params, combinations)
		}
		if err != nil {
			return shown, err
		}
		if i == 0 {
			shown = drawn
		}
	}
	return shown, nil
}

// title names the policy, with the parameters that are not its defaults.
func (e exhibit) title(params string) string {
	if params == "{}" {
		return e.policy.Name + ": " + e.policy.Summary
	}
	return e.policy.Name + " " + params + ": " + e.policy.Summary
}
