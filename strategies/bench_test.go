package main

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/sdktest"
)

// What a rule may take for 100,000 x 1000 probabilities, on two cores.
const (
	mostTime   = 30 * time.Second
	mostMemory = 1 << 30
)

// BenchmarkStrategies runs each rule over 100,000 x 1000 probabilities, as WASM, as it
// ships: what docs/strategies.md states. Rules that take several models get three. It
// fails where a rule takes too long or too much memory: run it with -benchtime 1x.
func BenchmarkStrategies(b *testing.B) {
	const rows, classes = 100_000, 1000
	var models []plugins.Probabilities
	names := make([]string, classes)
	for seed := range uint64(3) {
		models = append(models, repeated{drawn(1<<12, classes, seed), rows})
	}
	for _, c := range []struct{ name, policy, params string }{
		{"top-k", "top-k", `{}`},
		{"top-k-column", "top-k-column", `{}`},
		{"top-k-column-refine", "top-k-column", `{"refine": true}`},
		{"threshold", "threshold", `{}`},
		{"flexmatch", "flexmatch", `{}`},
		{"leaderboard", "leaderboard", `{}`},
		{"leaderboard-all-stable", "leaderboard", `{"round": 10, "mode": "stable"}`},
		{"sinkhorn", "sinkhorn", `{}`},
		{"sinkhorn-soft", "sinkhorn", `{"output": "soft"}`},
		{"sinkhorn-sharp", "sinkhorn", `{"epsilon": 0.04}`},
		{"sinkhorn-odd", "sinkhorn", `{"epsilon": 0.3}`},
		{"prior-corrected", "prior-corrected", `{}`},
		{"candidates", "candidates", `{}`},
		{"agreement", "agreement", `{}`},
		{"mean", "mean", `{}`},
		{"mean-calibrated", "mean", `{"calibrate": "mean"}`},
		{"log-mean", "log-mean", `{}`},
		{"weighted-fixed", "weighted", `{"weights": [3, 2, 1]}`},
		{"weighted-entropy", "weighted", `{"by": "entropy"}`},
		{"weighted-max", "weighted", `{"by": "max"}`},
		{"vote", "vote", `{}`},
		{"single", "single", `{"model": 1}`},
		{"align", "align", `{}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			in := plugins.Input{
				Ensemble: models[0], Models: models, ClassNames: names, Params: json.RawMessage(c.params),
				Takes: []sdk.EmitKind{sdk.EmitSoft, sdk.EmitCandidates},
			}
			peak, before := watch(b), processorTime(b)
			for b.Loop() {
				runShipped(b, c.policy, in)
			}
			memory := peak()
			b.ReportMetric((processorTime(b)-before).Seconds()/float64(b.N), "processor-s/op")
			b.ReportMetric(float64(memory)/(1<<20), "MiB-anonymous")
			if each := b.Elapsed() / time.Duration(b.N); each > mostTime || memory > mostMemory {
				b.Errorf("%v (%v of processors) and %d bytes: more than %v or %d", each, processorTime(b)-before, memory, mostTime, mostMemory)
			}
		})
	}
}

// processorTime is what this process has taken of all cores: of use where others work,
// too.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// runShipped runs the module's policy.
func runShipped(b *testing.B, name string, in plugins.Input) {
	b.Helper()
	policy, err := catalogue.Find(b.Context(), name)
	if err != nil {
		b.Fatal(err)
	}
	if policy.Kind == sdk.KindEnsemble {
		in.Ensemble = nil
		_, err = policy.Combine(b.Context(), in, func(int, []float32) error { return nil })
	} else {
		_, err = policy.Select(b.Context(), in)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// drawn are rows such as a model gives: softmax of similarities that vary with the
// picture, with a class that stands out more or less, and classes that it favours.
func drawn(rows, classes int, seed uint64) sdktest.Matrix {
	random := rand.New(rand.NewPCG(seed, 0))
	bias := make([]float64, classes)
	for c := range bias {
		bias[c] = random.NormFloat64()
	}
	p := sdktest.Matrix{Values: make([]float32, rows*classes), C: classes}
	x := make([]float64, classes)
	for i := range rows {
		for c := range x {
			x[c] = 1.5*random.NormFloat64() + bias[c]
		}
		x[i*7%classes] += 6 + 4*random.NormFloat64()
		var sum float64
		for c := range x {
			x[c] = math.Exp(x[c])
			sum += x[c]
		}
		for c := range x {
			p.Values[i*classes+c] = float32(x[c] / sum)
		}
	}
	return p
}

// repeated is a large matrix of which only a block is in memory.
type repeated struct {
	sdktest.Matrix
	rows int
}

func (r repeated) Rows() int { return r.rows }

func (r repeated) Read(first, n int, dst []float32) error {
	for at := 0; at < n; {
		from := (first + at) % r.Matrix.Rows()
		take := min(n-at, r.Matrix.Rows()-from)
		if err := r.Matrix.Read(from, take, dst[at*r.C:(at+take)*r.C]); err != nil {
			return err
		}
		at += take
	}
	return nil
}

// BenchmarkSandbox runs selections natively and as WASM: what the sandbox costs, over
// 100,000 rows of 1000 classes.
func BenchmarkSandbox(b *testing.B) {
	const rows, block, classes = 100_000, 1 << 12, 1000
	p := repeated{confident(block, classes), rows}
	in := plugins.Input{Ensemble: p, Models: []plugins.Probabilities{p}, ClassNames: make([]string, classes)}
	for _, name := range []string{"top-k", "threshold"} {
		b.Run(name+"/native", func(b *testing.B) {
			b.SetBytes(rows * classes * 4)
			for b.Loop() {
				if _, err := sdktest.Select(b.Context(), policyNamed(name), in); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/wasm", func(b *testing.B) {
			b.SetBytes(rows * classes * 4)
			for b.Loop() {
				runShipped(b, name, in)
			}
		})
	}
}
