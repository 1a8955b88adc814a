package prompt_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/upl-host/upl-host/graphs/prompt"
)

// TestOperationsByHand counts a tower of two layers on paper.
func TestOperationsByHand(t *testing.T) {
	tower := prompt.Sizes{Width: 10, Layers: 2, MLPWidth: 30, EmbeddingWidth: 7}
	// One prompt: start, a vector, end, and padding that costs nothing.
	prompts := [][]int32{{90, -1, 99, 0, 0}}
	// The first layer's rows see 1, 2, 3: 3 x (4 x 100 + 2 x 300) + 2 x 10 x (1 + 2 + 3).
	// The last layer: 3 keys and values, 3 x 200; the end token's query, attention
	// to 3, output and MLP: 100 + 60 + 100 + 600; its projection: 70.
	forward := 2 * (3000 + 120 + 600 + 860 + 70)
	if got := tower.FeatureOperations(prompts); got != int64(forward) {
		t.Errorf("forward: %d operations, by hand %d", got, forward)
	}
	// Logits of a batch of 5, there and back: 2 x 35; the projection: 70. The last
	// layer: MLP 600, output 100, weights 30; values and keys of the vector and
	// itself 2 x 20; its query 30 + 100; key and value of both rows 2 x 200.
	// The first layer, of the vector and the end token: MLP and output 2 x 700,
	// weights 20 + 30, value and key of the vector for both 2 x 20; the vector's
	// query 20 + 100, its key and value 200.
	backward := 2 * (70 + 70 + 600 + 100 + 30 + 40 + 130 + 400 + 1400 + 50 + 40 + 120 + 200)
	if got := tower.GradientOperations(prompts, 5); got != int64(forward+backward) {
		t.Errorf("gradient: %d operations, by hand %d", got, forward+backward)
	}
	// A second prompt shares two rows.
	two := [][]int32{{90, -1, 99}, {90, -1, 8, 99}}
	// Beside them: a row that sees 3, one that sees 4 and ends.
	more := 2 * (1000 + 60 + 200 + 1000 + 80 + 200 + 100 + 80 + 100 + 600 + 70)
	if got := tower.FeatureOperations(two); got != int64(forward+more) {
		t.Errorf("two prompts: %d operations, by hand %d", got, forward+more)
	}
}

// TestOperationsAgainstAllProducts counts product by product, over a graph of the
// rows' hidden states, which products the features need, and which the gradient.
func TestOperationsAgainstAllProducts(t *testing.T) {
	const start, end = 1000, 1001
	rapid.Check(t, func(t *rapid.T) {
		shared := append([]int32{start}, rapid.SliceOfN(rapid.Int32Range(-3, 3), 0, 4).Draw(t, "shared")...)
		prompts := make([][]int32, rapid.IntRange(1, 5).Draw(t, "prompts"))
		for i := range prompts {
			prompts[i] = append(append([]int32{}, shared...), rapid.SliceOfN(rapid.Int32Range(-3, 3), 0, 5).Draw(t, "own")...)
			prompts[i] = append(prompts[i], end)
		}
		tower := prompt.Sizes{
			Width: rapid.IntRange(1, 9).Draw(t, "width"), Layers: rapid.IntRange(1, 3).Draw(t, "layers"),
			MLPWidth: rapid.IntRange(1, 9).Draw(t, "mlp"), EmbeddingWidth: rapid.IntRange(1, 9).Draw(t, "embedding"),
		}
		batch := rapid.IntRange(1, 4).Draw(t, "batch")
		forward, backward := countProducts(tower, prompts, batch)
		if got := tower.FeatureOperations(prompts); got != forward {
			t.Errorf("features: %d operations, product by product %d", got, forward)
		}
		if got := tower.GradientOperations(prompts, batch); got != forward+backward {
			t.Errorf("gradient: %d operations, product by product %d", got, forward+backward)
		}
	})
}

// node is a row's hidden state at a layer's input: a prompt's tokens up to there.
// Prompts that begin alike share the nodes of what all of them begin with.
type node struct {
	prompt, position int
}

// countProducts walks back from the end tokens through what they need, and
// forth from the context vectors through what they reach.
func countProducts(tower prompt.Sizes, prompts [][]int32, batch int) (forward, backward int64) {
	prefix := 0
	for !slices.ContainsFunc(prompts, func(p []int32) bool { return prefix >= len(p)-1 || p[prefix] != prompts[0][prefix] }) {
		prefix++
	}
	at := func(p, i int) node {
		if i < prefix {
			return node{0, i}
		}
		return node{p, i}
	}
	needed, reached := map[node]bool{}, map[node]bool{}
	sees := map[node][]node{}
	for p, ids := range prompts {
		for i, id := range ids {
			n := at(p, i)
			needed[n] = i == len(ids)-1 // at the last layer's output
			reached[n] = id < 0         // at the first layer's input
			sees[n] = nil
			for j := range i + 1 {
				sees[n] = append(sees[n], at(p, j))
			}
		}
	}
	w, m := int64(tower.Width), int64(tower.MLPWidth)
	// By layer: who is reached at its input.
	inputs := []map[node]bool{reached}
	for layer := range tower.Layers {
		next := map[node]bool{}
		for n, seen := range sees {
			for _, s := range seen {
				next[n] = next[n] || inputs[layer][s]
			}
		}
		inputs = append(inputs, next)
	}
	for layer := tower.Layers - 1; layer >= 0; layer-- {
		input, output, keys := inputs[layer], inputs[layer+1], map[node]bool{}
		for n, need := range needed {
			if !need {
				continue
			}
			forward += w*w + w*w + 2*w*m // query, output, MLP
			if output[n] {
				backward += w*w + 2*w*m
			}
			if input[n] {
				backward += w * w
			}
			for _, s := range sees[n] {
				keys[s] = true
				forward += 2 * w // a score, a value
				if output[n] {
					backward += w // of the weight
				}
				if input[n] {
					backward += w // of the query
				}
				if input[s] {
					backward += 2 * w // of value and key
				}
			}
		}
		for n := range keys {
			forward += 2 * w * w
			if input[n] {
				backward += 2 * w * w
			}
			needed[n] = true
		}
	}
	d := int64(tower.EmbeddingWidth)
	for p, ids := range prompts {
		forward += w * d
		if inputs[tower.Layers][at(p, len(ids)-1)] {
			backward += w * d
		}
	}
	backward += 2 * int64(batch*len(prompts)) * d
	return 2 * forward, 2 * backward
}
