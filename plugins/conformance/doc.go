// Package conformance is a test kit for plugins: it runs each policy of one on
// made-up data, whatever carrier it came on, and says which promises of the
// contract (docs/plugin-abi.md) it breaks, why, and what to do about it.
//
// [Test] gives a [Report]. The list of what is tried is [checks], in checks.go; the
// data are in fixture.go. A check ends within [Options.Timeout], whatever the plugin
// does; what a sandbox has to hold against hostile code is not tested here.
package conformance
