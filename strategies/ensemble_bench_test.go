package main

import (
	"encoding/json"
	"testing"

	"github.com/upl-host/upl-host/plugins"
)

// BenchmarkEnsemble combines 3 models of 100,000 x 1000 by each rule, as WASM: what
// docs/strategies.md states. Run it with -benchtime 1x.
func BenchmarkEnsemble(b *testing.B) {
	const rows, block, classes, models = 100_000, 1 << 12, 1000, 3
	in := plugins.Input{ClassNames: make([]string, classes)}
	for m := range models {
		// Each begins at another row, so that they differ.
		p := confident(block, classes)
		shift := m * block / models * classes
		p.Values = append(p.Values[shift:len(p.Values):len(p.Values)], p.Values[:shift]...)
		in.Models = append(in.Models, repeated{p, rows})
	}
	for _, c := range []struct{ name, policy, params string }{
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
		policy, err := catalogue.Find(b.Context(), c.policy)
		if err != nil {
			b.Fatal(err)
		}
		in.Params = json.RawMessage(c.params)
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(models * rows * classes * 4)
			peak := watch(b)
			for b.Loop() {
				if _, err := policy.Combine(b.Context(), in, func(int, []float32) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(peak())/(1<<10), "MiB-anonymous")
		})
	}
}
