package session_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/sdktest"
	"github.com/upl-host/upl-host/sdk/session"
)

// ensemble is the description of an ensemble policy that may open views of rows.
func ensemble() session.Description {
	d := description
	d.Kind = sdk.KindEnsemble
	return d
}

// ensembleInput is an input for it, of several models.
func ensembleInput(models, rows, classes int) session.Input {
	in := input(rows, classes)
	in.Ensemble, in.Models = nil, nil
	for m := range models {
		in.Models = append(in.Models, draw(uint64(10+m), rows, classes))
	}
	return in
}

func shares(of ...sdk.Share) (b []byte) {
	for _, s := range of {
		b = binary.LittleEndian.AppendUint32(b, uint32(s.View))
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(s.Weight))
	}
	return b
}

// rowsOf opens the rows of models, at a temperature.
func rowsOf(h sdk.Host, temperature float32, models ...int32) error {
	for _, model := range models {
		if _, err := h.OpenView(sdk.ViewSpec{Size: sdk.SizeViewSpec, Kind: sdk.ViewRows, Model: model, Temperature: temperature}); err != nil {
			return err
		}
	}
	return nil
}

// combined runs an ensemble and gives its matrix.
func combined(t *testing.T, in session.Input, g *guest) []float32 {
	t.Helper()
	var all []float32
	_, err := session.Combine(t.Context(), ensemble(), in, func(first int, rows []float32) error {
		if first*in.Models[0].Classes() != len(all) {
			t.Errorf("row %d comes after %d values", first, len(all))
		}
		all = append(all, rows...)
		return nil
	}, g.start)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A mean that the host makes is what a guest computes from the same views: whatever
// the threads and batches, streamed or read at random.
func TestMean(t *testing.T) {
	const rows, classes = 300, 37
	weights := []float32{1, 0.25, 3}
	for _, temperature := range []float32{0, 2} {
		in := ensembleInput(3, rows, classes)
		open := func(h sdk.Host) error { return rowsOf(h, temperature, 0, 1, 2, sdk.Ensemble) }
		plain := combined(t, in, &guest{configure: open, combine: func(h sdk.Host, first, n int) error {
			sums := make([]float64, n*classes)
			for m, weight := range weights {
				b, err := read(h, int32(m), first, n)
				if err != nil {
					return err
				}
				for i, p := range records[float32](t, b) {
					sums[i] += float64(weight) * float64(p)
				}
			}
			record := binary.LittleEndian.AppendUint64(nil, uint64(first))
			record = binary.LittleEndian.AppendUint32(record, uint32(n))
			record = binary.LittleEndian.AppendUint32(record, classes)
			for _, sum := range sums {
				record = binary.LittleEndian.AppendUint32(record, math.Float32bits(float32(sum/4.25)))
			}
			return h.Emit(sdk.EmitCombined, record)
		}})
		mean := &guest{configure: open, end: func(h sdk.Host, _ int) (bool, error) {
			if d, err := h.Dataset(); err != nil || d.Flags&sdk.TakesMeans == 0 {
				t.Errorf("flags %d, %v", d.Flags, err)
			}
			return false, h.Emit(sdk.EmitMean, shares(sdk.Share{View: 0, Weight: 1}, sdk.Share{View: 1, Weight: 0.25}, sdk.Share{View: 2, Weight: 3}))
		}}
		for _, batch := range []int{0, 1, 7} {
			for _, threads := range []int{1, 4} {
				in.BatchRows, in.Threads = batch, threads
				if got := combined(t, in, mean); !slices.Equal(got, plain) {
					t.Errorf("temperature %v, batches of %d, %d threads: the means differ", temperature, batch, threads)
				}
			}
		}
		var mixed session.Probabilities
		in.Mixed = func(p session.Probabilities) { mixed = p }
		if got := combined(t, in, mean); got != nil || mixed == nil {
			t.Fatalf("%d values are emitted beside what is mixed", len(got))
		}
		for _, at := range [][2]int{{rows - 1, 1}, {0, rows}, {100, 0}, {41, 9}} {
			got := make([]float32, at[1]*classes)
			if err := mixed.Read(at[0], at[1], got); err != nil || !slices.Equal(got, plain[at[0]*classes:(at[0]+at[1])*classes]) {
				t.Errorf("%d rows from %d on differ: %v", at[1], at[0], err)
			}
		}
	}
}

// One share is its view, bit for bit; that of the ensemble the plain mean.
func TestMeanOfOne(t *testing.T) {
	in := ensembleInput(2, 20, 3)
	one := func(view int32) []float32 {
		return combined(t, in, &guest{
			begin: func(h sdk.Host, _ int) error { return rowsOf(h, 0, 1, sdk.Ensemble) },
			end: func(h sdk.Host, _ int) (bool, error) {
				return false, h.Emit(sdk.EmitMean, shares(sdk.Share{View: view, Weight: 0.1}))
			},
		})
	}
	a, b := in.Models[0].(sdktest.Matrix).Values, in.Models[1].(sdktest.Matrix).Values
	if !slices.Equal(one(0), b) {
		t.Error("the second model's rows are others")
	}
	for i, p := range one(1) {
		if want := float32((float64(a[i]) + float64(b[i])) / 2); p != want {
			t.Fatalf("value %d of the mean is %v, not %v", i, p, want)
		}
	}
}

// What was emitted before the last round does not count.
func TestMeanOfTheLastRound(t *testing.T) {
	in := ensembleInput(2, 20, 3)
	called := 0
	combined(t, in, &guest{
		configure: func(h sdk.Host) error { return rowsOf(h, 0, 0) },
		end: func(h sdk.Host, round int) (bool, error) {
			if round == 0 {
				return true, h.Emit(sdk.EmitMean, shares(sdk.Share{Weight: 1}))
			}
			return false, nil
		},
		combine: func(h sdk.Host, first, n int) error {
			called += n
			b, err := read(h, 0, first, n)
			if err != nil {
				return err
			}
			head := binary.LittleEndian.AppendUint64(nil, uint64(first))
			head = binary.LittleEndian.AppendUint32(head, uint32(n))
			return h.Emit(sdk.EmitCombined, append(binary.LittleEndian.AppendUint32(head, 3), b...))
		},
	})
	if called != 20 {
		t.Errorf("%d of 20 rows were asked for", called)
	}
}

// Hostile shares end the run, whatever the guest returns.
func TestForgedShares(t *testing.T) {
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		records []byte
		says    string
	}{
		"no such view":    {shares(sdk.Share{View: 2, Weight: 1}), "view 2, of 2"},
		"a negative view": {shares(sdk.Share{View: -1, Weight: 1}), "view -1"},
		"not of rows":     {shares(sdk.Share{View: 1, Weight: 1}), "which is of column"},
		"no weight":       {shares(sdk.Share{View: 0}), "weight 0"},
		"a negative one":  {shares(sdk.Share{View: 0, Weight: -1}), "weight -1"},
		"NaN":             {shares(sdk.Share{View: 0, Weight: nan}), "weight NaN"},
		"infinite":        {shares(sdk.Share{View: 0, Weight: float32(math.Inf(1))}), "weight +Inf"},
		"half a record":   {shares(sdk.Share{View: 0, Weight: 1})[:7], "7 bytes"},
		"too many":        {slices.Repeat(shares(sdk.Share{View: 0, Weight: 1}), 257), "more than 256"},
	} {
		t.Run(name, func(t *testing.T) {
			g := &guest{
				configure: func(h sdk.Host) error {
					if err := rowsOf(h, 0, 0); err != nil {
						return err
					}
					_, err := h.OpenView(sdk.ViewSpec{Size: sdk.SizeViewSpec, Kind: sdk.ViewColumn})
					return err
				},
				end: func(h sdk.Host, _ int) (bool, error) {
					_ = h.Emit(sdk.EmitMean, c.records) // a guest that will not hear of it
					return false, nil
				},
			}
			_, err := session.Combine(t.Context(), ensemble(), ensembleInput(2, 20, 3), func(int, []float32) error { return nil }, g.start)
			var protocol *session.ProtocolError
			if !errors.As(err, &protocol) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v does not say %q", err, c.says)
			}
		})
	}
}

// Elsewhere than in an ensemble's upl_end_round a mean is refused.
func TestMeanElsewhere(t *testing.T) {
	refused := &sdk.Error{Code: sdk.CodeState}
	g := &guest{end: func(h sdk.Host, _ int) (bool, error) {
		if err := h.Emit(sdk.EmitMean, shares(sdk.Share{Weight: 1})); !errors.Is(err, refused) {
			t.Error(err)
		}
		return false, nil
	}}
	if _, err := session.Select(t.Context(), description, input(20, 3), g.start); err != nil {
		t.Error(err)
	}
	in := ensembleInput(1, 20, 3)
	early := &guest{configure: func(h sdk.Host) error {
		if err := rowsOf(h, 0, 0); err != nil {
			return err
		}
		if err := h.Emit(sdk.EmitMean, shares(sdk.Share{Weight: 1})); !errors.Is(err, refused) {
			t.Error(err)
		}
		return errors.New("enough")
	}}
	if _, err := session.Combine(context.Background(), ensemble(), in, nil, early.start); err == nil {
		t.Error("a guest that fails has no error")
	}
}

// A model's unusable row is named as the model's, in a mean as elsewhere.
func TestMeanOfUnusableRows(t *testing.T) {
	in := ensembleInput(2, 20, 3)
	in.ModelNames = []string{"a", "b"}
	in.Models[1].(sdktest.Matrix).Values[3*5+1] = 7
	g := &guest{
		configure: func(h sdk.Host) error { return rowsOf(h, 0, 0, 1) },
		end: func(h sdk.Host, _ int) (bool, error) {
			return false, h.Emit(sdk.EmitMean, shares(sdk.Share{View: 0, Weight: 1}, sdk.Share{View: 1, Weight: 1}))
		},
	}
	_, err := session.Combine(t.Context(), ensemble(), in, func(int, []float32) error { return nil }, g.start)
	var data *session.DataError
	if !errors.As(err, &data) || data.Row != 5 || !strings.HasPrefix(err.Error(), data.Error()) || !strings.Contains(err.Error(), "b") {
		t.Error(err)
	}
}
