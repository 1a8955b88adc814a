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
	"github.com/upl-host/upl-host/strategies/selection/threshold"
	"github.com/upl-host/upl-host/strategies/selection/topk"
)

var plugin = serve.Policies(
	topk.Policy,
	threshold.Policy,
	mean.Policy,
	logmean.Policy,
	weighted.Policy,
	vote.Policy,
	single.Policy,
	align.Policy,
)

func main() { plugin.Main() }
