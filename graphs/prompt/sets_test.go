//go:build tensorflow

package prompt_test

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/prompt"
	"github.com/upl-host/upl-host/graphs/tokenizer"
)

// withSets is a batch whose rows are in turn a candidate set, a soft label and a
// hard one, with weights.
func withSets(random *rand.Rand, features array.Matrix, classes int) graphs.Batch {
	b := graphs.Batch{Features: features, Targets: array.NewMatrix(features.Rows, classes), Sets: make([]bool, features.Rows)}
	for i := range features.Rows {
		row, weight := b.Targets.Row(i), 0.25+random.Float32()
		switch i % 3 {
		case 0:
			b.Sets[i] = true
			size := 1 + random.IntN(classes)
			for _, c := range random.Perm(classes)[:size] {
				row[c] = weight / float32(size)
			}
		case 1:
			var sum float32
			for c := range row {
				row[c] = random.Float32()
				sum += row[c]
			}
			for c := range row {
				row[c] *= weight / sum
			}
		default:
			row[random.IntN(classes)] = weight
		}
	}
	return b
}

// byHand is the loss of a batch at its logits, and the targets whose cross-entropy
// has the same gradient: w p_c / sum_S p in the classes of a set, whatever p does.
func byHand(b graphs.Batch, logits array.Matrix) (loss float64, targets array.Matrix) {
	targets = b.Targets.Clone()
	for i := range logits.Rows {
		row := targets.Row(i)
		highest := float64(slices.Max(logits.Row(i)))
		var all, inside, weight float64
		for c, z := range logits.Row(i) {
			e := math.Exp(float64(z) - highest)
			all += e
			if row[c] > 0 {
				inside += e
			}
			weight += float64(row[c])
		}
		for c, z := range logits.Row(i) {
			logP := float64(z) - highest - math.Log(all)
			if b.Sets[i] && row[c] > 0 {
				row[c] = float32(weight * math.Exp(float64(z)-highest) / inside)
			} else if !b.Sets[i] {
				loss -= float64(row[c]) * logP / float64(logits.Rows)
			}
		}
		if b.Sets[i] {
			loss -= weight * math.Log(inside/all) / float64(logits.Rows)
		}
	}
	return loss, targets
}

// TestSets holds the loss of candidate sets to -w log sum_S p, and its gradient to
// that of cross-entropy with the classes' shares, and to finite differences.
func TestSets(t *testing.T) {
	model := open(t, exported(t, filepath.Join(golden, "vit")), 0)
	names := classNames(t)
	want := readReference(t, filepath.Join(golden, "vit", "expected.npz"))
	prompts := ids(t, tokens(t, model), names, contextLength, tokenizer.End, false)
	random := rand.New(rand.NewPCG(7, 30))
	features := want.matrix(t, "pool").Slice(0, 30)
	const scale = 10 // so that the classes of a set share it
	for _, limits := range []prompt.Limits{{}, {BlockRows: 1, ChunkRows: 60}} {
		p := pack(t, model, prompts, limits)
		batches := make([]graphs.Batch, 2)
		for s := range batches {
			batches[s] = withSets(random, features, len(names))
			batches[s].Vectors = want.matrix(t, "context").Clone()
			batches[s].Vectors.Data[s]++
		}
		got, err := p.Gradients(t.Context(), batches, scale)
		if err != nil {
			t.Fatal(err)
		}
		for s, b := range batches {
			loss, shares := byHand(b, got[s].Logits)
			plain, err := p.Gradient(t.Context(), b.Vectors, b.Features, shares, scale)
			if err != nil {
				t.Fatal(err)
			}
			own, err := model.PromptGradient(t.Context(), b.Vectors, prompts, b.Features, shares, scale)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%+v, seed %d: the loss %.1e off, the gradient %.1e from shares, %.1e from the model's own", limits, s,
				relative(got[s].Loss, loss), distance(got[s].Gradient, plain.Gradient), distance(got[s].Gradient, own.Gradient))
			if relative(got[s].Loss, loss) > lossBound {
				t.Errorf("%+v, seed %d: the loss is %v, want %v", limits, s, got[s].Loss, loss)
			}
			if d, e := distance(got[s].Gradient, plain.Gradient), distance(got[s].Gradient, own.Gradient); d > ownBound || e > ownBound {
				t.Errorf("%+v, seed %d: the gradient is %.1e from that of shares, %.1e from the model's own", limits, s, d, e)
			}
			checkDifferences(t, p, b, got[s], scale)
		}
	}
}

// checkDifferences goes a little way along the gradient and back.
func checkDifferences(t *testing.T, p *graphs.PackedPrompts, b graphs.Batch, at graphs.Gradient, scale float32) {
	t.Helper()
	var norm float64
	for _, g := range at.Gradient.Data {
		norm += float64(g) * float64(g)
	}
	norm = math.Sqrt(norm)
	const step = 0.002
	along := func(sign float64) float64 {
		moved := b
		moved.Vectors = b.Vectors.Clone()
		for i, g := range at.Gradient.Data {
			moved.Vectors.Data[i] += float32(sign * step * float64(g) / norm)
		}
		found, err := p.Gradients(t.Context(), []graphs.Batch{moved}, scale)
		if err != nil {
			t.Fatal(err)
		}
		return found[0].Loss
	}
	if slope := (along(1) - along(-1)) / (2 * step); relative(slope, norm) > 0.01 {
		t.Errorf("the loss rises by %v along a gradient of %v", slope, norm)
	}
}

// A set of one class is a hard label, one of all classes says nothing; and where no
// row is a set nothing changes, to the bit.
func TestSetsAtTheEnds(t *testing.T) {
	model := open(t, exported(t, filepath.Join(golden, "vit")), 0)
	names := classNames(t)
	want := readReference(t, filepath.Join(golden, "vit", "expected.npz"))
	p := pack(t, model, ids(t, tokens(t, model), names, contextLength, tokenizer.End, false), prompt.Limits{})
	features := want.matrix(t, "pool").Slice(0, 8)
	gradient := func(targets array.Matrix, sets []bool) graphs.Gradient {
		t.Helper()
		b := graphs.Batch{Vectors: want.matrix(t, "context"), Features: features, Targets: targets, Sets: sets}
		got, err := p.Gradients(t.Context(), []graphs.Batch{b}, referenceScale)
		if err != nil {
			t.Fatal(err)
		}
		return got[0]
	}
	every := slices.Repeat([]bool{true}, 8)
	hard := want.targets(t, len(names)).Slice(0, 8)
	alone, sets, none := gradient(hard, nil), gradient(hard, every), gradient(hard, make([]bool, 8))
	if relative(sets.Loss, alone.Loss) > lossBound || distance(sets.Gradient, alone.Gradient) > ownBound {
		t.Errorf("sets of one class: loss %v, want %v; the gradient is %.1e off", sets.Loss, alone.Loss, distance(sets.Gradient, alone.Gradient))
	}
	if none.Loss != alone.Loss || !slices.Equal(none.Gradient.Data, alone.Gradient.Data) {
		t.Error("no sets is not the same as none marked")
	}
	all := array.NewMatrix(8, len(names))
	for i := range all.Data {
		all.Data[i] = 1 / float32(len(names))
	}
	nothing := gradient(all, every)
	if math.Abs(nothing.Loss) > 1e-5 || slices.Max(nothing.Gradient.Data) > 1e-4*slices.Max(alone.Gradient.Data) {
		t.Errorf("sets of all classes have loss %v and a gradient of up to %v", nothing.Loss, slices.Max(nothing.Gradient.Data))
	}
	weightless := gradient(array.NewMatrix(8, len(names)), every)
	if weightless.Loss != 0 || slices.ContainsFunc(weightless.Gradient.Data, func(g float32) bool { return g != 0 }) {
		t.Errorf("sets of no weight have loss %v", weightless.Loss)
	}
	b := graphs.Batch{Vectors: want.matrix(t, "context"), Features: features, Targets: hard, Sets: every[:7]}
	if _, err := p.Gradients(t.Context(), []graphs.Batch{b}, 1); err == nil || !strings.Contains(err.Error(), "7 rows") {
		t.Errorf("marks of 7 rows for 8: %v", err)
	}
}
