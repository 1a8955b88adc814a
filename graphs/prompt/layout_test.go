package prompt_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/upl-host/upl-host/graphs/prompt"
)

var tower = prompt.Tower{Width: 512, Layers: 12}

func TestPack(t *testing.T) {
	const start, stop, end = 90, 80, 99
	got, err := prompt.Pack([][]int32{
		{start, -1, -2, 5, stop, end, 0, 0},
		{start, -1, -2, 6, 7, 8, stop, end},
		{start, -1, -2, 9, stop, end, 0, 0},
	}, tower, prompt.Limits{BlockRows: 6, ChunkRows: 100})
	if err != nil {
		t.Fatal(err)
	}
	want := prompt.Layout{Prompts: 3, Prefix: 3, Vectors: 2, ChunkRows: 100, Chunks: []prompt.Chunk{{
		First: 0, Prompts: 3, Blocks: 2, BlockRows: 6,
		IDs: []int32{
			start, -1, -2,
			6, 7, 8, stop, end, 0,
			5, stop, end, 9, stop, end,
		},
		Positions: []int32{
			0, 1, 2,
			3, 4, 5, 6, 7, 0,
			3, 4, 5, 3, 4, 5,
		},
		Owners: []int32{1, 1, 1, 1, 1, prompt.Nobody, 0, 0, 0, 2, 2, 2},
		Ends:   []int32{8, 4, 11},
	}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	two := prompt.Chunk{
		First: 0, Prompts: 6, Blocks: 4, BlockRows: 6,
		IDs: []int32{
			start, -1, -2, start, -4, -5,
			6, 7, 8, stop, end, 0, 5, stop, end, 9, stop, end,
			6, 7, 8, stop, end, 0, 5, stop, end, 9, stop, end,
		},
		Positions: slices.Concat([]int32{0, 1, 2, 0, 1, 2}, slices.Repeat([]int32{3, 4, 5, 6, 7, 0, 3, 4, 5, 3, 4, 5}, 2)),
		Owners:    slices.Repeat([]int32{1, 1, 1, 1, 1, prompt.Nobody, 0, 0, 0, 2, 2, 2}, 2),
		Ends:      []int32{8, 4, 11, 20, 16, 23},
	}
	if d := cmp.Diff(two, got.Chunks[0].ForSeeds(2, got.Prefix, 3)); d != "" {
		t.Error(d)
	}
}

// TestTogether: seeds go side by side where a step of one is small, in groups
// alike, and within the memory.
func TestTogether(t *testing.T) {
	for _, c := range []struct {
		rows, limit, seeds, want int
	}{
		{200, 1 << 20, 16, 6}, // 6 at most: three groups of 6, 5 and 5
		{200, 1 << 20, 4, 4},
		{200, 1 << 20, 7, 4}, // 4 and 3
		{200, 450, 16, 2},
		{200, 100, 16, 1},
		{900, 1 << 20, 16, 1},
		{10, 1 << 20, 1, 1},
	} {
		layout := prompt.Layout{ChunkRows: c.limit, Chunks: []prompt.Chunk{{IDs: make([]int32, c.rows)}}}
		if got := layout.Together(c.seeds); got != c.want {
			t.Errorf("%d of %d seeds go together in steps of %d rows, want %d", got, c.seeds, c.rows, c.want)
		}
	}
	chunked := prompt.Layout{ChunkRows: 1 << 20, Chunks: []prompt.Chunk{{IDs: make([]int32, 10)}, {IDs: make([]int32, 10)}}}
	if got := chunked.Together(16); got != 1 {
		t.Errorf("%d seeds go together in chunks", got)
	}
}

// TestMemory: a chunk has the rows that there is memory for.
func TestMemory(t *testing.T) {
	prompts := make([][]int32, 100)
	for i := range prompts {
		prompts[i] = []int32{90, -1, int32(i % 80), 80, 99}
	}
	for memory, chunks := range map[int64]int{0: 1, 1: 100, 24 << 20: 4, 1 << 40: 1} {
		layout, err := prompt.Pack(prompts, tower, prompt.Limits{BlockRows: 3, Memory: memory})
		if err != nil || len(layout.Chunks) != chunks {
			t.Errorf("%d bytes: %d chunks, want %d (%v)", memory, len(layout.Chunks), chunks, err)
		}
	}
}

// TestBlockRows: blocks are as large as leaves the shortest tails, and no larger.
func TestBlockRows(t *testing.T) {
	for _, c := range []struct {
		own, prompts, want int
	}{
		{4, 40, 16},
		{12, 40, 24},
		{20, 3, 20},
		{60, 2, 60},
		{8, 2, 16},
	} {
		prompts := make([][]int32, c.prompts)
		for i := range prompts {
			prompts[i] = append([]int32{90, int32(i)}, slices.Repeat([]int32{5}, c.own-1)...)
			prompts[i][c.own] = 99
		}
		layout, err := prompt.Pack(prompts, tower, prompt.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got := layout.Chunks[0].BlockRows; got != c.want || len(layout.Chunks) != 1 {
			t.Errorf("%d prompts of %d rows: blocks of %d rows in %d chunks, want %d", c.prompts, c.own, got, len(layout.Chunks), c.want)
		}
	}
}

func TestPackFaults(t *testing.T) {
	if _, err := prompt.Pack([][]int32{{1, 9}, {2, 9}}, tower, prompt.Limits{}); !errors.Is(err, prompt.ErrNoPrefix) {
		t.Errorf("nothing in common: %v", err)
	}
	if _, err := prompt.Pack([][]int32{{9}}, tower, prompt.Limits{}); !errors.Is(err, prompt.ErrNoPrefix) {
		t.Errorf("an end token alone: %v", err)
	}
	for name, prompts := range map[string][][]int32{"none": nil, "empty": {{1, 9}, {}}} {
		if _, err := prompt.Pack(prompts, tower, prompt.Limits{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestAnyLayout: every prompt can be read back from any layout, no row is
// anyone else's, and the limits are kept.
func TestAnyLayout(t *testing.T) {
	const start, end = 1000, 1001
	rapid.Check(t, func(t *rapid.T) {
		shared := append([]int32{start}, rapid.SliceOfN(rapid.Int32Range(-5, 3), 0, 6).Draw(t, "shared")...)
		prompts := make([][]int32, rapid.IntRange(1, 40).Draw(t, "prompts"))
		for i := range prompts {
			own := rapid.SliceOfN(rapid.Int32Range(-9, 5), 0, 12).Draw(t, "own")
			prompts[i] = append(slices.Concat(shared, own), end)
		}
		limits := prompt.Limits{BlockRows: rapid.IntRange(0, 20).Draw(t, "block"), ChunkRows: rapid.IntRange(0, 60).Draw(t, "chunk")}
		layout, err := prompt.Pack(prompts, tower, limits)
		if err != nil {
			t.Fatal(err)
		}
		if layout.Prompts != len(prompts) || layout.Prefix < len(shared) && layout.Prefix < shortest(prompts)-1 {
			t.Fatalf("%d prompts behind a prefix of %d", layout.Prompts, layout.Prefix)
		}
		next, lowest := 0, int32(0)
		for _, chunk := range layout.Chunks {
			if chunk.First != next || chunk.BlockRows < limits.BlockRows ||
				limits.ChunkRows > 0 && owned(chunk) > max(limits.ChunkRows, chunk.BlockRows) {
				t.Fatalf("chunk %+v after %d prompts, limits %+v", chunk, next, limits)
			}
			for i := range chunk.Prompts {
				if d := cmp.Diff(prompts[next+i], read(t, layout.Prefix, chunk, i)); d != "" {
					t.Fatal(d)
				}
				lowest = min(lowest, slices.Min(prompts[next+i]))
			}
			next += chunk.Prompts
		}
		if next != len(prompts) || layout.Vectors != int(-lowest) {
			t.Fatalf("%d prompts with %d vectors", next, layout.Vectors)
		}
	})
}

func shortest(prompts [][]int32) int {
	n := len(prompts[0])
	for _, p := range prompts {
		n = min(n, len(p))
	}
	return n
}

func owned(c prompt.Chunk) int {
	n := 0
	for _, owner := range c.Owners {
		if owner != prompt.Nobody {
			n++
		}
	}
	return n
}

// read returns prompt i of a chunk: the prefix, and the rows that it owns, which
// lie one behind the other in one block, its end token last.
func read(t *rapid.T, prefix int, c prompt.Chunk, i int) []int32 {
	first := slices.Index(c.Owners, int32(i))
	ids := slices.Clone(c.IDs[:prefix])
	for row := first; row <= int(c.Ends[i]); row++ {
		if c.Owners[row] != int32(i) || row/c.BlockRows != first/c.BlockRows || int(c.Positions[prefix+row]) != len(ids) {
			t.Fatalf("row %d of prompt %d in %+v", row, i, c)
		}
		ids = append(ids, c.IDs[prefix+row])
	}
	if rest := c.Owners[c.Ends[i]+1:]; slices.Contains(rest, int32(i)) {
		t.Fatalf("prompt %d owns rows behind its end", i)
	}
	return ids
}
