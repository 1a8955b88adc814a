// Command plugin is the plugin of the witnesses.
package main

import (
	"github.com/upl-host/upl-host/plugins/internal/witness"
	"github.com/upl-host/upl-host/sdk/serve"
)

var plugin = serve.Policies(witness.Policies...)

func main() { plugin.Main() }
