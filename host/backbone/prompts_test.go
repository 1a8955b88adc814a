package backbone_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/tokenizer"
	"github.com/upl-host/upl-host/host/backbone"
)

// lengths is a tokenizer of a token a word: the number of its letters.
type lengths struct{ tokenizer.Tokenizer }

var errLong = errors.New("too long")

func (lengths) Encode(text string) (ids []int32, err error) {
	for word := range strings.FieldsSeq(text) {
		ids = append(ids, int32(len(word)))
	}
	if len(ids) > 3 {
		return nil, errLong
	}
	return ids, nil
}

// Each class has the mean of its own prompts, normalised, however many they are.
func TestClassPromptFeatures(t *testing.T) {
	d := &backbone.Description{Name: "m", Tokenizer: lengths{}}
	prompts := [][]string{{"a", "bb"}, {"ccc"}, {"a", "a", "bb"}}
	names := []string{"x", "y", "z"}
	var rows []int
	got, err := d.ClassPromptFeatures(prompts, names, func(tokens graphs.Tokens) (array.Matrix, error) {
		rows = append(rows, tokens.Rows)
		m := array.NewMatrix(tokens.Rows, 2)
		for r := range tokens.Rows { // 1 is (1, 0), 2 is (0, 1), 3 is (-1, 0)
			angle := float64(tokens.IDs[r*tokens.Length]-1) * math.Pi / 2
			m.Row(r)[0], m.Row(r)[1] = float32(math.Cos(angle)), float32(math.Sin(angle))
		}
		return m, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{3, 2, 1}, rows); diff != "" {
		t.Errorf("rows encoded at once: %s", diff)
	}
	half, fifth := float32(math.Sqrt(0.5)), float32(math.Sqrt(0.2))
	want := []float32{half, half, -1, 0, 2 * fifth, fifth}
	if diff := cmp.Diff(want, got.Data, cmpopts.EquateApprox(0, 1e-6)); diff != "" || got.Rows != 3 {
		t.Error(diff)
	}
	_, err = d.ClassPromptFeatures([][]string{{"a"}, {"b", "a b c d"}}, names, func(graphs.Tokens) (array.Matrix, error) { return array.Matrix{}, nil })
	if !errors.Is(err, errLong) || !strings.Contains(err.Error(), `prompt "a b c d" of class "y" for model m`) {
		t.Errorf("a prompt that is too long: %v", err)
	}
}
