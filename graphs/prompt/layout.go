// Package prompt is the room of packed prompts: how the prompts of many classes
// are laid out so that a causal text tower computes nothing twice and next to
// nothing in vain.
//
// In a causal tower a token's hidden state depends on the tokens before it
// alone. What all prompts begin with (the start token and, where the name comes
// last, the whole context) therefore has the same hidden states in all of them,
// in every layer: it is computed once. Of each prompt there remain its own rows,
// up to its end token; those of several prompts lie one behind the other in a
// block of rows, where a mask keeps each prompt to itself. Every matrix product
// is then one dense product over all rows, and the attention matrices are small.
//
// Prompts of any shape can be laid out: with the class name in the middle the
// prefix is the start token and the context's first half, with the name in front
// or a context per class it is the start token; initial words and plain texts
// (templates) are prompts like others. The graph that takes a Layout is
// clip.AddPacked; graphs.Model.PackPrompts joins the two.
//
// Not shared are tokens that only some of the prompts have in common.
package prompt

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrNoPrefix says that prompts do not even begin with the same token.
var ErrNoPrefix = errors.New("the prompts have no token in common at their beginning")

// Layout is a set of prompts, packed. It is not to be changed.
type Layout struct {
	Prompts   int
	Prefix    int // rows that all prompts share, at least 1
	Vectors   int // context vectors that the prompts name
	ChunkRows int // the most rows that a chunk may have
	Chunks    []Chunk
}

// Chunk is some consecutive prompts, packed into blocks. Its rows are the prefix
// and then the rows of its blocks, one block after the other.
type Chunk struct {
	First, Prompts int // the prompts First to First+Prompts-1
	Blocks         int // G
	BlockRows      int // B
	// IDs and Positions are the token of each row and its place in its prompt, from
	// 0: [Prefix + G*B]. An ID of -k stands for the k-th context vector.
	IDs, Positions []int32
	// Owners are the prompt of each block's rows, [G*B], counted from 0 within the
	// chunk; Nobody in the tail of a block.
	Owners []int32
	// Ends are the rows of the prompts' end tokens, [Prompts], the prefix not counted.
	Ends []int32
}

// Nobody owns the rows in the tail of a block.
const Nobody = -1

// Tower is what a layout has to know of the text tower that it is for.
type Tower struct{ Width, Layers int }

// Limits bound a layout.
type Limits struct {
	// BlockRows is B; a prompt with more rows of its own makes all blocks as large.
	// 0: what takes the fewest operations.
	BlockRows int
	// Memory bounds what a step holds on to between its way forth and back, in
	// bytes; 0: DefaultMemory. The runtime, the weights and the batch come on top.
	Memory int64
	// ChunkRows bounds the rows of a chunk, the prefix and the tails of blocks not
	// counted; a chunk has one prompt at least. 0: as many as Memory has room for.
	ChunkRows int
}

const (
	// DefaultMemory has room for about 1000 classes of CLIP's smaller text towers.
	DefaultMemory = 2 << 30
	// rowFloats is what a step holds on to of a row, in widths of the tower and
	// layers: 10 by count (keptBlock of package clip), 11 measured on 512 x 12 x 8.
	rowFloats = 12
)

func (l Limits) chunkRows(t Tower) int {
	if l.ChunkRows > 0 {
		return l.ChunkRows
	}
	memory := l.Memory
	if memory <= 0 {
		memory = DefaultMemory
	}
	return int(max(1, memory/(4*rowFloats*int64(t.Width)*int64(t.Layers))))
}

// Pack lays prompts out: rows of token ids from start token to end token, which
// is the largest id of its row; what follows it is left out. Errors: ErrNoPrefix,
// and prompts without ids.
func Pack(prompts [][]int32, tower Tower, limits Limits) (Layout, error) {
	if len(prompts) == 0 {
		return Layout{}, errors.New("packing prompts: there are none")
	}
	texts := make([][]int32, len(prompts))
	layout := Layout{Prompts: len(prompts), ChunkRows: limits.chunkRows(tower)}
	for i, ids := range prompts {
		if len(ids) == 0 {
			return Layout{}, fmt.Errorf("packing prompts: prompt %d has no tokens", i)
		}
		texts[i] = ids[:slices.Index(ids, slices.Max(ids))+1]
		layout.Vectors = max(layout.Vectors, int(-slices.Min(texts[i])))
	}
	layout.Prefix = commonPrefix(texts)
	if layout.Prefix == 0 {
		return Layout{}, ErrNoPrefix
	}
	blockRows := layout.blockRows(texts, tower.Width, limits.BlockRows)
	for first := 0; first < len(texts); {
		chunk := layout.chunk(texts, first, blockRows, max(layout.ChunkRows, blockRows))
		layout.Chunks = append(layout.Chunks, chunk)
		first += chunk.Prompts
	}
	return layout, nil
}

// commonPrefix is how many tokens all texts begin with. Each keeps one of its
// own, its end.
func commonPrefix(texts [][]int32) int {
	n := len(texts[0]) - 1
	for _, text := range texts[1:] {
		n = min(n, len(text)-1)
		for i := range n {
			if text[i] != texts[0][i] {
				n = i
				break
			}
		}
	}
	return n
}

// blockRows is the number of rows of a block: the asked one, or else that of a
// few which takes the fewest operations, at least as many as the longest text has.
func (l Layout) blockRows(texts [][]int32, width, asked int) int {
	longest := 0
	for _, text := range texts {
		longest = max(longest, len(text)-l.Prefix)
	}
	if asked > 0 {
		return max(asked, longest)
	}
	best, least := 0, math.MaxInt
	for _, candidate := range []int{16, 24, 32, 48} {
		candidate = max(candidate, longest)
		_, blocks := firstFitDecreasing(texts, l.Prefix, candidate)
		// A row of a layer takes 24 W^2 operations in dense products, and 4 W with
		// each row that it attends to, which are small products at a fraction of the rate.
		const slower = 4
		if cost := blocks * candidate * (6*width + slower*(l.Prefix+candidate)); cost < least {
			best, least = candidate, cost
		}
	}
	return best
}

// chunk packs as many texts from first on as their rows are within limit.
func (l Layout) chunk(texts [][]int32, first, blockRows, limit int) Chunk {
	rows, last := 0, first
	for ; last < len(texts) && rows+len(texts[last])-l.Prefix <= limit; last++ {
		rows += len(texts[last]) - l.Prefix
	}
	texts, prefix := texts[first:last], texts[first][:l.Prefix]
	starts, blocks := firstFitDecreasing(texts, l.Prefix, blockRows)
	chunk := Chunk{
		First: first, Prompts: len(texts), Blocks: blocks, BlockRows: blockRows,
		IDs:       make([]int32, l.Prefix+blocks*blockRows),
		Positions: make([]int32, l.Prefix+blocks*blockRows),
		Owners:    slices.Repeat([]int32{Nobody}, blocks*blockRows),
		Ends:      make([]int32, len(texts)),
	}
	copy(chunk.IDs, prefix)
	for i := range prefix {
		chunk.Positions[i] = int32(i)
	}
	for i, text := range texts {
		for k, id := range text[l.Prefix:] {
			row := starts[i] + k
			chunk.IDs[l.Prefix+row] = id
			chunk.Positions[l.Prefix+row] = int32(l.Prefix + k)
			chunk.Owners[row] = int32(i)
			chunk.Ends[i] = int32(row)
		}
	}
	return chunk
}

// firstFitDecreasing gives each text the row that its own tokens begin at: the
// longest first, each into the first block that has room for it.
func firstFitDecreasing(texts [][]int32, prefix, blockRows int) (starts []int, blocks int) {
	order := make([]int, len(texts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(texts[b]), len(texts[a])) })
	starts = make([]int, len(texts))
	var used []int
	for _, i := range order {
		size := len(texts[i]) - prefix
		block := slices.IndexFunc(used, func(rows int) bool { return rows+size <= blockRows })
		if block < 0 {
			block = len(used)
			used = append(used, 0)
		}
		starts[i] = block*blockRows + used[block]
		used[block] += size
	}
	return starts, len(used)
}
