package check

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs"
)

// TestArrange: a token of a mark and the full stop, as "ram (male)." has it, stays
// that prompt's own, and with the name, as CoOp has it.
func TestArrange(t *testing.T) {
	const start, x, stop, marked, finish = 90, 10, 20, 21, 91
	p, err := splitPrompts(graphs.PadTokens([][]int32{
		{start, x, x, 1, 2, marked, finish},
		{start, x, x, 3, stop, finish},
		{start, x, x, 4, stop, finish},
	}), 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		where  place
		stride int
		want   [][]int32
	}{
		{"end", end, 0, [][]int32{
			{start, -1, -2, 1, 2, marked, finish}, {start, -1, -2, 3, stop, finish}, {start, -1, -2, 4, stop, finish},
		}},
		{"middle", middle, 0, [][]int32{
			{start, -1, 1, 2, marked, -2, finish}, {start, -1, 3, -2, stop, finish}, {start, -1, 4, -2, stop, finish},
		}},
		{"front", front, 0, [][]int32{
			{start, 1, 2, marked, -1, -2, finish}, {start, 3, -1, -2, stop, finish}, {start, 4, -1, -2, stop, finish},
		}},
		{"a context a class", end, 2, [][]int32{
			{start, -1, -2, 1, 2, marked, finish}, {start, -3, -4, 3, stop, finish}, {start, -5, -6, 4, stop, finish},
		}},
	} {
		if d := cmp.Diff(graphs.PadTokens(c.want), p.arrange(c.where, 2, c.stride)); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}
