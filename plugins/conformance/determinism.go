package conformance

import (
	"context"
	"reflect"

	"github.com/upl-host/upl-host/plugins"
)

// again runs the ordinary data once more, changed.
func (s *subject) again(ctx context.Context, change func(*plugins.Input)) outcome {
	in := s.input(ordinary(ordinaryRows, ordinaryClasses, ordinaryModels))
	change(&in)
	return s.run(ctx, in)
}

// repeats runs the same twice: results, metrics, and a module's log. What a program
// prints reaches the host when it may.
func repeats(ctx context.Context, s *subject) verdict {
	o := s.again(ctx, func(*plugins.Input) {})
	const advice = "take random numbers from the host's Random; read no clock; sort what comes out of a hash map"
	if d := difference(s.plain, &o); d != "" {
		return fail(advice, "the same run twice: %s", d)
	}
	if s.Runtime != plugins.RuntimeWASM {
		return pass("results and metrics")
	}
	if !reflect.DeepEqual(s.plain.record.Log, o.record.Log) {
		return fail(advice, "the same run twice: the log differs")
	}
	return pass("results, metrics and log")
}

// ignoresHashOrder gives a sandbox's own randomness another seed. Maps are ordered
// by it in many languages, and what a subprocess draws there is different each time.
func ignoresHashOrder(ctx context.Context, s *subject) verdict {
	in := s.input(ordinary(ordinaryRows, ordinaryClasses, ordinaryModels))
	o := s.runWithWASISeed(ctx, in, in.Seed+1)
	if d := difference(s.plain, &o); d != "" {
		return fail("sort the keys of a hash map before its order shows; take random numbers from the host's Random, not from the language's library",
			"with the same seed, and hash maps in another order: %s", d)
	}
	if s.Runtime != plugins.RuntimeWASM {
		return pass("as far as two runs tell")
	}
	return pass("the same under another seed of the language's own randomness")
}

func ignoresThreads(ctx context.Context, s *subject) verdict {
	for _, threads := range []int{1, 8} {
		o := s.again(ctx, func(in *plugins.Input) { in.Threads = threads })
		if d := difference(s.plain, &o); d != "" {
			return fail("keep nothing of a view's buffer beyond the call; copy what is needed later", "with %d threads: %s", threads, d)
		}
	}
	return pass("results and metrics")
}

// ignoresBatches compares results and metrics; a log may well have a line a batch.
func ignoresBatches(ctx context.Context, s *subject) verdict {
	for _, rows := range []int{1, 7, 256} {
		o := s.again(ctx, func(in *plugins.Input) { in.BatchRows = rows })
		if d := difference(s.plain, &o); d != "" {
			return fail("decide in EndRound what depends on several rows; add up in the order of rows, in float64; carry state from batch to batch",
				"in batches of %d rows: %s", rows, d)
		}
	}
	return pass("results and metrics; logs are not compared")
}

// anotherSeed may change the result; the run has to end all the same.
func anotherSeed(ctx context.Context, s *subject) verdict {
	o := s.again(ctx, func(in *plugins.Input) { in.Seed++ })
	switch {
	case o.err != nil:
		return o.failed("with seed 2")
	case difference(s.plain, &o) == "":
		return pass("gives the same result")
	case o.seen.drew:
		return pass("gives another result: it draws random numbers")
	}
	return pass("gives another result: it makes something of the seed")
}
