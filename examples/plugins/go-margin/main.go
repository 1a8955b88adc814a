// Command margin is a plugin for upl-host with one policy, top-k-margin.
package main

import "github.com/upl-host/upl-host/sdk"

var plugin = sdk.Serve(policy)

func main() { plugin.Main() }
