package arrays_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/arrays"
	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
)

// Whatever is written is read back.
func TestReadSelection(t *testing.T) {
	hard := []plugins.Label{{Row: 0, Class: 1, Weight: 0.5}, {Row: 0, Class: 2, Weight: 1}}
	soft := []plugins.SoftLabel{{Row: 1, Weight: 2, P: []sdk.Candidate{{Class: 0, P: 0.25}, {Class: 2, P: 0.75}}}}
	sets := []plugins.CandidateSet{{Row: 2, Weight: 1, Classes: []int{0, 1}}, {Row: 3, Weight: 0, Classes: []int{2}}}
	for name, s := range map[string]plugins.Selection{
		"hard":      {Labels: hard},
		"soft":      {Soft: soft},
		"sets":      {Candidates: sets},
		"all":       {Labels: hard, Soft: soft, Candidates: sets, Drops: []int{4}},
		"two kinds": {Soft: soft, Candidates: sets},
		"drops":     {Labels: hard, Drops: []int{3, 4}},
	} {
		path := filepath.Join(t.TempDir(), "s.npz")
		if err := arrays.WriteSelection(path, s, 3); err != nil {
			t.Fatal(err)
		}
		got, err := arrays.ReadSelection(path, 5, 3)
		if diff := cmp.Diff(s, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
		if _, err := arrays.ReadSelection(path, 5, 2); err == nil || !strings.Contains(err.Error(), "s.npz") {
			t.Errorf("%s: for two classes: %v", name, err)
		}
		if _, err := arrays.ReadSelection(path, 0, 3); err == nil {
			t.Errorf("%s: for no rows: no error", name)
		}
	}
}

func TestReadSelectionRefuses(t *testing.T) {
	good := func() map[string]array.Array {
		return map[string]array.Array{
			"rows": vector[int64](0, 1), "weights": vector[float32](1, 1),
			"offsets": vector[int64](0, 1, 3), "classes": vector[int32](0, 1, 2),
		}
	}
	for says, spoil := range map[string]func(a map[string]array.Array){
		"rows: ":                           func(a map[string]array.Array) { a["rows"] = vector[float32](0, 1) },
		"rows: value 1 is 9":               func(a map[string]array.Array) { a["rows"] = vector[int64](0, 9) },
		"1 weights for 2 rows":             func(a map[string]array.Array) { a["weights"] = vector[float32](1) },
		"offsets has 2 values":             func(a map[string]array.Array) { a["offsets"] = vector[int64](0, 3) },
		"offsets do not go from 0":         func(a map[string]array.Array) { a["offsets"] = vector[int64](1, 1, 3) },
		"classes: value 2 is -1":           func(a map[string]array.Array) { a["classes"] = vector[int32](0, 1, -1) },
		"offsets do not go from 0 to":      func(a map[string]array.Array) { a["offsets"] = vector[int64](0, 2, 2) },
		"soft is 1 x 3, where 2 x 3 are":   func(a map[string]array.Array) { a["soft"] = array.Array{Shape: []int{1, 3}, Data: []float32{0, 0, 1}} },
		"drops: value 0 is 5, want 0 to 4": func(a map[string]array.Array) { a["drops"] = vector[int64](5) },
		"hard_weights":                     func(a map[string]array.Array) { a["hard_rows"] = vector[int64](4) },
	} {
		a := good()
		spoil(a)
		path := filepath.Join(t.TempDir(), "s.npz")
		if err := array.WriteArchive(path, a); err != nil {
			t.Fatal(err)
		}
		if _, err := arrays.ReadSelection(path, 5, 3); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
}
