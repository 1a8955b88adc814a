package host

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/backbone"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/label"
	"github.com/upl-host/upl-host/plugins"
)

// The classes of the texts are in the order in which these are encoded.
func TestTextClasses(t *testing.T) {
	spoken := []string{"a", "b", "c"}
	for _, test := range []struct {
		prompting prompting
		want      []int
	}{
		{prompting{spoken: spoken, templates: []string{"{}", "a {}"}}, []int{0, 1, 2, 0, 1, 2}},
		{prompting{spoken: spoken, ofClasses: [][]string{{"x"}, {"x", "y", "z"}, {"x", "y"}}}, []int{0, 1, 2, 1, 2, 1}},
	} {
		if diff := cmp.Diff(test.want, test.prompting.of()); diff != "" {
			t.Error(diff)
		}
	}
}

// A model whose texts are wider the longer they are is found out.
func TestEachTextIsOfOneWidth(t *testing.T) {
	d := &backbone.Description{Name: "m", HasSimilarity: true}
	lists := []graphs.Tokens{graphs.PadTokens([][]int32{{1}, {2}}), graphs.PadTokens([][]int32{{1, 2}})}
	features := func(width func(graphs.Tokens) int) (array.Matrix, error) {
		return d.EachText(lists, func(tokens graphs.Tokens) (array.Matrix, error) {
			m := array.NewMatrix(tokens.Rows, width(tokens))
			for i := range m.Data {
				m.Data[i] = float32(tokens.IDs[0]) + float32(tokens.Length)/10
			}
			return m, nil
		})
	}
	got, err := features(func(graphs.Tokens) int { return 2 })
	want := array.Matrix{Rows: 3, Cols: 2, Data: []float32{1.1, 1.1, 1.1, 1.1, 1.2, 1.2}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if _, err := features(func(tokens graphs.Tokens) int { return tokens.Length }); !errors.Is(err, graphs.ErrContract) || !strings.Contains(err.Error(), "padding") {
		t.Errorf("texts of different widths: %v", err)
	}
}

// What works on features that inner products compare is refused by name.
func TestCheckSimilarity(t *testing.T) {
	blind := &label.Policy{Policy: &plugins.Policy{}}
	blind.Name = "blind"
	seeing := &label.Policy{Policy: &plugins.Policy{Granted: []string{plugins.GrantFeatures}}}
	seeing.Name = "seeing"
	clip, filip := &backbone.Description{Name: "clip"}, &backbone.Description{Name: "filip", HasSimilarity: true}
	for _, test := range []struct {
		models              []*backbone.Description
		method              string
		ensemble, selection *label.Policy
		says                []string
	}{
		{[]*backbone.Description{clip}, config.MethodTipAdapter, seeing, seeing, nil},
		{[]*backbone.Description{filip}, config.MethodPrompt, blind, blind, nil},
		{[]*backbone.Description{filip, clip}, config.MethodCoOp, blind, blind, nil},
		{[]*backbone.Description{filip}, config.MethodZeroShot, blind, blind, nil},
		{[]*backbone.Description{clip, filip}, config.MethodLinearProbe, blind, blind, nil},
		{[]*backbone.Description{filip, clip}, config.MethodLinearProbe, blind, blind, []string{"learn.method", "linear-probe", "filip"}},
		{[]*backbone.Description{clip, filip}, config.MethodPrompt, seeing, blind, []string{"label.ensemble", "seeing", "filip"}},
		{[]*backbone.Description{filip}, config.MethodZeroShot, blind, seeing, []string{"label.selection", "seeing", "filip"}},
	} {
		p := &plan{config: &config.Config{}, models: test.models, ensemble: test.ensemble, selection: test.selection}
		p.config.Learn.Method = test.method
		err := p.checkSimilarity()
		var usage *UsageError
		if errors.As(err, &usage) != (test.says != nil) {
			t.Errorf("%+v: %v", test, err)
		}
		if slices.ContainsFunc(test.says, func(part string) bool { return !strings.Contains(err.Error(), part) }) {
			t.Errorf("%v does not say %q", err, test.says)
		}
	}
}

// What is known of several prompts are the means of their logits.
func TestKnown(t *testing.T) {
	c := &comparison{Mapped: &array.Mapped{Matrix: array.Matrix{Rows: 2, Cols: 6, Data: []float32{1, 2, 4, 8, 16, 32, 0, -1, -3, 5, 7, 9}}}}
	for _, test := range []struct {
		from, to int
		want     []float32
	}{
		{0, 1, []float32{1, 2, 0, -1}},
		{2, 3, []float32{16, 32, 7, 9}},
		{0, 3, []float32{7, 14, 4.0 / 3, 13.0 / 3}},
	} {
		h, out := known{c, 2, test.from, test.to}, array.NewMatrix(2, 2)
		if err := h.Logits(c.Matrix, out); err != nil || !slices.Equal(out.Data, test.want) || h.Classes() != 2 || h.Width() != 6 {
			t.Errorf("prompts %d to %d: %v, want %v: %v", test.from, test.to, out.Data, test.want, err)
		}
	}
}
