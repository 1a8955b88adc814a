package session_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/sdktest"
	"github.com/upl-host/upl-host/sdk/session"
)

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
		"reserved field":      {sdk.CodeInvalid, open(func(s *sdk.ViewSpec) { s.Reserved[1] = 1 })},
		"flag":                {sdk.CodeInvalid, open(func(s *sdk.ViewSpec) { s.Flags = 64 })},
		"model":               {sdk.CodeRange, open(func(s *sdk.ViewSpec) { s.Model = 2 })},
		"model below":         {sdk.CodeRange, open(func(s *sdk.ViewSpec) { s.Model = -2 })},
		"unknown view":        {sdk.CodeNotSupported, open(func(s *sdk.ViewSpec) { s.Kind = 12 })},
		"features":            {sdk.CodeDenied, open(func(s *sdk.ViewSpec) { s.Kind, s.Model = sdk.ViewFeatures, 0 })},
		"temperature NaN":     {sdk.CodeRange, open(func(s *sdk.ViewSpec) { s.Temperature = float32(math.NaN()) })},
		"temperature below":   {sdk.CodeRange, open(func(s *sdk.ViewSpec) { s.Temperature = -1 })},
		"temperature of none": {sdk.CodeInvalid, open(func(s *sdk.ViewSpec) { s.Kind, s.Temperature = sdk.ViewAgree, 2 })},
		"top 0":               {sdk.CodeRange, open(func(s *sdk.ViewSpec) { s.Kind = sdk.ViewTopM })},
		"top of too many":     {sdk.CodeRange, open(func(s *sdk.ViewSpec) { s.Kind, s.M = sdk.ViewTopM, 4 })},
		"column":              {sdk.CodeRange, open(func(s *sdk.ViewSpec) { s.Kind, s.Class = sdk.ViewColumn, 3 })},
		"quantile":            {sdk.CodeRange, open(func(s *sdk.ViewSpec) { s.Kind = sdk.ViewQuantile })},
		"quantile's column":   {sdk.CodeRange, open(func(s *sdk.ViewSpec) { s.Kind, s.M, s.Flags, s.Class = sdk.ViewQuantile, 1, sdk.FlagColumn, 3 })},
		"quantile of all":     {sdk.CodeRange, open(func(s *sdk.ViewSpec) { s.Kind, s.M, s.Flags = sdk.ViewQuantile, 1, sdk.FlagAll })},
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
		"classes": {session.Limits{Classes: 3}, guest{end: func(h sdk.Host, _ int) (bool, error) {
			return false, h.Emit(sdk.EmitCandidates, slices.Concat(candidates(0, 1, 0, 1), candidates(1, 1, 0, 1)))
		}}, session.LimitRecords},
		"drops": {session.Limits{Records: 1}, guest{end: func(h sdk.Host, _ int) (bool, error) {
			return false, errors.Join(h.Emit(sdk.EmitDrop, drop(3)), h.Emit(sdk.EmitHard, label(0, 0)))
		}}, session.LimitRecords},
		"rounds": {session.Limits{}, guest{end: func(sdk.Host, int) (bool, error) { return true, nil }}, session.LimitRounds},
		"log":    {session.Limits{Output: 100}, guest{configure: func(h sdk.Host) error { return h.Log(sdk.LevelInfo, strings.Repeat("x", 200)) }}, session.LimitOutput},
	} {
		in := taking(input(20, 3))
		in.BatchRows, in.Limits = 2, c.limits
		_, err := session.Select(t.Context(), description, in, c.guest.start)
		var limit *session.LimitError
		if !errors.As(err, &limit) || limit.Limit != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A log line says in which round and at which rows it was said.
func TestLogSaysWhere(t *testing.T) {
	say := func(h sdk.Host, text string) error { return h.Log(sdk.LevelInfo, text) }
	g := &guest{
		configure: func(h sdk.Host) error { return say(h, "configure") },
		begin:     func(h sdk.Host, _ int) error { return say(h, "begin") },
		observe:   func(h sdk.Host, _, _ int) error { return say(h, "observe") },
		end:       func(h sdk.Host, _ int) (bool, error) { return false, say(h, "end") },
		combine:   func(h sdk.Host, _, _ int) error { return errors.Join(say(h, "combine"), errors.New("enough")) },
	}
	in := input(5, 2)
	in.BatchRows = 3
	selected, err := session.Select(t.Context(), description, in, g.start)
	if err != nil {
		t.Fatal(err)
	}
	line := func(text string, row, rows int) session.Line {
		return session.Line{Level: sdk.LevelInfo, Row: row, Rows: rows, Text: text}
	}
	want := []session.Line{line("configure", -1, 0), line("begin", -1, 0), line("observe", 0, 3), line("observe", 3, 2), line("end", -1, 0)}
	if !slices.Equal(selected.Log, want) {
		t.Errorf("%+v", selected.Log)
	}
	ensemble := description
	ensemble.Kind = sdk.KindEnsemble
	in.Ensemble = nil
	told, err := session.Combine(t.Context(), ensemble, in, func(int, []float32) error { return nil }, g.start)
	if last := told.Log[len(told.Log)-1]; err == nil || last != line("combine", 0, 3) {
		t.Errorf("%+v: %v", last, err)
	}
}
