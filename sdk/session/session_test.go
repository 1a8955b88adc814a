package session_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"unsafe"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/sdktest"
	"github.com/upl-host/upl-host/sdk/session"
)

// guest is a policy made of what a test gives; nil does nothing.
type guest struct {
	host      sdk.Host
	configure func(h sdk.Host) error
	begin     func(h sdk.Host, round int) error
	observe   func(h sdk.Host, first, rows int) error
	end       func(h sdk.Host, round int) (bool, error)
	combine   func(h sdk.Host, first, rows int) error
}

func (g *guest) start(_ context.Context, h sdk.Host) (session.Guest, error) {
	g.host = h
	return g, nil
}

func (g *guest) Configure(context.Context) error {
	if g.configure == nil {
		return nil
	}
	return g.configure(g.host)
}

func (g *guest) BeginRound(_ context.Context, round int) (bool, error) {
	if g.begin == nil {
		return g.observe != nil, nil
	}
	return g.observe != nil, g.begin(g.host, round)
}

func (g *guest) Observe(_ context.Context, first, rows int) error {
	return g.observe(g.host, first, rows)
}

func (g *guest) EndRound(_ context.Context, round int) (bool, error) {
	if g.end == nil {
		return false, nil
	}
	return g.end(g.host, round)
}

func (*guest) Close() {}

func (g *guest) Combine(_ context.Context, first, rows int) error {
	return g.combine(g.host, first, rows)
}

var description = session.Description{
	Name: "p", Kind: sdk.KindSelection, Parameters: []byte(`{"properties": {"k": {"default": 16}, "x": {}, "any": true}}`),
	Needs: session.Needs{Rounds: true, Views: []string{
		"rows", "top_m", "stats", "agree", "column", "gather", "class_top_k", "class_mean", "quantile", "previous", "features",
	}},
}

// draw makes probabilities with ties: of few values, exactly representable sums.
func draw(seed uint64, rows, classes int) sdktest.Matrix {
	r := rand.New(rand.NewPCG(seed, 0))
	p := make([]float32, 0, rows*classes)
	for range rows {
		row := make([]float32, classes)
		for range 8 {
			row[r.IntN(classes)] += 0.125
		}
		p = append(p, row...)
	}
	return sdktest.Matrix{Values: p, C: classes}
}

func input(rows, classes int) session.Input {
	in := session.Input{
		Ensemble: draw(1, rows, classes),
		Models:   []session.Probabilities{draw(2, rows, classes), draw(3, rows, classes)},
		Seed:     7,
	}
	for c := range classes {
		in.ClassNames = append(in.ClassNames, fmt.Sprint(c))
	}
	return in
}

// records decodes what a view gave.
func records[T any](t *testing.T, b []byte) []T {
	t.Helper()
	var zero T
	out := make([]T, len(b)/int(unsafe.Sizeof(zero)))
	if _, err := binary.Decode(b, binary.LittleEndian, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// read gets n records, asking for their size first.
func read(h sdk.Host, handle int32, first, n int) ([]byte, error) {
	size, err := h.ReadView(handle, int64(first), int32(n), nil)
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	again, err := h.ReadView(handle, int64(first), int32(n), b)
	if err == nil && again != size {
		err = fmt.Errorf("%d bytes, and then %d", size, again)
	}
	return b, err
}

// views reads all of these views in one round: batch views row by row in order,
// global ones whole.
func views(t *testing.T, in session.Input, specs []sdk.ViewSpec, global map[int]int) [][]byte {
	t.Helper()
	out := make([][]byte, len(specs))
	g := &guest{
		configure: func(h sdk.Host) error {
			for i, spec := range specs {
				spec.Size = sdk.SizeViewSpec
				if handle, err := h.OpenView(spec); err != nil || int(handle) != i {
					return fmt.Errorf("view %d has handle %d: %w", i, handle, err)
				}
			}
			return nil
		},
		observe: func(h sdk.Host, first, rows int) error {
			for i := range specs {
				if _, isGlobal := global[i]; !isGlobal {
					b, err := read(h, int32(i), first, rows)
					if err != nil {
						return err
					}
					out[i] = append(out[i], b...)
				}
			}
			return nil
		},
		end: func(h sdk.Host, _ int) (bool, error) {
			for i, n := range global {
				b, err := read(h, int32(i), 0, n)
				if err != nil {
					return false, err
				}
				out[i] = b
			}
			return false, nil
		},
	}
	if _, err := session.Select(t.Context(), description, in, g.start); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestViews(t *testing.T) {
	const rows, classes, m = 101, 5, 3
	specs := []sdk.ViewSpec{
		{Kind: sdk.ViewRows, Model: 1},
		{Kind: sdk.ViewTopM, Model: 0, M: m},
		{Kind: sdk.ViewStats, Model: sdk.Ensemble},
		{Kind: sdk.ViewStats, Model: sdk.Ensemble, Flags: sdk.FlagNoEntropy},
		{Kind: sdk.ViewAgree, Model: sdk.Ensemble},
		{Kind: sdk.ViewColumn, Model: 1, Class: 4},
		{Kind: sdk.ViewClassTopK, Model: sdk.Ensemble, M: m},
		{Kind: sdk.ViewClassTopK, Model: 0, M: 2 * rows, Flags: sdk.FlagAll},
		{Kind: sdk.ViewClassMean, Model: sdk.Ensemble},
		{Kind: sdk.ViewClassMean, Model: sdk.Ensemble, Flags: sdk.FlagAll},
		{Kind: sdk.ViewQuantile, Model: sdk.Ensemble, M: 10, Class: sdk.QuantileP},
		{Kind: sdk.ViewQuantile, Model: sdk.Ensemble, M: 4, Class: sdk.QuantileEntropy},
	}
	global := map[int]int{6: classes * m, 7: classes * 2 * rows, 8: classes, 9: 1, 10: 11, 11: 5}
	in := input(rows, classes)
	got := views(t, in, specs, global)
	for _, batch := range []int{1, 7, 256} {
		for _, threads := range []int{1, 8} {
			in.BatchRows, in.Threads = batch, threads
			if again := views(t, in, specs, global); !reflect.DeepEqual(again, got) {
				t.Errorf("batches of %d on %d threads give other bytes", batch, threads)
			}
		}
	}

	ensemble, first, second := plainRows(in.Ensemble), plainRows(in.Models[0]), plainRows(in.Models[1])
	check := func(view int, ok bool, what any) {
		t.Helper()
		if !ok {
			t.Errorf("view %d (%s): wrong at %v", view, specs[view].Kind, what)
		}
	}
	check(0, slices.Equal(records[float32](t, got[0]), in.Models[1].(sdktest.Matrix).Values), "all")
	top, stats, bare := records[sdk.Candidate](t, got[1]), records[sdk.Stats](t, got[2]), records[sdk.Stats](t, got[3])
	agree, column := records[sdk.Candidate](t, got[4]), records[float32](t, got[5])
	for i := range rows {
		for j, c := range byProbability(first[i])[:m] {
			check(1, top[i*m+j] == sdk.Candidate{Class: uint32(c), P: first[i][c]}, i)
		}
		c := byProbability(ensemble[i])[0]
		want := sdk.Stats{Class: uint32(c), P: ensemble[i][c], Margin: margin(ensemble[i], c)}
		check(3, bare[i] == want, i)
		var h float64
		for _, p := range ensemble[i] {
			h -= float64(p) * math.Log(max(float64(p), 0x1p-126))
		}
		check(2, math.Abs(float64(stats[i].Entropy)-h) < 1e-6, i)
		stats[i].Entropy = 0
		check(2, stats[i] == want, i)
		a, b := byProbability(first[i])[0], byProbability(second[i])[0]
		check(4, agree[2*i] == sdk.Candidate{Class: uint32(a), P: first[i][a]} && agree[2*i+1] == sdk.Candidate{Class: uint32(b), P: second[i][b]}, i)
		check(5, column[i] == second[i][4], i)
	}
	for c := range classes {
		all := make([]int, 0, rows)
		var predicted []int
		for i := range rows {
			if all = append(all, i); byProbability(ensemble[i])[0] == c {
				predicted = append(predicted, i)
			}
		}
		check(6, slices.Equal(records[sdk.Ranked](t, got[6])[c*m:(c+1)*m], rank(ensemble, predicted, c, m)), c)
		check(7, slices.Equal(records[sdk.Ranked](t, got[7])[c*2*rows:(c+1)*2*rows], rank(first, all, c, 2*rows)), c)

		sums := records[float64](t, got[8])[c*(1+classes):]
		want := make([]float64, 1+classes)
		for _, i := range predicted {
			want[0]++
			for k, p := range ensemble[i] {
				want[1+k] += float64(p)
			}
		}
		check(8, slices.Equal(sums[:1+classes], want), c)
		check(9, records[float64](t, got[9])[0] == rows, "count")
	}
	confidences := make([]float64, 0, rows)
	for i := range rows {
		confidences = append(confidences, float64(slices.Max(ensemble[i])))
	}
	slices.Sort(confidences)
	quantiles := records[float64](t, got[10])
	check(10, quantiles[0] == confidences[0] && quantiles[5] == confidences[50] && quantiles[10] == confidences[100], quantiles)
}

func TestQuantile(t *testing.T) {
	// Largest probabilities 0.5, 0.625, 0.75, 0.875: an eighth apart.
	p := sdktest.Matrix{C: 2, Values: []float32{0.25, 0.75, 0.5, 0.5, 0.875, 0.125, 0.375, 0.625}}
	in := session.Input{Ensemble: p, Models: []session.Probabilities{p}, ClassNames: []string{"a", "b"}}
	specs := []sdk.ViewSpec{{Kind: sdk.ViewQuantile, Model: sdk.Ensemble, M: 6}, {Kind: sdk.ViewQuantile, Model: 0, M: 2, Class: sdk.QuantileMargin}}
	got := views(t, in, specs, map[int]int{0: 7, 1: 3})
	want := []float64{0.5, 0.5625, 0.625, 0.6875, 0.75, 0.8125, 0.875}
	if q := records[float64](t, got[0]); !slices.Equal(q, want) {
		t.Errorf("%v, not %v", q, want)
	}
	if q := records[float64](t, got[1]); !slices.Equal(q, []float64{0, 0.375, 0.75}) {
		t.Errorf("of margins: %v", q)
	}
	in.Ensemble, in.Models = sdktest.Matrix{C: 2}, []session.Probabilities{sdktest.Matrix{C: 2}}
	if q := records[float64](t, views(t, in, specs, map[int]int{0: 7, 1: 3})[0]); !math.IsNaN(q[0]) || !math.IsNaN(q[6]) {
		t.Errorf("of no rows: %v", q)
	}
}

func plainRows(p session.Probabilities) [][]float32 {
	m := p.(sdktest.Matrix)
	return slices.Collect(slices.Chunk(m.Values, m.C))
}

func byProbability(row []float32) []int {
	classes := make([]int, len(row))
	for c := range classes {
		classes[c] = c
	}
	slices.SortStableFunc(classes, func(a, b int) int { return cmp.Compare(row[b], row[a]) })
	return classes
}

func margin(row []float32, c int) float32 {
	others := slices.Delete(slices.Clone(row), c, c+1)
	return row[c] - slices.Max(others)
}

func rank(p [][]float32, rows []int, c, m int) []sdk.Ranked {
	slices.SortStableFunc(rows, func(a, b int) int {
		return cmp.Or(cmp.Compare(p[b][c], p[a][c]), cmp.Compare(margin(p[b], c), margin(p[a], c)))
	})
	out := slices.Repeat([]sdk.Ranked{{Row: sdk.NoRow}}, m)
	for i, row := range rows[:min(m, len(rows))] {
		out[i] = sdk.Ranked{Row: uint64(row), P: p[row][c]}
	}
	return out
}

func label(row uint64, class uint32) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, sdk.Label{Row: row, Class: class, Weight: 1})
	if err != nil {
		panic(err)
	}
	return b
}

func TestConfig(t *testing.T) {
	in := input(2, 3)
	in.Params = []byte(`{"x": 1.50}`)
	in.LogitScales = []float64{100, 55}
	g := &guest{configure: func(h sdk.Host) error {
		got, err := h.Config()
		want := `{"dataset":{"class_names":["0","1","2"],"logit_scales":[100,55],"model_names":["",""]},"params":{"k":16,"x":1.50},"policy":"p"}`
		if err != nil || string(got) != want {
			return fmt.Errorf("%s, not %s: %w", got, want, err)
		}
		return nil
	}}
	if _, err := session.Select(t.Context(), description, in, g.start); err != nil {
		t.Error(err)
	}
}

func BenchmarkClassTopK(b *testing.B) {
	const rows, classes = 20_000, 1000
	in := input(1, classes)
	in.Ensemble = draw(1, rows, classes)
	in.Models = []session.Probabilities{in.Ensemble}
	b.SetBytes(rows * classes * 4)
	for b.Loop() {
		g := &guest{configure: func(h sdk.Host) error {
			_, err := h.OpenView(sdk.ViewSpec{Size: sdk.SizeViewSpec, Kind: sdk.ViewClassTopK, Model: sdk.Ensemble, M: 16})
			return err
		}}
		if _, err := session.Select(b.Context(), description, in, g.start); err != nil {
			b.Fatal(err)
		}
	}
}
