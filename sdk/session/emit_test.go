package session_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/session"
)

func TestCombine(t *testing.T) {
	ensemble := description
	ensemble.Kind = sdk.KindEnsemble
	in := input(10, 2)
	in.Ensemble, in.BatchRows = nil, 4
	combined := func(first, rows, classes int, p ...float32) []byte {
		b, err := binary.Append(combinedHead(first, rows, classes), binary.LittleEndian, p)
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
		"nothing":        {func(int, int) [][]byte { return nil }, "0 of the 4 rows from 0"},
		"no head":        {func(int, int) [][]byte { return [][]byte{{1}} }, "head"},
		"another class":  {func(first, rows int) [][]byte { return [][]byte{combined(first, 1, 3, 1, 0, 0)} }, "3 classes"},
		"another row":    {func(first, _ int) [][]byte { return [][]byte{combined(first+1, 1, 2, 1, 0)} }, "from 1 on"},
		"too many":       {func(first, rows int) [][]byte { return [][]byte{combined(first, rows+1, 2)} }, "5 rows"},
		"too few values": {func(first, _ int) [][]byte { return [][]byte{combined(first, 1, 2, 1)} }, "4 bytes"},
		"not a number":   {func(first, _ int) [][]byte { return [][]byte{combined(first, 1, 2, float32(math.NaN()), 1)} }, "class 0 has probability NaN"},
		"below 0":        {func(first, _ int) [][]byte { return [][]byte{combined(first, 1, 2, -0.5, 1.5)} }, "probability -0.5"},
		"sum is not 1":   {func(first, _ int) [][]byte { return [][]byte{combined(first, 1, 2, 0.5, 0.52)} }, "sums to 1.02"},
		"half precision": {func(first, rows int) [][]byte {
			return [][]byte{combined(first, rows, 2, slices.Repeat([]float32{0.5, 0.508}, rows)...)}
		}, ""},
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

// FuzzEmit gives the host records that may be anything: what it takes is right.
func FuzzEmit(f *testing.F) {
	f.Add(int32(sdk.EmitHard), label(1, 2))
	f.Add(int32(sdk.EmitHard), label(1, 2)[:20])
	f.Add(int32(sdk.EmitCombined), append(label(0, 1<<31), 1))
	f.Add(int32(sdk.EmitSoft), soft(3, 1, sdk.Candidate{Class: 2, P: 0.5}, sdk.Candidate{Class: 1, P: 0.5}))
	f.Add(int32(sdk.EmitCandidates), slices.Concat(candidates(3, 1, 2, 1), candidates(0, 1, 0)))
	f.Add(int32(sdk.EmitDrop), slices.Concat(drop(3), drop(0)))
	ensemble := description
	ensemble.Kind = sdk.KindEnsemble
	f.Fuzz(func(t *testing.T, kind int32, b []byte) {
		emit := func(h sdk.Host) error { return h.Emit(sdk.EmitKind(kind), b) }
		g := &guest{
			end:     func(h sdk.Host, _ int) (bool, error) { return false, emit(h) },
			combine: func(h sdk.Host, _, _ int) error { return emit(h) },
		}
		const rows, classes = 4, 3
		in := taking(input(rows, classes))
		s, err := session.Select(t.Context(), description, in, g.start)
		if err == nil {
			checkSelection(t, s, rows, classes, len(b))
		}
		in.Ensemble = nil
		_, err = session.Combine(t.Context(), ensemble, in, func(int, []float32) error { return nil }, g.start)
		if err == nil && len(b) != sdk.SizeHead+4*rows*classes {
			t.Errorf("%d bytes were taken for all probabilities", len(b))
		}
	})
}

// checkSelection holds a selection to what the contract says of it.
func checkSelection(t *testing.T, s session.Selection, rows, classes, bytes int) {
	t.Helper()
	seen := make([]int, rows)
	size := len(s.Labels)*sdk.SizeLabel + len(s.Drops)*sdk.SizeDrop
	for i, l := range s.Labels {
		if l.Class < 0 || l.Class >= classes || i > 0 && s.Labels[i-1].Row == l.Row && s.Labels[i-1].Class >= l.Class {
			t.Errorf("%v", s.Labels)
		}
		if i == 0 || s.Labels[i-1].Row != l.Row {
			seen[l.Row]++
		}
	}
	for _, l := range s.Soft {
		seen[l.Row]++
		size += sdk.SizeHead + sdk.SizeCandidate*len(l.P)
		var sum float64
		for i, c := range l.P {
			if int(c.Class) >= classes || c.P < 0 || i > 0 && l.P[i-1].Class >= c.Class {
				t.Errorf("%v", l)
			}
			sum += float64(c.P)
		}
		if !(math.Abs(sum-1) <= 1e-3) {
			t.Errorf("%v sums to %v", l, sum)
		}
	}
	for _, l := range s.Candidates {
		seen[l.Row]++
		size += sdk.SizeHead + 4*len(l.Classes)
		if !slices.IsSorted(l.Classes) || l.Classes[0] < 0 || l.Classes[len(l.Classes)-1] >= classes || len(slices.Compact(slices.Clone(l.Classes))) != len(l.Classes) {
			t.Errorf("%v", l)
		}
	}
	for _, row := range s.Drops {
		seen[row]++
	}
	if slices.Max(seen) > 1 || size != bytes {
		t.Errorf("%+v of %d bytes", s, bytes)
	}
}

func combinedHead(first, rows, classes int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(first))
	b = binary.LittleEndian.AppendUint32(b, uint32(rows))
	return binary.LittleEndian.AppendUint32(b, uint32(classes))
}

func head(row uint64, weight float32, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, row)
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(weight))
	return binary.LittleEndian.AppendUint32(b, uint32(n))
}

func soft(row uint64, weight float32, classes ...sdk.Candidate) []byte {
	b, err := binary.Append(head(row, weight, len(classes)), binary.LittleEndian, classes)
	if err != nil {
		panic(err)
	}
	return b
}

func candidates(row uint64, weight float32, classes ...uint32) []byte {
	b, err := binary.Append(head(row, weight, len(classes)), binary.LittleEndian, classes)
	if err != nil {
		panic(err)
	}
	return b
}

func drop(row uint64) []byte { return binary.LittleEndian.AppendUint64(nil, row) }

func weighing(b []byte, weight float32) []byte {
	binary.LittleEndian.PutUint32(b[12:], math.Float32bits(weight))
	return b
}

// taking is a host that takes all kinds of records.
func taking(in session.Input) session.Input {
	in.Takes = []sdk.EmitKind{sdk.EmitSoft, sdk.EmitCandidates, sdk.EmitDrop}
	return in
}

// TestRecords emits records of every kind: the last that are right, and the first
// that are wrong, of 20 rows and 3 classes.
func TestRecords(t *testing.T) {
	type emission struct {
		kind    sdk.EmitKind
		records []byte
	}
	const hard, sets = sdk.EmitHard, sdk.EmitCandidates
	half := []sdk.Candidate{{Class: 2, P: 0.5}, {Class: 0, P: 0.5}}
	p := func(p ...float32) (classes []sdk.Candidate) {
		for c, p := range p {
			classes = append(classes, sdk.Candidate{Class: uint32(c), P: p})
		}
		return classes
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, c := range map[string]struct {
		emit []emission
		want session.Selection
		says string
	}{
		"last row and class": {
			[]emission{{hard, label(19, 2)}},
			session.Selection{Labels: []session.Label{{Row: 19, Class: 2, Weight: 1}}},
			"",
		},
		"one of each, out of order": {
			[]emission{
				{sdk.EmitDrop, slices.Concat(drop(19), drop(0))},
				{sets, slices.Concat(candidates(7, 1, 2, 0), candidates(5, 0, 1))},
				{hard, slices.Concat(label(3, 2), label(3, 0))},
				{sdk.EmitSoft, slices.Concat(soft(4, 1000, half...), soft(2, 1, p(0, 1)...))},
			},
			session.Selection{
				Labels: []session.Label{{Row: 3, Class: 0, Weight: 1}, {Row: 3, Class: 2, Weight: 1}},
				Soft: []session.SoftLabel{
					{Row: 2, Weight: 1, P: p(0, 1)},
					{Row: 4, Weight: 1000, P: []sdk.Candidate{{Class: 0, P: 0.5}, {Class: 2, P: 0.5}}},
				},
				Candidates: []session.CandidateSet{{Row: 5, Weight: 0, Classes: []int{1}}, {Row: 7, Weight: 1, Classes: []int{0, 2}}},
				Drops:      []int{0, 19},
			},
			"",
		},
		"sums nearly to 1": {
			[]emission{{sdk.EmitSoft, soft(0, 1, p(0.5, 0.4991)...)}},
			session.Selection{Soft: []session.SoftLabel{{Row: 0, Weight: 1, P: p(0.5, 0.4991)}}},
			"",
		},
		"nothing": {[]emission{{hard, nil}, {sdk.EmitSoft, nil}, {sets, nil}, {sdk.EmitDrop, nil}}, session.Selection{}, ""},

		"hard, first row beyond":       {emit: []emission{{hard, label(20, 0)}}, says: "hard labels: row 20 of 20"},
		"hard, row of 64 bits":         {emit: []emission{{hard, label(1<<63, 0)}}, says: "row 9223372036854775808 of 20"},
		"hard, row that wraps":         {emit: []emission{{hard, label(1<<32, 0)}}, says: "row 4294967296 of 20"},
		"hard, first class beyond":     {emit: []emission{{hard, label(0, 3)}}, says: "class 3 of 3"},
		"hard, weight":                 {emit: []emission{{hard, weighing(label(0, 0), 1000.0001)}}, says: "weight 1000.0001"},
		"hard, weight below 0":         {emit: []emission{{hard, weighing(label(0, 0), -1e-30)}}, says: "weight -1e-30"},
		"hard, weight NaN":             {emit: []emission{{hard, weighing(label(0, 0), nan)}}, says: "weight NaN"},
		"hard, flags":                  {emit: []emission{{hard, append(label(0, 0)[:16], 1, 0, 0, 0, 0, 0, 0, 0)}}, says: "reserved"},
		"hard, short":                  {emit: []emission{{hard, label(0, 0)[:23]}}, says: "23 bytes"},
		"hard twice":                   {emit: []emission{{hard, label(0, 1)}, {hard, label(0, 1)}}, says: "row 0 as class 1 twice"},
		"soft, first row beyond":       {emit: []emission{{sdk.EmitSoft, soft(20, 1, half...)}}, says: "soft labels: row 20 of 20"},
		"soft, first class beyond":     {emit: []emission{{sdk.EmitSoft, soft(0, 1, sdk.Candidate{Class: 3, P: 1})}}, says: "class 3 of 3"},
		"soft, no class":               {emit: []emission{{sdk.EmitSoft, soft(0, 1)}}, says: "0 classes of 3"},
		"soft, more classes":           {emit: []emission{{sdk.EmitSoft, soft(0, 1, p(0.25, 0.25, 0.25, 0.25)...)}}, says: "4 classes of 3"},
		"soft, classes without end":    {emit: []emission{{sdk.EmitSoft, head(0, 1, math.MaxUint32)}}, says: "4294967295 classes"},
		"soft, class twice":            {emit: []emission{{sdk.EmitSoft, soft(0, 1, half[0], half[0])}}, says: "class 2 twice"},
		"soft, NaN":                    {emit: []emission{{sdk.EmitSoft, soft(0, 1, p(nan, 1)...)}}, says: "probability NaN"},
		"soft, infinite":               {emit: []emission{{sdk.EmitSoft, soft(0, 1, p(inf)...)}}, says: "probability +Inf"},
		"soft, below 0":                {emit: []emission{{sdk.EmitSoft, soft(0, 1, p(1.5, -0.5)...)}}, says: "probability -0.5"},
		"soft, sum":                    {emit: []emission{{sdk.EmitSoft, soft(0, 1, p(0.5, 0.4985)...)}}, says: "sum to 0.9985"},
		"soft, weight":                 {emit: []emission{{sdk.EmitSoft, soft(0, inf, half...)}}, says: "weight +Inf"},
		"soft, head":                   {emit: []emission{{sdk.EmitSoft, soft(0, 1, half...)[:15]}}, says: "15 bytes"},
		"soft, short":                  {emit: []emission{{sdk.EmitSoft, soft(0, 1, half...)[:31]}}, says: "31 bytes for 2 classes, which take 32"},
		"soft twice":                   {emit: []emission{{sdk.EmitSoft, soft(0, 1, half...)}, {sdk.EmitSoft, soft(0, 1, half...)}}, says: "row 0 among the soft labels, and before among the soft labels"},
		"soft and hard":                {emit: []emission{{sdk.EmitSoft, soft(0, 1, half...)}, {hard, label(0, 1)}}, says: "row 0 among the hard labels, and before among the soft labels"},
		"candidates, first row beyond": {emit: []emission{{sets, candidates(20, 1, 0)}}, says: "row 20 of 20"},
		"candidates, class beyond":     {emit: []emission{{sets, candidates(0, 1, 0, 3)}}, says: "class 3 of 3"},
		"candidates, class twice":      {emit: []emission{{sets, candidates(0, 1, 1, 1)}}, says: "class 1 twice"},
		"candidates, none":             {emit: []emission{{sets, candidates(0, 1)}}, says: "0 classes of 3"},
		"candidates, short":            {emit: []emission{{sets, candidates(0, 1, 1, 2)[:20]}}, says: "20 bytes for 2 classes, which take 24"},
		"candidates and dropped":       {emit: []emission{{sets, candidates(0, 1, 1)}, {sdk.EmitDrop, drop(0)}}, says: "row 0 among the dropped rows"},
		"dropped, first row beyond":    {emit: []emission{{sdk.EmitDrop, drop(20)}}, says: "dropped rows: row 20 of 20"},
		"dropped twice":                {emit: []emission{{sdk.EmitDrop, slices.Concat(drop(1), drop(1))}}, says: "row 1 among the dropped rows"},
		"dropped, short":               {emit: []emission{{sdk.EmitDrop, drop(1)[:7]}}, says: "7 bytes"},
		"kind 0":                       {emit: []emission{{0, nil}}, says: "kind 0"},
		"kind 7":                       {emit: []emission{{7, nil}}, says: "kind 7"},
	} {
		t.Run(name, func(t *testing.T) {
			g := &guest{end: func(h sdk.Host, _ int) (bool, error) {
				for _, e := range c.emit {
					_ = h.Emit(e.kind, e.records) // a guest that will not hear of it
				}
				return false, nil
			}}
			s, err := session.Select(t.Context(), description, taking(input(20, 3)), g.start)
			s.Record = session.Record{}
			var protocol *session.ProtocolError
			switch {
			case c.says == "" && (err != nil || !reflect.DeepEqual(s, c.want)):
				t.Errorf("%+v, not %+v: %v", s, c.want, err)
			case c.says != "" && (!errors.As(err, &protocol) || !strings.Contains(err.Error(), c.says)):
				t.Errorf("%v does not say %q", err, c.says)
			}
		})
	}
}

// TestNotTaken offers a host records that it has no use for.
func TestNotTaken(t *testing.T) {
	in := input(20, 3)
	in.Takes = []sdk.EmitKind{sdk.EmitSoft}
	g := &guest{end: func(h sdk.Host, _ int) (bool, error) {
		d, err := h.Dataset()
		if d.Flags != sdk.TakesSoft {
			t.Errorf("flags %d", d.Flags)
		}
		for _, refused := range []error{h.Emit(sdk.EmitCandidates, candidates(0, 1, 1)), h.Emit(sdk.EmitDrop, drop(0))} {
			if !errors.Is(refused, &sdk.Error{Code: sdk.CodeNotSupported}) {
				t.Error(refused)
			}
		}
		return false, errors.Join(err, h.Emit(sdk.EmitSoft, soft(0, 1, sdk.Candidate{P: 1})))
	}}
	s, err := session.Select(t.Context(), description, in, g.start)
	if err != nil || len(s.Soft) != 1 || len(s.Candidates)+len(s.Drops) != 0 {
		t.Errorf("%+v: %v", s, err)
	}
}
