// Package host is the run: a configuration goes in, a chain of stages works in a
// run folder, and a classifier with its report comes out. Each stage has a
// package of its own, named so that the listing reads as the way of a run:
// dataset, encode, label, learn, evaluate, report. This one joins them: which
// stage comes when, what is already done, what is recorded.
package host
