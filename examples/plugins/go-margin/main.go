// Command margin is a plugin for upl-host with one policy, top-k-margin.
package main

import "github.com/upl-host/upl-host/sdk/serve"

var plugin = serve.Policies(policy)

func main() { plugin.Main() }
