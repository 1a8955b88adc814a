// Command strategies is the plugin of the policies that ship with upl-host. It
// is built as a WASM module and loaded as anyone's:
//
//	GOOS=wasip1 GOARCH=wasm go build -trimpath -buildmode=c-shared -o strategies.wasm ./strategies
package main

import (
	"github.com/upl-host/upl-host/sdk/serve"

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

var plugin = serve.Policies(
	topk.Policy,
	topkcolumn.Policy,
	threshold.Policy,
	flexmatch.Policy,
	leaderboard.Policy,
	sinkhorn.Policy,
	priorcorrected.Policy,
	candidates.Policy,
	agreement.Policy,
	mean.Policy,
	logmean.Policy,
	weighted.Policy,
	vote.Policy,
	single.Policy,
	align.Policy,
)

func main() { plugin.Main() }
