// Package sdk is the contract between upl-host and the authors of its policies.
//
// A policy decides either which pictures get which pseudo labels ([Selection]),
// or how the probabilities of several models become one matrix ([Combiner]).
// It is a Go type; a [Policy] value gives it its name, its parameters and the
// views it needs. A plugin is a main package with one visible list:
//
//	var plugin = serve.Policies(topk.Policy, threshold.Policy)
//
//	func main() { plugin.Main() }
//
// built as a WASM module by
//
//	GOOS=wasip1 GOARCH=wasm go build -trimpath -buildmode=c-shared -o my.wasm .
//
// or as a program by go build, with an upl-plugin.yaml beside it. The same types
// run inside a test of their author's, by package sdktest. All three give the same
// bytes.
//
// # How a policy sees the data
//
// N pictures, C classes, M models: a row of C probabilities a picture and model.
// A policy never loops over full rows if it can help it: it opens views in
// Configure (or BeginRound), and the host computes their records natively. A
// batch view has one record a row, readable in Observe and Combine for the rows
// of the current batch; a global view is complete, and readable, in EndRound.
// Labels of pictures, where a data set has them, never reach a policy.
//
// # Order of calls
//
// Configure; then for each round BeginRound, Observe for every batch of rows in
// ascending order, EndRound; an ensemble's Combine then for every batch. The
// optional ones are interfaces of their own: [RoundBeginner], [Observer],
// [RoundEnder].
//
// # Size and speed of a module
//
// This package does without fmt and encoding/json, which would add a megabyte to
// each module and half its loading time; a policy may import them all the same.
// A module's code is checked at every loop iteration so that it can be stopped:
// about a nanosecond each.
//
// abi.go holds the whole binary interface: constants, records, errors.
package sdk
