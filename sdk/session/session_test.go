package session_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
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

func (g *guest) BeginRound(_ context.Context, round int) error {
	if g.begin == nil {
		return nil
	}
	return g.begin(g.host, round)
}

func (g *guest) Observes() bool { return g.observe != nil }

func (g *guest) Observe(_ context.Context, first, rows int) error {
	return g.observe(g.host, first, rows)
}

func (g *guest) EndRound(_ context.Context, round int) (bool, error) {
	if g.end == nil {
		return false, nil
	}
	return g.end(g.host, round)
}

func (g *guest) Combine(_ context.Context, first, rows int) error {
	return g.combine(g.host, first, rows)
}

var description = session.Description{
	Name: "p", Kind: sdk.KindSelection, Parameters: []byte(`{"properties": {"k": {"default": 16}, "x": {}, "any": true}}`),
	Needs: session.Needs{Rounds: true, Views: []string{
		"rows", "top_m", "stats", "agree", "column", "gather", "class_top_k", "class_mean", "quantile", "previous",
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

// TestViewsOfARound opens a view in each round: it is gone in the next.
func TestViewsOfARound(t *testing.T) {
	open := func(h sdk.Host) (int32, error) {
		return h.OpenView(sdk.ViewSpec{Size: sdk.SizeViewSpec, Kind: sdk.ViewClassMean, Model: sdk.Ensemble})
	}
	g := &guest{
		configure: func(h sdk.Host) error { _, err := open(h); return err },
		begin: func(h sdk.Host, round int) error {
			if handle, err := open(h); handle != 1 || err != nil {
				return fmt.Errorf("handle %d: %w", handle, err)
			}
			return nil
		},
		end: func(h sdk.Host, round int) (bool, error) {
			a, err1 := read(h, 0, 0, 3)
			b, err2 := read(h, 1, 0, 3)
			if !slices.Equal(a, b) {
				return false, errors.New("two views of the same differ")
			}
			return round < 2, errors.Join(err1, err2)
		},
	}
	if _, err := session.Select(t.Context(), description, input(20, 3), g.start); err != nil {
		t.Error(err)
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

// TestRefusals asks for what the contract does not give, at every point of a run.
func TestRefusals(t *testing.T) {
	open := func(change func(*sdk.ViewSpec)) func(h sdk.Host) error {
		return func(h sdk.Host) error {
			spec := sdk.ViewSpec{Size: sdk.SizeViewSpec, Kind: sdk.ViewStats, Model: sdk.Ensemble}
			change(&spec)
			_, err := h.OpenView(spec)
			return err
		}
	}
	configuring := map[string]struct {
		want sdk.Code
		ask  func(sdk.Host) error
	}{
		"short specification": {sdk.CodeInvalid, open(func(s *sdk.ViewSpec) { s.Size = 8 })},
		"reserved field":      {sdk.CodeInvalid, open(func(s *sdk.ViewSpec) { s.Reserved[2] = 1 })},
		"flag":                {sdk.CodeInvalid, open(func(s *sdk.ViewSpec) { s.Flags = 64 })},
		"model":               {sdk.CodeRange, open(func(s *sdk.ViewSpec) { s.Model = 2 })},
		"model below":         {sdk.CodeRange, open(func(s *sdk.ViewSpec) { s.Model = -2 })},
		"unknown view":        {sdk.CodeNotSupported, open(func(s *sdk.ViewSpec) { s.Kind = 12 })},
		"later view":          {sdk.CodeNotSupported, open(func(s *sdk.ViewSpec) { s.Kind = sdk.ViewGather })},
		"undeclared view":     {sdk.CodeDenied, open(func(s *sdk.ViewSpec) { s.Kind = sdk.ViewFeatures })},
		"top 0":               {sdk.CodeRange, open(func(s *sdk.ViewSpec) { s.Kind = sdk.ViewTopM })},
		"top of too many":     {sdk.CodeRange, open(func(s *sdk.ViewSpec) { s.Kind, s.M = sdk.ViewTopM, 4 })},
		"column":              {sdk.CodeRange, open(func(s *sdk.ViewSpec) { s.Kind, s.Class = sdk.ViewColumn, 3 })},
		"quantile":            {sdk.CodeRange, open(func(s *sdk.ViewSpec) { s.Kind = sdk.ViewQuantile })},
		"too much memory":     {sdk.CodeLimit, open(func(s *sdk.ViewSpec) { s.Kind, s.M, s.Flags = sdk.ViewClassTopK, 1000, sdk.FlagAll })},
		"emit":                {sdk.CodeState, func(h sdk.Host) error { return h.Emit(sdk.EmitHard, nil) }},
		"emit combined":       {sdk.CodeState, func(h sdk.Host) error { return h.Emit(sdk.EmitCombined, nil) }},
		"soft labels":         {sdk.CodeNotSupported, func(h sdk.Host) error { return h.Emit(sdk.EmitSoft, nil) }},
		"no such view":        {sdk.CodeRange, func(h sdk.Host) error { _, err := h.ReadView(5, 0, 0, nil); return err }},
		"metric's value":      {sdk.CodeInvalid, func(h sdk.Host) error { return h.Metric("a", math.NaN()) }},
		"metric's name":       {sdk.CodeInvalid, func(h sdk.Host) error { return h.Metric("a\x1b[2J", 1) }},
	}
	in := input(20, 3)
	in.Limits.Views = 900
	for name, c := range configuring {
		t.Run(name, func(t *testing.T) {
			var err error
			g := &guest{configure: func(h sdk.Host) error { err = c.ask(h); return nil }}
			if _, runErr := session.Select(t.Context(), description, in, g.start); runErr != nil {
				t.Error(runErr)
			}
			if !errors.Is(err, &sdk.Error{Code: c.want}) {
				t.Errorf("%v, not %v", err, c.want)
			}
		})
	}

	var early, late, outside, wide error
	g := &guest{
		configure: func(h sdk.Host) error {
			for _, kind := range []sdk.ViewKind{sdk.ViewStats, sdk.ViewClassMean} {
				if err := open(func(s *sdk.ViewSpec) { s.Kind = kind })(h); err != nil {
					return err
				}
			}
			return nil
		},
		observe: func(h sdk.Host, first, rows int) error {
			_, early = h.ReadView(1, 0, 1, nil)
			_, outside = h.ReadView(0, int64(first)-1, 1, nil)
			_, wide = h.ReadView(0, int64(first), int32(rows)+1, nil)
			late = open(func(*sdk.ViewSpec) {})(h)
			return nil
		},
	}
	if _, err := session.Select(t.Context(), description, in, g.start); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		err  error
		want sdk.Code
	}{
		"a global view while observing": {early, sdk.CodeState}, "a row before the batch": {outside, sdk.CodeRange},
		"a row behind the batch": {wide, sdk.CodeRange}, "opening while observing": {late, sdk.CodeState},
	} {
		if !errors.Is(c.err, &sdk.Error{Code: c.want}) {
			t.Errorf("%s: %v, not %v", what, c.err, c.want)
		}
	}
}

func label(row uint64, class uint32) []byte {
	b, err := binary.Append(nil, binary.LittleEndian, sdk.Label{Row: row, Class: class, Weight: 1})
	if err != nil {
		panic(err)
	}
	return b
}

func TestRounds(t *testing.T) {
	var random [2][8]byte
	g := &guest{
		end: func(h sdk.Host, round int) (bool, error) {
			d, err := h.Dataset()
			if err != nil || d.Round != uint32(round) || d.Rows != 20 || d.Classes != 3 || d.Models != 2 || d.Seed != 7 {
				return false, fmt.Errorf("data set %+v in round %d: %w", d, round, err)
			}
			if err := h.Random(random[round][:]); err != nil {
				return false, err
			}
			// Out of order; the first round's are discarded.
			err = errors.Join(h.Emit(sdk.EmitHard, label(uint64(5+round), 2)), h.Emit(sdk.EmitHard, label(uint64(round), 1)))
			return round == 0, errors.Join(err, h.Metric("m", float64(round)))
		},
	}
	s, err := session.Select(t.Context(), description, input(20, 3), g.start)
	if err != nil {
		t.Fatal(err)
	}
	want := []session.Label{{Row: 1, Class: 1, Weight: 1}, {Row: 6, Class: 2, Weight: 1}}
	if !slices.Equal(s.Labels, want) || s.Rounds != 2 || len(s.Metrics) != 2 || s.Metrics[1] != (session.Metric{Name: "m", Round: 1, Value: 1}) {
		t.Errorf("%+v", s)
	}
	again := random
	if random[0] == random[1] {
		t.Error("two rounds have the same random bytes")
	}
	if _, err := session.Select(t.Context(), description, input(20, 3), g.start); err != nil || random != again {
		t.Errorf("another run has other random bytes: %v", err)
	}

	undeclared := description
	undeclared.Needs.Rounds = false
	var protocol *session.ProtocolError
	if _, err := session.Select(t.Context(), undeclared, input(20, 3), g.start); !errors.As(err, &protocol) {
		t.Errorf("undeclared rounds: %v", err)
	}
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

func TestCombine(t *testing.T) {
	ensemble := description
	ensemble.Kind = sdk.KindEnsemble
	in := input(10, 2)
	in.Ensemble, in.BatchRows = nil, 4
	combined := func(first, rows, classes int, p ...float32) []byte {
		b := binary.LittleEndian.AppendUint64(nil, uint64(first))
		b = binary.LittleEndian.AppendUint32(b, uint32(rows))
		b = binary.LittleEndian.AppendUint32(b, uint32(classes))
		b, err := binary.Append(b, binary.LittleEndian, p)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, c := range map[string]struct {
		emit func(first, rows int) [][]byte
		says string
	}{
		"in two pieces": {func(first, rows int) [][]byte {
			return [][]byte{
				combined(first, 1, 2, 0.25, 0.75),
				combined(first+1, rows-1, 2, slices.Repeat([]float32{0.5, 0.5}, rows-1)...),
			}
		}, ""},
		"nothing":         {func(int, int) [][]byte { return nil }, "0 of the 4 rows from 0"},
		"no head":         {func(int, int) [][]byte { return [][]byte{{1}} }, "head"},
		"another class":   {func(first, rows int) [][]byte { return [][]byte{combined(first, 1, 3, 1, 0, 0)} }, "3 classes"},
		"another row":     {func(first, _ int) [][]byte { return [][]byte{combined(first+1, 1, 2, 1, 0)} }, "from 1 on"},
		"too many":        {func(first, rows int) [][]byte { return [][]byte{combined(first, rows+1, 2)} }, "5 rows"},
		"too few values":  {func(first, _ int) [][]byte { return [][]byte{combined(first, 1, 2, 1)} }, "4 bytes"},
		"not a number":    {func(first, _ int) [][]byte { return [][]byte{combined(first, 1, 2, float32(math.NaN()), 1)} }, "class 0 has probability NaN"},
		"below 0":         {func(first, _ int) [][]byte { return [][]byte{combined(first, 1, 2, -0.5, 1.5)} }, "probability -0.5"},
		"sum is not 1":    {func(first, _ int) [][]byte { return [][]byte{combined(first, 1, 2, 0.5, 0.502)} }, "sums to 1.002"},
		"infinitely many": {func(first, _ int) [][]byte { return [][]byte{combined(first, -1, 2)} }, "4294967295 rows"},
	} {
		t.Run(name, func(t *testing.T) {
			g := &guest{combine: func(h sdk.Host, first, rows int) error {
				for _, b := range c.emit(first, rows) {
					if err := h.Emit(sdk.EmitCombined, b); err != nil {
						return nil // a guest that will not hear of it
					}
				}
				return nil
			}}
			var got []float32
			_, err := session.Combine(t.Context(), ensemble, in, func(first int, rows []float32) error {
				if first*2 != len(got) {
					return fmt.Errorf("row %d after %d values", first, len(got))
				}
				got = append(got, rows...)
				return nil
			}, g.start)
			if c.says == "" {
				if err != nil || len(got) != 20 {
					t.Errorf("%d values: %v", len(got), err)
				}
				return
			}
			var protocol *session.ProtocolError
			if !errors.As(err, &protocol) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v does not say %q", err, c.says)
			}
		})
	}
}

func TestUnusableInput(t *testing.T) {
	nothing := &guest{configure: func(h sdk.Host) error {
		_, err := h.OpenView(sdk.ViewSpec{Size: sdk.SizeViewSpec, Kind: sdk.ViewStats, Model: sdk.Ensemble})
		return err
	}, observe: func(sdk.Host, int, int) error { return nil }}
	for says, change := range map[string]func(in *session.Input){
		"no model's":                    func(in *session.Input) { in.Models = nil },
		"an ensemble's":                 func(in *session.Input) { in.Ensemble = nil },
		"2 class names for 3":           func(in *session.Input) { in.ClassNames = in.ClassNames[:2] },
		"1 logit scales for 2":          func(in *session.Input) { in.LogitScales = []float64{1} },
		"not a JSON object":             func(in *session.Input) { in.Params = []byte(`[]`) },
		"model 1 are 21 x 3":            func(in *session.Input) { in.Models[1] = draw(1, 21, 3) },
		"class 1 has probability NaN":   func(in *session.Input) { in.Ensemble.(sdktest.Matrix).Values[7] = float32(math.NaN()) },
		"the ensemble, row 2: sums to ": func(in *session.Input) { in.Ensemble.(sdktest.Matrix).Values[7] += 5 },
		"row 3: class 0 has probability -1": func(in *session.Input) {
			in.Ensemble.(sdktest.Matrix).Values[9] = -1
		},
	} {
		in := input(20, 3)
		in.BatchRows = 2
		change(&in)
		if _, err := session.Select(t.Context(), description, in, nothing.start); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
}

func TestLimits(t *testing.T) {
	slow := func(sdk.Host, int, int) error { time.Sleep(20 * time.Millisecond); return nil }
	for name, c := range map[string]struct {
		limits session.Limits
		guest  guest
		want   string
	}{
		"a call": {session.Limits{Call: 5 * time.Millisecond}, guest{observe: slow}, session.LimitTime},
		"in all": {session.Limits{Time: 50 * time.Millisecond}, guest{observe: slow}, session.LimitTime},
		"records": {session.Limits{Records: 1}, guest{end: func(h sdk.Host, _ int) (bool, error) {
			return false, h.Emit(sdk.EmitHard, slices.Concat(label(0, 0), label(1, 0)))
		}}, session.LimitRecords},
		"rounds": {session.Limits{}, guest{end: func(sdk.Host, int) (bool, error) { return true, nil }}, session.LimitRounds},
		"log":    {session.Limits{Output: 100}, guest{configure: func(h sdk.Host) error { return h.Log(sdk.LevelInfo, strings.Repeat("x", 200)) }}, session.LimitOutput},
	} {
		in := input(20, 3)
		in.BatchRows, in.Limits = 2, c.limits
		_, err := session.Select(t.Context(), description, in, c.guest.start)
		var limit *session.LimitError
		if !errors.As(err, &limit) || limit.Limit != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzEmit gives the host records that may be anything.
func FuzzEmit(f *testing.F) {
	f.Add(int32(sdk.EmitHard), label(1, 2))
	f.Add(int32(sdk.EmitHard), label(1, 2)[:20])
	f.Add(int32(sdk.EmitCombined), append(label(0, 1<<31), 1))
	ensemble := description
	ensemble.Kind = sdk.KindEnsemble
	f.Fuzz(func(t *testing.T, kind int32, b []byte) {
		emit := func(h sdk.Host) error { return h.Emit(sdk.EmitKind(kind), b) }
		g := &guest{
			end:     func(h sdk.Host, _ int) (bool, error) { return false, emit(h) },
			combine: func(h sdk.Host, _, _ int) error { return emit(h) },
		}
		in := input(4, 3)
		s, err := session.Select(t.Context(), description, in, g.start)
		if err == nil && len(s.Labels) != len(b)/sdk.SizeLabel {
			t.Errorf("%d labels of %d bytes", len(s.Labels), len(b))
		}
		in.Ensemble = nil
		_, err = session.Combine(t.Context(), ensemble, in, func(int, []float32) error { return nil }, g.start)
		if err == nil && len(b) != sdk.SizeCombined+4*12 {
			t.Errorf("%d bytes were taken for all probabilities", len(b))
		}
	})
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
