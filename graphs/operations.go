package graphs

import (
	"github.com/upl-host/upl-host/graphs/clip"
	"github.com/upl-host/upl-host/graphs/prompt"
	"github.com/upl-host/upl-host/graphs/savedmodel"
)

// ImageOperations is what clip.Architecture counts for the features of one picture;
// 0 for an image tower that is not known: one of another exporter.
func (m *Model) ImageOperations() (int64, error) {
	meta, err := savedmodel.Read(m.dir)
	if err != nil {
		return 0, err
	}
	shapes := make(map[string][]int)
	for _, node := range meta.GetGraphDef().GetNode() {
		if node.GetOp() != "VarHandleOp" {
			continue
		}
		dims := node.GetAttr()["shape"].GetShape().GetDim()
		shape := make([]int, len(dims))
		for i, d := range dims {
			shape[i] = int(d.GetSize())
		}
		shapes[node.GetName()] = shape
	}
	tower, ok := clip.ImageTower(shapes)
	if !ok {
		return 0, nil
	}
	return tower.ImageOperations(), nil
}

// TextOperations is what package prompt counts for the features of texts, whose
// common beginning is computed once; 0 where upl.json describes no text tower.
func (m *Model) TextOperations(tokens Tokens) int64 {
	tower, ok := m.textTower()
	if !ok {
		return 0
	}
	return tower.FeatureOperations(rowsOf(tokens))
}

// GradientOperations is what package prompt counts for a step of prompt learning
// with a batch of features; 0 where upl.json describes no text tower.
func (m *Model) GradientOperations(tokens Tokens, batch int) int64 {
	tower, ok := m.textTower()
	if !ok {
		return 0
	}
	return tower.GradientOperations(rowsOf(tokens), batch)
}

func (m *Model) textTower() (prompt.Sizes, bool) {
	t := m.config.TextTower
	if t == nil {
		return prompt.Sizes{}, false
	}
	return prompt.Sizes{
		Width: m.config.TextWidth, Layers: t.Layers, MLPWidth: t.MLPWidth, EmbeddingWidth: m.config.EmbeddingWidth,
	}, true
}

func rowsOf(tokens Tokens) [][]int32 {
	rows := make([][]int32, tokens.Rows)
	for i := range rows {
		rows[i] = tokens.Row(i)
	}
	return rows
}
