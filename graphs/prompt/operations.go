package prompt

import "slices"

// Sizes are those of a CLIP text tower that its operations are counted from. The
// number of heads changes nothing: each has its part of the width.
type Sizes struct {
	Width, Layers, MLPWidth int // W, layers, M
	EmbeddingWidth          int // D
}

// FeatureOperations counts the floating-point operations that the features of
// prompts take at least, where what all begin with is computed once. It is the
// yardstick of what a layout makes of a machine: tails, padding, prefixes that are
// computed again and gradients that lead nowhere are not in it.
//
// Counted are the products, two operations a multiply-add; norms, activations and
// softmax are left out. Of a row of a prompt that sees s rows, itself included:
//
//	a layer           2 (4 W^2 + 2 W M + 2 s W)
//	the last layer    2 (2 W^2), its key and value; and of end tokens the rest
//	an end token      2 W D, the projection
func (s Sizes) FeatureOperations(prompts [][]int32) int64 {
	n := int64(0)
	for _, r := range sharedRows(prompts) {
		if r.end {
			n += int64(s.Layers)*s.layer(r) + s.product(s.Width, s.EmbeddingWidth)
		} else {
			n += int64(s.Layers-1)*s.layer(r) + s.product(s.Width, 2*s.Width)
		}
	}
	return n
}

// GradientOperations counts the operations of a loss of eq. 4 over a batch of
// features, and of its gradient with respect to the context vectors: those of
// FeatureOperations; the logits, 2 B C D, forth and back; the projection back; and
// the way back through each layer, of rows that a context vector reaches. A row
// whose output it reaches takes
//
//	2 (W^2 + 2 W M + s W)   MLP, output projection, weights of the attention
//	2 (2 k W)               values and keys of the k seen rows whose input it reaches
//
// and, where it reaches the row's input, 2 (3 W^2 + s W) more, its queries, keys
// and values. A vector reaches its own row's input in the first layer, and behind
// it all rows that see it. In the last layer only end tokens have a query.
func (s Sizes) GradientOperations(prompts [][]int32, batch int) int64 {
	n := s.FeatureOperations(prompts) + 2*s.product(batch*len(prompts), s.EmbeddingWidth)
	for _, r := range sharedRows(prompts) {
		for layer := range s.Layers {
			n += s.back(r, layer == 0, layer == s.Layers-1)
		}
		if r.end && r.vectors > 0 {
			n += s.product(s.Width, s.EmbeddingWidth)
		}
	}
	return n
}

// back counts a row's part of a layer's way back.
func (s Sizes) back(r row, first, last bool) int64 {
	input, reached := r.reached > 0, r.reached
	if first {
		input, reached = r.isVector, r.vectors
	}
	n := int64(0)
	if input {
		n += s.product(s.Width, 2*s.Width) // key and value
	}
	if r.reached == 0 || last && !r.end {
		return n
	}
	n += s.product(s.Width, s.Width+2*s.MLPWidth+r.seen+2*reached)
	if input {
		n += s.product(s.Width, s.Width+r.seen) // query
	}
	return n
}

// layer counts a row's way through a layer.
func (s Sizes) layer(r row) int64 {
	return s.product(s.Width, 4*s.Width+2*s.MLPWidth+2*r.seen)
}

// product counts the operations of a x b multiply-adds.
func (Sizes) product(a, b int) int64 { return 2 * int64(a) * int64(b) }

// row is a row that has to be computed: a token of a prompt.
type row struct {
	seen     int // rows that it attends to: its position + 1
	reached  int // of those, from the first context vector on
	vectors  int // of those, context vectors
	isVector bool
	end      bool
}

// sharedRows are the rows of prompts, from start token to end token each, those
// of what all begin with once.
func sharedRows(prompts [][]int32) []row {
	texts := make([][]int32, len(prompts))
	for i, ids := range prompts {
		texts[i] = ids[:slices.Index(ids, slices.Max(ids))+1]
	}
	if len(texts) == 0 {
		return nil
	}
	prefix := commonPrefix(texts)
	rows := make([]row, 0, prefix)
	for i, text := range texts {
		of := rowsOf(text)
		if i > 0 {
			of = of[prefix:]
		}
		rows = append(rows, of...)
	}
	return rows
}

// rowsOf are the rows of one prompt.
func rowsOf(text []int32) []row {
	rows := make([]row, len(text))
	seen := row{}
	for i, id := range text {
		seen.isVector = id < 0
		if seen.isVector {
			seen.vectors++
		}
		if seen.vectors > 0 {
			seen.reached++
		}
		seen.seen++
		rows[i] = seen
	}
	rows[len(rows)-1].end = true
	return rows
}
