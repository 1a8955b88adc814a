//go:build tensorflow

package prompt_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/export"
	"github.com/upl-host/upl-host/graphs/prompt"
	"github.com/upl-host/upl-host/graphs/tokenizer"
)

const (
	golden = "../testdata/golden-small"
	demo   = "../../examples/demo"
	// referenceScale is the 1/tau of the reference values.
	referenceScale = 100
	contextLength  = 16
)

// exported makes a model's folder from a checkpoint.
func exported(tb testing.TB, checkpoint string) string {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "model")
	if err := export.Checkpoint(context.Background(), checkpoint, dir, false); err != nil {
		tb.Fatal(err)
	}
	return dir
}

func open(tb testing.TB, dir string, threads int) *graphs.Model {
	tb.Helper()
	model, err := graphs.Open(dir, graphs.Options{Device: "cpu", Threads: threads})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := model.Close(); err != nil {
			tb.Error(err)
		}
	})
	return model
}

func tokens(tb testing.TB, m *graphs.Model) tokenizer.Tokenizer {
	tb.Helper()
	c := m.Config()
	t, err := tokenizer.New(tokenizer.Config{
		Dir: filepath.Join(m.Dir(), "assets.extra"), Kind: c.Tokenizer.Kind,
		Vocabulary: c.Tokenizer.Vocabulary, Merges: c.Tokenizer.Merges, ContextLength: c.ContextLength,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// ids are the prompts of class names.
func ids(tb testing.TB, t tokenizer.Tokenizer, names []string, length int, position tokenizer.Position, classSpecific bool) graphs.Tokens {
	tb.Helper()
	rows := make([][]int32, len(names))
	for i, name := range names {
		var err error
		if rows[i], err = t.Prompt(name, length, position); err != nil {
			tb.Fatal(err)
		}
		if classSpecific {
			rows[i] = tokenizer.ForClass(rows[i], i, length)
		}
	}
	return graphs.PadTokens(rows)
}

// padded are tokens at the model's whole context length, as CoOp and UPL have them.
func padded(t graphs.Tokens, length int) graphs.Tokens {
	rows := make([][]int32, t.Rows+1)
	for i := range t.Rows {
		rows[i] = t.Row(i)
	}
	rows[t.Rows] = make([]int32, length)
	all := graphs.PadTokens(rows)
	all.Rows, all.IDs = t.Rows, all.IDs[:t.Rows*length]
	return all
}

func pack(tb testing.TB, m *graphs.Model, t graphs.Tokens, limits prompt.Limits) *graphs.PackedPrompts {
	tb.Helper()
	p, err := m.PackPrompts(t, limits)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func classNames(tb testing.TB) []string {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join(golden, "cases.json"))
	if err != nil {
		tb.Fatal(err)
	}
	var cases struct {
		ClassNames []string `json:"class_names"`
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		tb.Fatal(err)
	}
	return cases.ClassNames
}

// reference holds the values that PyTorch computed.
type reference map[string]array.Array

func readReference(tb testing.TB, path string) reference {
	tb.Helper()
	values, err := array.ReadArchive(path)
	if err != nil {
		tb.Fatal(err)
	}
	return values
}

// matrix returns an array with all but its last dimension as rows.
func (r reference) matrix(tb testing.TB, key string) array.Matrix {
	tb.Helper()
	a, ok := r[key]
	if !ok {
		tb.Fatalf("there is no %s", key)
	}
	values, err := a.Float32()
	if err != nil {
		tb.Fatal(err)
	}
	cols := a.Shape[len(a.Shape)-1]
	return array.Matrix{Rows: len(values) / cols, Cols: cols, Data: values}
}

func (r reference) numbers(tb testing.TB, key string) []float64 {
	tb.Helper()
	values, ok := r[key].Data.([]float64)
	if !ok {
		tb.Fatalf("%s is %T", key, r[key].Data)
	}
	return values
}

func (r reference) targets(tb testing.TB, classes int) array.Matrix {
	tb.Helper()
	labels, err := r["pool_labels"].Int()
	if err != nil {
		tb.Fatal(err)
	}
	targets := array.NewMatrix(len(labels), classes)
	for i, label := range labels {
		targets.Row(i)[label] = 1
	}
	return targets
}

// distance is the relative L2 distance of got from want.
func distance(got, want array.Matrix) float64 {
	if got.Rows != want.Rows || got.Cols != want.Cols {
		return math.Inf(1)
	}
	difference, norm := 0.0, 0.0
	for i, w := range want.Data {
		d := float64(got.Data[i]) - float64(w)
		difference += d * d
		norm += float64(w) * float64(w)
	}
	return math.Sqrt(difference / norm)
}

// The bounds that a gradient of float32 keeps: against PyTorch, and against the
// model's own prompt_gradient.
const (
	lossBound      = 1e-5
	referenceBound = 1e-4
	ownBound       = 2e-5
	// Of any prompts: where few pictures and classes leave little of a gradient,
	// both ways round what is left.
	anyBound = 2e-4
)

func relative(got, want float64) float64 { return math.Abs(got/want - 1) }

// variants are the forms of contexts that CoOp has.
func variants() []struct {
	name          string
	position      tokenizer.Position
	classSpecific bool
	prefix        int
} {
	return []struct {
		name          string
		position      tokenizer.Position
		classSpecific bool
		prefix        int
	}{
		{"", tokenizer.End, false, 1 + contextLength},
		{"_middle", tokenizer.Middle, false, 1 + contextLength/2},
		{"_front", tokenizer.Front, false, 1},
		{"_class_specific", tokenizer.End, true, 1},
	}
}

// TestReference compares every variant with PyTorch and with the model's own
// prompt_gradient over padded prompts, in one chunk and in several.
func TestReference(t *testing.T) {
	for _, name := range []string{"vit", "resnet"} {
		t.Run(name, func(t *testing.T) {
			model := open(t, exported(t, filepath.Join(golden, name)), 0)
			tok, names := tokens(t, model), classNames(t)
			want := readReference(t, filepath.Join(golden, name, "expected.npz"))
			features, targets := want.matrix(t, "pool").Slice(0, 32), want.targets(t, len(names)).Slice(0, 32)
			for _, v := range variants() {
				vectors := want.matrix(t, "context")
				if v.classSpecific {
					vectors = want.matrix(t, "class_contexts")
				}
				prompts := ids(t, tok, names, contextLength, v.position, v.classSpecific)
				own, err := model.PromptGradient(t.Context(), vectors, padded(prompts, 77), features, targets, referenceScale)
				if err != nil {
					t.Fatal(err)
				}
				for _, limits := range []prompt.Limits{{}, {BlockRows: 1, ChunkRows: 60}} {
					p := pack(t, model, prompts, limits)
					if got := p.Layout(); got.Prefix != v.prefix || (len(got.Chunks) > 1) != (limits.ChunkRows > 0) {
						t.Errorf("%s: a prefix of %d rows and %d chunks", v.name, got.Prefix, len(got.Chunks))
					}
					got, err := p.Gradient(t.Context(), vectors, features, targets, referenceScale)
					if err != nil {
						t.Fatal(err)
					}
					loss := relative(got.Loss, want.numbers(t, "loss"+v.name)[0])
					gradient := distance(got.Gradient, want.matrix(t, "gradient"+v.name))
					t.Logf("gradient%s: loss %.1e, gradient %.1e of PyTorch's; %.1e, %.1e, logits %.1e of its own", v.name, loss, gradient,
						relative(got.Loss, own.Loss), distance(got.Gradient, own.Gradient), distance(got.Logits, own.Logits))
					if loss > lossBound || gradient > referenceBound {
						t.Errorf("gradient%s is %.1e from PyTorch's, the loss %.1e", v.name, gradient, loss)
					}
					if relative(got.Loss, own.Loss) > lossBound || distance(got.Gradient, own.Gradient) > ownBound || distance(got.Logits, own.Logits) > ownBound {
						t.Errorf("gradient%s is %.1e from the model's own", v.name, distance(got.Gradient, own.Gradient))
					}
				}
			}
			soft := want.matrix(t, "soft_targets").Clone()
			for i, w := range want.matrix(t, "weights").Data {
				for c := range soft.Cols {
					soft.Row(i)[c] *= w
				}
			}
			p := pack(t, model, ids(t, tok, names, contextLength, tokenizer.End, false), prompt.Limits{})
			got, err := p.Gradient(t.Context(), want.matrix(t, "context"), features, soft, referenceScale)
			if err != nil {
				t.Fatal(err)
			}
			if l, d := relative(got.Loss, want.numbers(t, "loss_soft")[0]), distance(got.Gradient, want.matrix(t, "gradient_soft")); l > lossBound || d > referenceBound {
				t.Errorf("soft targets: the loss is %.1e off, the gradient %.1e", l, d)
			}
			g, err := p.Features(t.Context(), want.matrix(t, "context"))
			if err != nil {
				t.Fatal(err)
			}
			if d := distance(g, want.matrix(t, "prompt_features")); d > referenceBound {
				t.Errorf("features are %.1e off", d)
			}
			checkSGD(t, p, want, len(names))
		})
	}
}

// checkSGD makes the reference's 9 steps: 3 epochs, momentum 0.9, decay 5e-4.
func checkSGD(t *testing.T, p *graphs.PackedPrompts, want reference, classes int) {
	t.Helper()
	pool, targets := want.matrix(t, "pool"), want.targets(t, classes)
	vectors := want.matrix(t, "context").Clone()
	velocity := array.NewMatrix(vectors.Rows, vectors.Cols)
	losses := want.numbers(t, "sgd_losses")
	for step := range losses {
		epoch, from := step/3, step%3*32
		rate := 1e-5
		if epoch > 0 {
			rate = 0.001 * (1 + math.Cos(math.Pi*float64(epoch-1)/3))
		}
		g, err := p.Gradient(t.Context(), vectors, pool.Slice(from, from+32), targets.Slice(from, from+32), referenceScale)
		if err != nil {
			t.Fatal(err)
		}
		if d := relative(g.Loss, losses[step]); d > referenceBound {
			t.Errorf("step %d: the loss is %.1e off", step, d)
		}
		for i, d := range g.Gradient.Data {
			velocity.Data[i] = 0.9*velocity.Data[i] + d + 5e-4*vectors.Data[i]
			vectors.Data[i] -= float32(rate) * velocity.Data[i]
		}
	}
	d := distance(vectors, want.matrix(t, "context_after_sgd"))
	t.Logf("9 steps of SGD: %.1e", d)
	if d > 1e-3 {
		t.Errorf("after %d steps the context is %.1e off", len(losses), d)
	}
}

// TestDemo compares the class features of contexts that PyTorch learned.
func TestDemo(t *testing.T) {
	want := readReference(t, filepath.Join(demo, "expected-glyphs.npz"))
	names, ok := want["class_names"].Data.([]string)
	if !ok {
		t.Fatal("there are no class names")
	}
	for _, name := range []string{"vit", "rn"} {
		model := open(t, exported(t, filepath.Join(demo, "models", name)), 0)
		prompts := ids(t, tokens(t, model), names, contextLength, tokenizer.End, false)
		p := pack(t, model, prompts, prompt.Limits{})
		vectors := want.matrix(t, name+"_context")
		got, err := p.Features(t.Context(), vectors)
		if err != nil {
			t.Fatal(err)
		}
		if d := distance(got, want.matrix(t, name+"_context_text_features")); d > referenceBound {
			t.Errorf("%s: the learned context's class features are %.1e off", name, d)
		}
		features, targets := batch(model, rand.New(rand.NewPCG(1, 2)), 32, len(names))
		compare(t, model, p, prompts, vectors, features, targets, ownBound)
	}
}

// batch is random features and one-hot targets.
func batch(m *graphs.Model, random *rand.Rand, n, classes int) (features, targets array.Matrix) {
	features, targets = array.NewMatrix(n, m.Config().EmbeddingWidth), array.NewMatrix(n, classes)
	for i := range n {
		norm := 0.0
		for k := range features.Cols {
			v := random.NormFloat64()
			features.Row(i)[k] = float32(v)
			norm += v * v
		}
		for k := range features.Cols {
			features.Row(i)[k] /= float32(math.Sqrt(norm))
		}
		targets.Row(i)[random.IntN(classes)] = 1
	}
	return features, targets
}

func randomVectors(random *rand.Rand, rows, width int) array.Matrix {
	vectors := array.NewMatrix(rows, width)
	for i := range vectors.Data {
		vectors.Data[i] = float32(0.02 * random.NormFloat64())
	}
	return vectors
}

type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// compare holds a packed gradient to the model's own over padded prompts.
func compare(t failer, m *graphs.Model, p *graphs.PackedPrompts, prompts graphs.Tokens, vectors, features, targets array.Matrix, bound float64) {
	t.Helper()
	scale := m.Config().LogitScale
	got, err := p.Gradient(context.Background(), vectors, features, targets, scale)
	if err != nil {
		t.Fatal(err)
	}
	want, err := m.PromptGradient(context.Background(), vectors, padded(prompts, m.Config().ContextLength), features, targets, scale)
	if err != nil {
		t.Fatal(err)
	}
	if l, d, z := relative(got.Loss, want.Loss), distance(got.Gradient, want.Gradient), distance(got.Logits, want.Logits); l > lossBound || d > bound || z > ownBound {
		t.Fatalf("from the model's own: the loss %.1e, the gradient %.1e, logits %.1e", l, d, z)
	}
}

// TestAnyPrompts: random prompts of random shape, limits and targets.
func TestAnyPrompts(t *testing.T) {
	model := open(t, exported(t, filepath.Join(golden, "vit")), 0)
	const start, end = 2012, 2013
	rapid.Check(t, func(t *rapid.T) {
		classes, length := rapid.IntRange(1, 9).Draw(t, "classes"), rapid.IntRange(1, 8).Draw(t, "length")
		position := rapid.SampledFrom([]tokenizer.Position{tokenizer.End, tokenizer.Middle, tokenizer.Front}).Draw(t, "position")
		specific := rapid.Bool().Draw(t, "class-specific")
		rows, vectorRows := make([][]int32, classes), length
		for c := range rows {
			name := rapid.SliceOfN(rapid.Int32Range(1, start-1), 1, 12).Draw(t, "name")
			row := []int32{start}
			before := map[tokenizer.Position]int{tokenizer.End: length, tokenizer.Middle: length / 2, tokenizer.Front: 0}[position]
			for k := range length {
				if k == before {
					row = append(row, name...)
				}
				row = append(row, int32(-1-k))
			}
			if before == length {
				row = append(row, name...)
			}
			rows[c] = append(row, 269, end)
			if specific {
				rows[c] = tokenizer.ForClass(rows[c], c, length)
				vectorRows = classes * length
			}
		}
		prompts := graphs.PadTokens(rows)
		limits := prompt.Limits{BlockRows: rapid.IntRange(1, 40).Draw(t, "block"), ChunkRows: rapid.IntRange(1, 80).Draw(t, "chunk")}
		p, err := model.PackPrompts(prompts, limits)
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		features, targets := batch(model, random, rapid.IntRange(1, 8).Draw(t, "batch"), classes+1)
		soft := array.NewMatrix(targets.Rows, classes)
		for i := range soft.Data {
			soft.Data[i] = random.Float32()
		}
		if !slices.ContainsFunc(rows, func(row []int32) bool { return !slices.Equal(row, rows[0]) }) {
			return // classes that are the same are as likely whatever the context: the gradient is 0, and nothing is relative to it
		}
		compare(t, model, p, prompts, randomVectors(random, vectorRows, 64), features, soft, anyBound)
	})
}

// TestNotPackable: what cannot be packed is said so, and what does not fit.
func TestNotPackable(t *testing.T) {
	dir := exported(t, filepath.Join(golden, "vit"))
	model := open(t, dir, 0)
	if _, err := model.PackPrompts(graphs.PadTokens([][]int32{{2012, -1, 5, 2013}, {7, -1, 5, 2013}}), prompt.Limits{}); !errors.Is(err, graphs.ErrNotPackable) {
		t.Errorf("nothing in common: %v", err)
	}
	if _, err := model.PackPrompts(graphs.PadTokens([][]int32{{2012, 5000}}), prompt.Limits{}); err == nil {
		t.Error("a token that is not there was taken")
	}
	p := pack(t, model, graphs.PadTokens([][]int32{{2012, -1, -2, 5, 2013}, {2012, -1, -2, 6, 2013}}), prompt.Limits{})
	features, targets := batch(model, rand.New(rand.NewPCG(1, 1)), 2, 2)
	for name, call := range map[string]func() error{
		"vectors too few":    func() error { _, err := p.Features(t.Context(), array.NewMatrix(1, 64)); return err },
		"vectors too narrow": func() error { _, err := p.Features(t.Context(), array.NewMatrix(2, 32)); return err },
		"classes": func() error {
			_, err := p.Gradient(t.Context(), array.NewMatrix(2, 64), features, array.NewMatrix(2, 3), 1)
			return err
		},
		"cancelled": func() error {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := p.Gradient(ctx, array.NewMatrix(2, 64), features, targets, 1)
			return err
		},
	} {
		if call() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	config, err := graphs.ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		edit func(*graphs.Config)
		want error
	}{
		"no text tower":      {func(c *graphs.Config) { c.TextTower = nil }, graphs.ErrNotPackable},
		"no such variable":   {func(c *graphs.Config) { c.TextTower.Variables["ln_final.weight"] = "ln_final.weights" }, graphs.ErrContract},
		"not in the mapping": {func(c *graphs.Config) { delete(c.TextTower.Variables, "ln_final.bias") }, graphs.ErrContract},
	} {
		edited := config
		tower := *config.TextTower
		edited.TextTower, tower.Variables = &tower, make(map[string]string)
		for k, v := range config.TextTower.Variables {
			tower.Variables[k] = v
		}
		c.edit(&edited)
		if err := graphs.WriteConfig(dir, edited); err != nil {
			t.Fatal(err)
		}
		if _, err := open(t, dir, 0).PackPrompts(graphs.PadTokens([][]int32{{2012, -1, 5, 2013}}), prompt.Limits{}); !errors.Is(err, c.want) {
			t.Errorf("%s: want %v, got %v", name, c.want, err)
		}
	}
}
