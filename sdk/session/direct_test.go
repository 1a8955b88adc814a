package session_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/sdktest"
	"github.com/upl-host/upl-host/sdk/session"
)

func open(h sdk.Host, spec sdk.ViewSpec) error {
	spec.Size = sdk.SizeViewSpec
	_, err := h.OpenView(spec)
	return err
}

// TestGather reads rows by number, in any order, in every call of a round.
func TestGather(t *testing.T) {
	const rows, classes = 50, 3
	in := input(rows, classes)
	in.BatchRows = 4 // less than is read at once
	looks := 0
	look := func(h sdk.Host) error {
		looks++
		for view, p := range []session.Probabilities{in.Ensemble, in.Models[1]} {
			for _, piece := range [][2]int{{rows - 1, 1}, {0, 1}, {0, rows}, {3, 9}, {17, 0}} {
				b, err := read(h, int32(view), piece[0], piece[1])
				if err != nil {
					return err
				}
				want := p.(sdktest.Matrix).Values[piece[0]*classes : (piece[0]+piece[1])*classes]
				if !slices.Equal(records[float32](t, b), want) {
					return fmt.Errorf("rows %v of view %d are %v", piece, view, b)
				}
			}
			for _, outside := range [][2]int{{rows, 1}, {rows - 1, 2}, {-1, 1}, {1, -1}, {math.MaxInt64, 1}} {
				if _, err := h.ReadView(int32(view), int64(outside[0]), int32(outside[1]), nil); !errors.Is(err, &sdk.Error{Code: sdk.CodeRange}) {
					return fmt.Errorf("rows %v: %w", outside, err)
				}
			}
		}
		return nil
	}
	g := &guest{
		configure: func(h sdk.Host) error {
			err := errors.Join(
				open(h, sdk.ViewSpec{Kind: sdk.ViewGather, Model: sdk.Ensemble}),
				open(h, sdk.ViewSpec{Kind: sdk.ViewGather, Model: 1}),
			)
			if _, early := h.ReadView(0, 0, 1, nil); !errors.Is(early, &sdk.Error{Code: sdk.CodeState}) {
				t.Errorf("read in configure: %v", early)
			}
			return err
		},
		begin:   func(h sdk.Host, _ int) error { return look(h) },
		observe: func(h sdk.Host, _, _ int) error { return look(h) },
		end:     func(h sdk.Host, _ int) (bool, error) { return false, look(h) },
	}
	if _, err := session.Select(t.Context(), description, in, g.start); err != nil || looks < 4 {
		t.Errorf("after %d looks: %v", looks, err)
	}

	in.Models[1].(sdktest.Matrix).Values[5*classes] = float32(math.NaN())
	var data *session.DataError
	if _, err := session.Select(t.Context(), description, in, g.start); !errors.As(err, &data) || data.Row != 5 || data.Model != "model 1" {
		t.Errorf("of NaN: %v", err)
	}
}

// TestGatherBudget reads to the budget in each of two rounds, and then beyond.
func TestGatherBudget(t *testing.T) {
	in := input(20, 3)
	in.Limits.Gather = 10 * 3 * 4
	for _, most := range []int{10, 11} {
		g := &guest{
			configure: func(h sdk.Host) error { return open(h, sdk.ViewSpec{Kind: sdk.ViewGather, Model: sdk.Ensemble}) },
			end: func(h sdk.Host, round int) (bool, error) {
				for i := range most {
					if _, err := read(h, 0, i, 1); err != nil {
						return false, nil // a guest that will not hear of it
					}
				}
				return round < 1, nil
			},
		}
		_, err := session.Select(t.Context(), description, in, g.start)
		var limit *session.LimitError
		if (most == 10) != (err == nil) || err != nil && (!errors.As(err, &limit) || limit.Limit != session.LimitGather) {
			t.Errorf("%d rows: %v", most, err)
		}
	}
}

// TestTemperature holds views at a temperature to a plain softmax of logarithms.
func TestTemperature(t *testing.T) {
	const rows, classes = 30, 4
	in := input(rows, classes)
	in.Ensemble.(sdktest.Matrix).Values[0] = 1
	clear(in.Ensemble.(sdktest.Matrix).Values[1:classes])
	specs := []sdk.ViewSpec{
		{Kind: sdk.ViewRows, Model: sdk.Ensemble, Temperature: 2},
		{Kind: sdk.ViewStats, Model: sdk.Ensemble, Temperature: 2, Flags: sdk.FlagNoEntropy},
		{Kind: sdk.ViewRows, Model: 1, Temperature: 0.5},
		{Kind: sdk.ViewRows, Model: sdk.Ensemble},
		{Kind: sdk.ViewClassMean, Model: sdk.Ensemble, Temperature: 2, Flags: sdk.FlagAll},
	}
	got := views(t, in, specs, map[int]int{4: 1})
	tempered := func(row []float32, temperature float64) []float64 {
		out := make([]float64, len(row))
		var sum float64
		for c, p := range row {
			out[c] = math.Pow(max(float64(p), 0x1p-126), 1/temperature)
			sum += out[c]
		}
		for c := range out {
			out[c] /= sum
		}
		return out
	}
	check := func(view int, p session.Probabilities, temperature float64) {
		t.Helper()
		values := records[float32](t, got[view])
		for i, row := range plainRows(p) {
			for c, want := range tempered(row, temperature) {
				if math.Abs(float64(values[i*classes+c])-want) > 1e-7 {
					t.Fatalf("view %d, row %d, class %d: %v, not %v", view, i, c, values[i*classes+c], want)
				}
			}
		}
	}
	check(0, in.Ensemble, 2)
	check(2, in.Models[1], 0.5)
	if !slices.Equal(records[float32](t, got[3]), in.Ensemble.(sdktest.Matrix).Values) {
		t.Error("another view's temperature has changed the probabilities")
	}
	values, sums := records[float32](t, got[0]), make([]float64, classes)
	for i, s := range records[sdk.Stats](t, got[1]) {
		row := values[i*classes : (i+1)*classes]
		c := byProbability(row)[0]
		if s != (sdk.Stats{Class: uint32(c), P: row[c], Margin: margin(row, c)}) {
			t.Errorf("row %d: %+v of %v", i, s, row)
		}
		for c, p := range row {
			sums[c] += float64(p)
		}
	}
	if mean := records[float64](t, got[4]); !slices.Equal(mean[1:], sums) {
		t.Errorf("sums %v, not %v", mean[1:], sums)
	}

	// By number, and of the mean that an ensemble policy sees.
	ensemble := description
	ensemble.Kind = sdk.KindEnsemble
	in.Ensemble = nil
	g := &guest{
		configure: func(h sdk.Host) error {
			return errors.Join(
				open(h, sdk.ViewSpec{Kind: sdk.ViewRows, Model: sdk.Ensemble, Temperature: 3}),
				open(h, sdk.ViewSpec{Kind: sdk.ViewGather, Model: sdk.Ensemble, Temperature: 3}),
			)
		},
		combine: func(h sdk.Host, first, rows int) error {
			a, err1 := read(h, 0, first, rows)
			b, err2 := read(h, 1, first, rows)
			if !slices.Equal(a, b) {
				return errors.New("gathered rows differ from those that pass")
			}
			return errors.Join(err1, err2, h.Emit(sdk.EmitCombined, slices.Concat(combinedHead(first, rows, classes), a)))
		},
	}
	var combined []float32
	if _, err := session.Combine(t.Context(), ensemble, in, func(_ int, rows []float32) error {
		combined = append(combined, rows...)
		return nil
	}, g.start); err != nil {
		t.Fatal(err)
	}
	a, b := plainRows(in.Models[0]), plainRows(in.Models[1])
	for i := range a {
		mean := make([]float32, classes)
		for c := range mean {
			mean[c] = float32((float64(a[i][c]) + float64(b[i][c])) / 2)
		}
		for c, want := range tempered(mean, 3) {
			if math.Abs(float64(combined[i*classes+c])-want) > 1e-7 {
				t.Fatalf("row %d, class %d: %v, not %v", i, c, combined[i*classes+c], want)
			}
		}
	}
}

// TestColumnQuantiles reads quantiles of columns, one by one and in one view.
func TestColumnQuantiles(t *testing.T) {
	const rows, classes, m = 41, 3, 10 // 40/10: the quantiles are rows' own values
	specs := []sdk.ViewSpec{{Kind: sdk.ViewQuantile, Model: 0, M: m, Flags: sdk.FlagColumn | sdk.FlagAll}}
	global := map[int]int{0: classes}
	for c := range classes {
		specs = append(specs, sdk.ViewSpec{Kind: sdk.ViewQuantile, Model: 0, M: m, Flags: sdk.FlagColumn, Class: uint32(c)})
		global[1+c] = m + 1
	}
	in := input(rows, classes)
	got := views(t, in, specs, global)
	if !slices.Equal(got[0], slices.Concat(got[1:]...)) {
		t.Error("the columns of one view differ from views of a column")
	}
	for c := range classes {
		var column []float32
		for _, row := range plainRows(in.Models[0]) {
			column = append(column, row[c])
		}
		slices.Sort(column)
		for i, q := range records[float64](t, got[1+c]) {
			if q != float64(column[4*i]) {
				t.Errorf("class %d, quantile %d/%d: %v, not %v", c, i, m, q, column[4*i])
			}
		}
	}
}

// features is a policy that reads those of model 1, of images and texts.
func features(t *testing.T, in session.Input) (images, texts []float32, err error) {
	t.Helper()
	g := &guest{
		configure: func(h sdk.Host) error {
			if err := open(h, sdk.ViewSpec{Kind: sdk.ViewFeatures, Model: 1}); err != nil {
				return err
			}
			return open(h, sdk.ViewSpec{Kind: sdk.ViewFeatures, Model: 1, Flags: sdk.FlagText})
		},
		observe: func(h sdk.Host, first, rows int) error {
			b, err := read(h, 0, first, rows)
			images = append(images, records[float32](t, b)...)
			return err
		},
		end: func(h sdk.Host, _ int) (bool, error) {
			b, err := read(h, 1, 0, 3)
			texts = records[float32](t, b)
			return false, err
		},
	}
	_, err = session.Select(t.Context(), description, in, g.start)
	return images, texts, err
}

func TestFeatures(t *testing.T) {
	const rows, classes = 20, 3
	matrix := func(rows, width int) sdktest.Matrix { return draw(uint64(width), rows, width) }
	in := input(rows, classes)
	in.BatchRows = 3
	in.Features = []session.Features{matrix(rows, 4), matrix(rows, 5)}
	in.TextFeatures = []session.Features{matrix(classes, 4), matrix(classes, 5)}

	if _, _, err := features(t, in); !errors.Is(err, &sdk.Error{Code: sdk.CodeDenied}) || !strings.Contains(err.Error(), "not granted") {
		t.Errorf("without a grant: %v", err)
	}
	in.GrantFeatures = true
	images, texts, err := features(t, in)
	if err != nil || !slices.Equal(images, matrix(rows, 5).Values) || !slices.Equal(texts, matrix(classes, 5).Values) {
		t.Errorf("%v, %v: %v", images, texts, err)
	}

	// What it sees of their size: both the need and the grant have to be there.
	for _, c := range [][2]bool{{true, true}, {true, false}, {false, true}} {
		in, policy := in, description
		needs := c[0] && c[1]
		in.GrantFeatures = c[1]
		if !c[0] {
			policy.Needs.Views = []string{"rows"}
		}
		g := &guest{configure: func(h sdk.Host) error {
			d, err1 := h.Dataset()
			config, err2 := h.Config()
			if (d.FeatureDim == 4) != needs || (d.FeatureDim == 0) == needs || strings.Contains(string(config), `"feature_dims":[4,5]`) != needs {
				t.Errorf("D is %d; %s", d.FeatureDim, config)
			}
			refused := open(h, sdk.ViewSpec{Kind: sdk.ViewFeatures, Model: 0})
			if !needs && !errors.Is(refused, &sdk.Error{Code: sdk.CodeDenied}) {
				t.Error(refused)
			}
			ensemble := open(h, sdk.ViewSpec{Kind: sdk.ViewFeatures, Model: sdk.Ensemble})
			if needs && !errors.Is(ensemble, &sdk.Error{Code: sdk.CodeRange}) {
				t.Error(ensemble)
			}
			return errors.Join(err1, err2)
		}}
		if _, err := session.Select(t.Context(), policy, in, g.start); err != nil {
			t.Error(err)
		}
	}

	without := in
	without.Features, without.TextFeatures = nil, nil
	if _, _, err := features(t, without); !errors.Is(err, &sdk.Error{Code: sdk.CodeNotSupported}) {
		t.Errorf("of none: %v", err)
	}
	for says, change := range map[string]func(*session.Input){
		"features of 1 models for 2":         func(in *session.Input) { in.Features = in.Features[:1] },
		"text features of model 0 are 4 x 4": func(in *session.Input) { in.TextFeatures = []session.Features{matrix(4, 4), matrix(classes, 5)} },
		"features of model 1 are 20 x 0": func(in *session.Input) {
			in.Features = []session.Features{matrix(rows, 4), none{}}
			in.TextFeatures = nil
		},
		"model 0 have 4 values, those of its":     func(in *session.Input) { in.TextFeatures = []session.Features{matrix(3, 5), matrix(3, 5)} },
		"features of model 1, row 7: value 2 is ": func(in *session.Input) { in.Features[1].(sdktest.Matrix).Values[7*5+2] = float32(math.Inf(1)) },
	} {
		wrong := in
		wrong.Features = []session.Features{matrix(rows, 4), matrix(rows, 5)}
		change(&wrong)
		if _, _, err := features(t, wrong); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
}

// none are features of no width.
type none struct{}

func (none) Rows() int                      { return 20 }
func (none) Width() int                     { return 0 }
func (none) Read(int, int, []float32) error { return nil }

// TestViewMemory opens global views that together take more than the limit, of
// which each alone is within it; and just as much as the limit.
func TestViewMemory(t *testing.T) {
	const rows, classes = 20, 3
	quantile := sdk.ViewSpec{Kind: sdk.ViewQuantile, Model: sdk.Ensemble, M: 2} // 4 N
	mean := sdk.ViewSpec{Kind: sdk.ViewClassMean, Model: 0}                     // 8 C (1 + C)
	columns := quantile                                                         // 4 N C
	columns.Flags = sdk.FlagColumn | sdk.FlagAll
	topK := sdk.ViewSpec{Kind: sdk.ViewClassTopK, Model: 1, M: 2} // 16 m C, or 16 N
	top := sdk.ViewSpec{Kind: sdk.ViewTopM, Model: 0, M: 2}       // 8 m rows of a batch
	warm := top                                                   // and 4 C rows for the probabilities
	warm.Temperature = 2
	gather := sdk.ViewSpec{Kind: sdk.ViewGather, Model: sdk.Ensemble} // 4 C rows of a batch
	const quantileBytes, meanBytes, columnBytes, topKBytes = 4 * rows, 8 * classes * (1 + classes), 4 * rows * classes, 16 * 2 * classes
	const batchBytes, tempered, gathered = 8 * 2 * 7, 4 * classes * 7, 4 * classes * 7
	for _, c := range []struct {
		limit int64
		specs []sdk.ViewSpec
		fit   int // how many
	}{
		{quantileBytes, []sdk.ViewSpec{quantile, quantile}, 1},
		{2 * quantileBytes, []sdk.ViewSpec{quantile, quantile, quantile}, 2},
		{2*quantileBytes - 1, []sdk.ViewSpec{quantile, quantile}, 1},
		{meanBytes + quantileBytes + topKBytes, []sdk.ViewSpec{mean, quantile, topK}, 3},
		{meanBytes + quantileBytes + topKBytes - 1, []sdk.ViewSpec{mean, quantile, topK}, 2},
		{columnBytes - 1, []sdk.ViewSpec{columns}, 0},
		{columnBytes, []sdk.ViewSpec{columns, mean}, 1},
		{batchBytes, []sdk.ViewSpec{top, top}, 1},
		{batchBytes - 1, []sdk.ViewSpec{top}, 0},
		{batchBytes + tempered, []sdk.ViewSpec{top, warm}, 1},
		{2*batchBytes + tempered, []sdk.ViewSpec{top, warm}, 2},
		{gathered, []sdk.ViewSpec{gather, gather}, 1},
	} {
		in := input(rows, classes)
		in.Limits.Views, in.BatchRows = c.limit, 7
		fit := 0
		var refused error
		openAll := func(h sdk.Host, specs []sdk.ViewSpec) {
			for _, spec := range specs {
				if err := open(h, spec); err == nil {
					fit++
				} else if refused = err; !errors.Is(err, &sdk.Error{Code: sdk.CodeLimit}) {
					t.Error(err)
				}
			}
		}
		// The first for the run, the rest for a round: what a round's took is
		// there again in the next.
		g := &guest{
			configure: func(h sdk.Host) error { openAll(h, c.specs[:1]); return nil },
			begin:     func(h sdk.Host, _ int) error { openAll(h, c.specs[1:]); return nil },
			end: func(_ sdk.Host, round int) (bool, error) {
				if fit != c.fit || (refused == nil) != (fit == len(c.specs)) {
					t.Errorf("round %d: %d of %d views in %d bytes: %v", round, fit, len(c.specs), c.limit, refused)
				}
				fit -= max(fit-min(c.fit, 1), 0)
				return round < 1, nil
			},
		}
		if _, err := session.Select(t.Context(), description, in, g.start); err != nil {
			t.Error(err)
		}
	}
}

// TestThreads runs all kinds of views at once on one thread and on several.
func TestThreads(t *testing.T) {
	in := input(103, 5)
	specs := []sdk.ViewSpec{
		{Kind: sdk.ViewRows, Model: sdk.Ensemble, Temperature: 0.7},
		{Kind: sdk.ViewQuantile, Model: 1, M: 7, Flags: sdk.FlagColumn | sdk.FlagAll, Temperature: 0.7},
		{Kind: sdk.ViewClassMean, Model: 1, Temperature: 1.3},
	}
	var first [][]byte
	for _, threads := range []int{1, 8} {
		for _, batch := range []int{1, 7, 256} {
			in.Threads, in.BatchRows = threads, batch
			got := views(t, in, specs, map[int]int{1: 5, 2: 5})
			if first == nil {
				first = got
			} else if !reflect.DeepEqual(got, first) {
				t.Errorf("batches of %d on %d threads give other bytes", batch, threads)
			}
		}
	}
}
