package prompt

import "slices"

// Tower is the sizes of a CLIP text tower that its operations are counted from.
// The number of heads changes nothing: each has its part of the width.
type Tower struct {
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
func (t Tower) FeatureOperations(prompts [][]int32) int64 {
	n := int64(0)
	for _, r := range sharedRows(prompts) {
		if r.end {
			n += int64(t.Layers)*t.layer(r) + t.product(t.Width, t.EmbeddingWidth)
		} else {
			n += int64(t.Layers-1)*t.layer(r) + t.product(t.Width, 2*t.Width)
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
func (t Tower) GradientOperations(prompts [][]int32, batch int) int64 {
	n := t.FeatureOperations(prompts) + 2*t.product(batch*len(prompts), t.EmbeddingWidth)
	for _, r := range sharedRows(prompts) {
		for layer := range t.Layers {
			n += t.back(r, layer == 0, layer == t.Layers-1)
		}
		if r.end && r.vectors > 0 {
			n += t.product(t.Width, t.EmbeddingWidth)
		}
	}
	return n
}

// back counts a row's part of a layer's way back.
func (t Tower) back(r row, first, last bool) int64 {
	input, reached := r.reached > 0, r.reached
	if first {
		input, reached = r.isVector, r.vectors
	}
	n := int64(0)
	if input {
		n += t.product(t.Width, 2*t.Width) // key and value
	}
	if r.reached == 0 || last && !r.end {
		return n
	}
	n += t.product(t.Width, t.Width+2*t.MLPWidth+r.seen+2*reached)
	if input {
		n += t.product(t.Width, t.Width+r.seen) // query
	}
	return n
}

// layer counts a row's way through a layer.
func (t Tower) layer(r row) int64 {
	return t.product(t.Width, 4*t.Width+2*t.MLPWidth+2*r.seen)
}

// product counts the operations of a x b multiply-adds.
func (Tower) product(a, b int) int64 { return 2 * int64(a) * int64(b) }

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
