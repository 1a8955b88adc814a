package graphs

import (
	"context"
	"errors"
	"fmt"

	"github.com/upl-host/upl-host/graphs/array"
)

// ErrNoEmbedding is returned where a model is asked for its token embedding and
// its upl.json does not name the variable that holds it.
var ErrNoEmbedding = errors.New("the model's upl.json names no variable for token_embedding.weight (text_tower.variables): contexts cannot begin as words with it")

// tokenEmbedding is open_clip's name of the text tower's embedding [vocabulary, W].
const tokenEmbedding = "token_embedding.weight"

// TokenEmbedding returns the text tower's embeddings of token ids, [len(ids), W],
// positions not added: what a context begins as that is initialised from words.
// A model that does not say where they are: ErrNoEmbedding.
func (m *Model) TokenEmbedding(ctx context.Context, ids []int32) (array.Matrix, error) {
	tower := m.config.TextTower
	if tower == nil || tower.Variables[tokenEmbedding] == "" {
		return array.Matrix{}, fmt.Errorf("%s: %w", m.dir, ErrNoEmbedding)
	}
	if err := ctx.Err(); err != nil {
		return array.Matrix{}, err
	}
	const value = "value"
	// Every saver, ours and TensorFlow's own, reads a variable by an op of this name.
	name := tower.Variables[tokenEmbedding] + "/Read/ReadVariableOp:0"
	out, err := m.session.run(Signature{Outputs: map[string]Tensor{value: {Name: name}}}, nil, []string{value})
	if err != nil {
		return array.Matrix{}, fmt.Errorf("reading the token embedding of %s: %w", m.dir, err)
	}
	table, err := m.matrix("text tower", tokenEmbedding, out[0], tower.Vocabulary, m.config.TextWidth)
	if err != nil {
		return array.Matrix{}, err
	}
	rows := array.NewMatrix(len(ids), table.Cols)
	for i, id := range ids {
		if id < 0 || int(id) >= table.Rows {
			return array.Matrix{}, fmt.Errorf("token id %d: the model has %d tokens", id, table.Rows)
		}
		copy(rows.Row(i), table.Row(int(id)))
	}
	return rows, nil
}
