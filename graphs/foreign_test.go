//go:build tensorflow

package graphs_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/savedmodel"
)

// foreign writes a model that is no CLIP: a picture's features are its mean
// colour, a text's its first three ids, a file's its length thrice, and
// similarity is its own. Texts have four tokens, always.
func foreign(t *testing.T) string {
	t.Helper()
	s := op.NewScope()
	scope := func(name string) *op.Scope { return s.SubScope(name) }
	pixels := op.Placeholder(scope("pixels"), tf.Float, op.PlaceholderShape(tf.MakeShape(-1, 2, 2, 3)))
	files := op.Placeholder(scope("bytes"), tf.String, op.PlaceholderShape(tf.MakeShape(-1)))
	tokens := op.Placeholder(scope("tokens"), tf.Int32, op.PlaceholderShape(tf.MakeShape(-1, 4)))
	features := op.Placeholder(scope("features"), tf.Float, op.PlaceholderShape(tf.MakeShape(-1, -1)))
	classes := op.Placeholder(scope("class_features"), tf.Float, op.PlaceholderShape(tf.MakeShape(-1, -1)))
	length := op.Cast(scope("float"), op.StringLength(s, files), tf.Float)
	first := op.Slice(s, op.Cast(scope("ids"), tokens, tf.Float), op.Const(scope("begin"), []int32{0, 0}), op.Const(scope("size"), []int32{-1, 3}))
	products := op.MatMul(s, features, classes, op.MatMulTransposeB(true))
	type tensors = map[string]tf.Output
	model := savedmodel.Model{
		Scope: s,
		Signatures: map[string]savedmodel.Signature{
			"encode_image": {
				Inputs:  tensors{"pixels": pixels},
				Outputs: tensors{"features": op.Mean(s, pixels, op.Const(scope("axes"), []int32{1, 2}))},
			},
			"encode_image_bytes": {
				Inputs: tensors{"bytes": files},
				Outputs: tensors{"features": op.Tile(s, op.ExpandDims(s, length, op.Const(scope("last"), int32(1))),
					op.Const(scope("times"), []int32{1, 3}))},
			},
			"encode_text": {Inputs: tensors{"tokens": tokens}, Outputs: tensors{"features": first}},
			"similarity": {
				Inputs:  tensors{"features": features, "class_features": classes},
				Outputs: tensors{"logits": op.Neg(s, products)},
			},
		},
		Extra: func(extra string) error {
			c := validConfig()
			c.ImageSize, c.EmbeddingWidth, c.ContextLength, c.TextTower = 2, 3, 8, nil
			return graphs.WriteConfig(filepath.Dir(extra), c)
		},
	}
	dir := filepath.Join(t.TempDir(), "model")
	if err := savedmodel.Write(t.Context(), dir, model); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestForeignModel(t *testing.T) {
	m := open(t, foreign(t), graphs.Options{})
	ctx := t.Context()
	files, err := m.EncodeImageBytes(ctx, [][]byte{[]byte("four"), {}})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]float32{4, 4, 4, 0, 0, 0}, files.Data); d != "" {
		t.Error(d)
	}
	texts, err := m.EncodeText(ctx, graphs.PadTokens([][]int32{{7, 8}})) // padded to the four of the signature
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(array.Matrix{Rows: 1, Cols: 3, Data: []float32{7, 8, 0}}, texts); d != "" {
		t.Error(d)
	}
	logits, err := m.Similarity(ctx, files, texts)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(array.Matrix{Rows: 2, Cols: 1, Data: []float32{-60, 0}}, logits); d != "" {
		t.Error(d)
	}
	if _, err := m.EncodeText(ctx, graphs.PadTokens([][]int32{{1, 2, 3, 4, 5}})); err == nil || !strings.Contains(err.Error(), "the signature takes 4") {
		t.Errorf("a text too long for the signature: %v", err)
	}
	vectors, prompts := prompts()
	vectors.Cols, vectors.Rows = 32, 4
	if _, err := m.EncodePrompt(ctx, vectors, prompts); !errors.Is(err, graphs.ErrContract) {
		t.Errorf("want ErrContract, got %v", err)
	}
}
