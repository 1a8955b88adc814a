package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/sdktest"
	"github.com/upl-host/upl-host/sdk/session"
)

// rule is an ensemble as one would write it without any care for speed: what becomes
// of one row of each model.
type rule func(rows [][]float64) []float64

// weightedMean is the mean of rows by weights that are found for each.
func weightedMean(weight func(m int, row []float64) float64) rule {
	return func(rows [][]float64) []float64 {
		out, total := make([]float64, len(rows[0])), 0.0
		for m, row := range rows {
			w := weight(m, row)
			total += w
			for c, p := range row {
				out[c] += w * p
			}
		}
		for c := range out {
			out[c] /= total
		}
		return out
	}
}

// logMeanOf sums logarithms.
func logMeanOf(weights []float64) rule {
	return func(rows [][]float64) []float64 {
		out, total := make([]float64, len(rows[0])), 0.0
		for c := range out {
			for m, row := range rows {
				out[c] += weights[m] * math.Log(max(row[c], 0x1p-126))
			}
		}
		largest := slices.Max(out)
		for c := range out {
			out[c] = math.Exp(out[c] - largest)
			total += out[c]
		}
		for c := range out {
			out[c] /= total
		}
		return out
	}
}

// voteOf counts hands: classes in their order, so that the lowest of equals wins.
func voteOf(onehot bool) rule {
	return func(rows [][]float64) []float64 {
		votes, confidence := make([]int, len(rows[0])), make([]float32, len(rows[0]))
		for _, row := range rows {
			votes[slices.Index(row, slices.Max(row))]++
		}
		winner := -1
		for c := range votes {
			var sum float64
			for _, row := range rows {
				sum += row[c]
			}
			confidence[c] = float32(sum / float64(len(rows)))
			if winner < 0 || votes[c] > votes[winner] || votes[c] == votes[winner] && confidence[c] > confidence[winner] {
				winner = c
			}
		}
		if onehot {
			out := make([]float64, len(votes))
			out[winner] = 1
			return out
		}
		return weightedMean(func(_ int, row []float64) float64 {
			if slices.Index(row, slices.Max(row)) == winner {
				return 1
			}
			return 0
		})(rows)
	}
}

// entropyOf is in nats, in float32, as views have it.
func entropyOf(row []float64) float64 {
	var h float64
	for _, p := range row {
		h -= p * math.Log(max(p, 0x1p-126))
	}
	return float64(float32(h))
}

// drawRule draws a policy with its parameters, and what it should do.
func drawRule(t *rapid.T, models int) (name, params string, want rule) {
	weights := make([]float64, models)
	for m := range weights {
		weights[m] = rapid.SampledFrom([]float64{0, 0.25, 1, 4.5}).Draw(t, "weight")
	}
	if slices.Max(weights) == 0 {
		weights[models-1] = 1
	}
	list, err := json.Marshal(weights)
	if err != nil {
		t.Fatal(err)
	}
	fixed := func(m int, _ []float64) float64 { return weights[m] }
	alike := slices.Repeat([]float64{1 / float64(models)}, models)
	switch rapid.IntRange(0, 9).Draw(t, "rule") {
	case 0:
		return "mean", `{}`, weightedMean(func(int, []float64) float64 { return 1 })
	case 1:
		return "weighted", `{}`, weightedMean(func(int, []float64) float64 { return 1 })
	case 2:
		return "weighted", `{"weights": ` + string(list) + `}`, weightedMean(fixed)
	case 3:
		return "weighted", `{"by": "max"}`, weightedMean(func(_ int, row []float64) float64 { return slices.Max(row) })
	case 4:
		temperature := rapid.SampledFrom([]float64{0.1, 1, 20}).Draw(t, "temperature")
		return "weighted", fmt.Sprintf(`{"by": "entropy", "temperature": %v}`, temperature),
			weightedMean(func(_ int, row []float64) float64 { return math.Exp(-entropyOf(row) / temperature) })
	case 5:
		return "log-mean", `{}`, logMeanOf(alike)
	case 6:
		return "log-mean", `{"weights": ` + string(list) + `}`, logMeanOf(weights)
	case 7:
		return "vote", `{"output": "onehot"}`, voteOf(true)
	case 8:
		model := rapid.IntRange(0, models-1).Draw(t, "model")
		return "single", fmt.Sprintf(`{"model": %d}`, model), func(rows [][]float64) []float64 { return rows[model] }
	}
	return "vote", `{}`, voteOf(false)
}

// TestEnsemblesAgainstReference draws few distinct values, so that ties are common,
// in any batches and threads.
func TestEnsemblesAgainstReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes, rows := rapid.IntRange(1, 6).Draw(t, "classes"), rapid.IntRange(0, 30).Draw(t, "rows")
		models := make([][]float32, rapid.SampledFrom([]int{1, 2, 3, 4, 12}).Draw(t, "models"))
		for m := range models {
			models[m] = probabilities(t, rows, classes)
		}
		name, params, want := drawRule(t, len(models))
		in := input(classes, nil, models...)
		in.Params = json.RawMessage(params)
		in.BatchRows = rapid.SampledFrom([]int{0, 1, 7}).Draw(t, "batch")
		in.Threads = rapid.IntRange(1, 4).Draw(t, "threads")

		got := combineBoth(t, name, in)
		for i := range rows {
			of := make([][]float64, len(models))
			for m, values := range models {
				for _, p := range values[i*classes:][:classes] {
					of[m] = append(of[m], float64(p))
				}
			}
			for c, p := range want(of) {
				if math.Abs(float64(got[i*classes+c])-p) > 1e-6 {
					t.Fatalf("%s %s: row %d is %v, not %v, of %v", name, params, i, got[i*classes:][:classes], want(of), of)
				}
			}
		}
	})
}

// combineBoth runs an ensemble natively, in a host that does not make means, and as
// WASM: the same bytes.
func combineBoth(t *rapid.T, name string, in plugins.Input) []float32 {
	policy := policyNamed(name)
	native, _, err := sdktest.Combine(context.Background(), policy, in)
	if err != nil {
		t.Fatal(err)
	}
	module, err := catalogue.Find(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	description, err := sdktest.Describe(policy)
	if err != nil {
		t.Fatal(err)
	}
	var wasm, plain []float32
	_, wasmErr := module.Combine(context.Background(), in, func(_ int, rows []float32) error {
		wasm = append(wasm, rows...)
		return nil
	})
	_, plainErr := session.Combine(context.Background(), description, in, func(_ int, rows []float32) error {
		plain = append(plain, rows...)
		return nil
	}, withoutMeans(policy))
	if err := errors.Join(wasmErr, plainErr); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(native, wasm) || !slices.Equal(native, plain) {
		t.Fatalf("%s %s: native %v, WASM %v, without means %v", name, in.Params, native, wasm, plain)
	}
	return native
}

// withoutMeans starts a policy in a host that makes no means of views.
func withoutMeans(policy sdk.Policy) session.Start {
	return func(ctx context.Context, host sdk.Host) (session.Guest, error) {
		return session.InProcess(policy)(ctx, plainHost{host})
	}
}

type plainHost struct{ sdk.Host }

func (h plainHost) Dataset() (sdk.Dataset, error) {
	d, err := h.Host.Dataset()
	d.Flags &^= sdk.TakesMeans
	return d, err
}

func (h plainHost) Emit(kind sdk.EmitKind, records []byte) error {
	if kind == sdk.EmitMean {
		return errors.New("a mean, for a host that makes none")
	}
	return h.Host.Emit(kind, records)
}

// TestAlign has columns whose means are a prior's from the first, which stay, and
// rows of which nothing would be left.
func TestAlign(t *testing.T) {
	even := []float32{0.75, 0.25, 0.25, 0.75}
	for _, test := range []struct {
		name, params string
		prior        []float64
		model        []float32
		want         []float32
	}{
		{"as the prior says", `{}`, nil, even, even},
		{"twice as many", `{"prior": "given"}`, []float64{30, 10}, even, []float32{0.9, 0.1, 0.5, 0.5}},
		{"none of a class", `{"prior": "given"}`, []float64{1, 0}, []float32{0.5, 0.5, 0, 1}, []float32{1, 0, 0, 1}},
		{"a class that nothing is", `{}`, nil, []float32{1, 0, 1, 0}, []float32{1, 0, 1, 0}},
		{"a model by name", `{"model": "second"}`, nil, even, []float32{1, 0, 1, 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := input(2, nil, test.model, test.model)
			if strings.Contains(test.params, "second") {
				in = input(2, nil, test.model, test.want)
			}
			in.ModelNames, in.Params, in.Prior = []string{"first", "second"}, json.RawMessage(test.params), test.prior
			for _, batch := range []int{0, 1} {
				in.BatchRows = batch
				got, _, err := bothCombined(t, "align", in)
				near := func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-6 }
				if err != nil || !slices.EqualFunc(got, test.want, near) {
					t.Errorf("%v, not %v: %v", got, test.want, err)
				}
			}
		})
	}
}

// TestWeightedByEntropyCold has entropies whose exponentials all underflow at the
// temperature: the surest model rules alone.
func TestWeightedByEntropyCold(t *testing.T) {
	sure, unsure := []float32{0.75, 0.25}, []float32{0.5, 0.5}
	in := input(2, nil, unsure, sure)
	in.Params = json.RawMessage(`{"by": "entropy", "temperature": 1e-4}`)
	if got, _, err := bothCombined(t, "weighted", in); err != nil || !slices.Equal(got, sure) {
		t.Errorf("%v, not %v: %v", got, sure, err)
	}
}

// TestLogMeanFloor has models that contradict one another, with all they have: how
// much a probability of 0 counts is then all that decides, also at temperatures that
// make it less than any float32 is.
func TestLogMeanFloor(t *testing.T) {
	first := []float32{1, 0, 0, 0.5, 0.25, 0.25, 0.75, 0.125, 0.125}
	second := []float32{0, 1, 0, 0.375, 0.3125, 0.3125, 0.5, 0.25, 0.25}
	in := input(3, nil, first, second)
	in.Params = json.RawMessage(`{"calibrate": 0.7, "weights": [1.4, 1]}`)
	got, record, err := bothCombined(t, "log-mean", in)
	if err != nil || len(record.Metrics) != 2 {
		t.Fatalf("%v, %v", record.Metrics, err)
	}
	of := make([][]float64, 2)
	for m, p := range [][]float32{first, second} {
		var total float64
		for _, p := range p[:3] {
			of[m] = append(of[m], math.Pow(max(float64(p), 0x1p-126), 1/record.Metrics[m].Value))
			total += of[m][len(of[m])-1]
		}
		for c := range of[m] {
			of[m][c] /= total
		}
	}
	if sharp := min(record.Metrics[0].Value, record.Metrics[1].Value); sharp > 0.8 {
		t.Fatalf("temperatures %v: none makes 0 less than it is", record.Metrics)
	}
	for c, p := range logMeanOf([]float64{1.4, 1})(of) {
		if math.Abs(float64(got[c])-p) > 1e-6 {
			t.Errorf("class %d: %v, not %v", c, got[c], p)
		}
	}
}

func TestEnsemblesUnusable(t *testing.T) {
	p := []float32{0.5, 0.5, 1, 0}
	in := input(2, nil, p, p)
	in.ModelNames = []string{"vit", "rn50"}
	for _, test := range [][3]string{
		{"weighted", `{"weights": [1]}`, "policy weighted: parameter weights: has 1 numbers, and there are 2 models"},
		{"weighted", `{"weights": [0, 0]}`, "policy weighted: parameter weights: all are 0: at least one model has to count"},
		{"weighted", `{"weights": [1, -1]}`, "policy weighted: parameter weights"},
		{"weighted", `{"weights": [1, 2], "by": "max"}`, "policy weighted: parameter weights: are those of by: fixed; by: max finds its own"},
		{"weighted", `{"by": "entropy", "temperature": 0}`, "policy weighted: parameter temperature"},
		{"weighted", `{"by": "margin"}`, "policy weighted: parameter by"},
		{"log-mean", `{"weights": [1, 2, 3]}`, "policy log-mean: parameter weights: has 3 numbers, and there are 2 models"},
		{"vote", `{"output": "soft"}`, "policy vote: parameter output"},
		{"vote", `{"calibrate": 2}`, "policy vote: parameter calibrate"},
		{"align", `{"prior": "given"}`, `policy align: parameter prior: is "given", and none is: set label.prior in the configuration, or --prior on the command line`},
		{"align", `{"model": 2}`, "policy align: parameter model: is 2, and there are models 0 to 1"},
		{"align", `{"model": "rn"}`, `policy align: parameter model: "rn" is none of vit, rn50`},
		{"align", `{"calibrate": "mean"}`, "policy align: parameter calibrate: unknown; there are model, prior"},
	} {
		policy, err := catalogue.Find(t.Context(), test[0])
		if err != nil {
			t.Fatal(err)
		}
		in.Params = json.RawMessage(test[1])
		_, err = policy.Combine(t.Context(), in, func(int, []float32) error { return nil })
		var parameter *plugins.ParameterError
		if err == nil || !strings.HasPrefix(err.Error(), test[2]) || !errors.As(err, &parameter) {
			t.Errorf("%s %s: %v", test[0], test[1], err)
		}
	}
}
