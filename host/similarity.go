package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/backbone"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/label"
	"github.com/upl-host/upl-host/host/learn"
	"github.com/upl-host/upl-host/host/learn/head"
)

// textsDir has the features of the texts of models with a `similarity` signature, a row
// a text: they are no class features, as those of textFeaturesDir are.
const textsDir = "texts"

// textsName is the file of what a model's zero-shot classification compares pictures with.
func (r *run) textsName(model int) string {
	m := r.models[model]
	if m.HasSimilarity {
		return textsDir + "/" + m.Name + ".npy"
	}
	return textFeaturesName(m.Name)
}

// seedTextsName is the same for the prompt of a seed.
func (r *run) seedTextsName(seed uint64) string {
	if r.models[0].HasSimilarity {
		return fmt.Sprintf("%s/seed-%d.npy", textsDir, seed)
	}
	return seedFeaturesName(seed)
}

func (r *run) writeTexts(name string, features array.Matrix) error {
	if err := os.MkdirAll(filepath.Dir(r.folder.Join(name)), 0o755); err != nil {
		return fmt.Errorf("making the run's folders: %w", err)
	}
	return array.WriteFile(r.folder.Join(name), features.Array())
}

// similarity is a model's, which is opened with the first pictures that it compares.
func (r *run) similarity(ctx context.Context, model int) head.Similarity {
	return head.Similarity{
		Width: r.models[model].Config.EmbeddingWidth,
		Compare: func(pictures, texts array.Matrix) (array.Matrix, error) {
			b, err := r.model(model)
			if err != nil {
				return array.Matrix{}, err
			}
			return b.Similarity(ctx, pictures, texts)
		},
	}
}

// classifierOf is the zero-shot classifier of a model, by the features of its texts.
func (r *run) classifierOf(ctx context.Context, model int, zeroShot array.Matrix) learn.Classifier {
	m := r.models[model]
	c := learn.Classifier{
		ZeroShot: zeroShot, ClassNames: r.classNames, Templates: slices.Concat([]string{}, r.prompting.templates), LogitScale: m.Config.LogitScale,
		Model: m.Name, ModelHash: m.Hash, Preprocessing: m.Transform.Key(), Software: r.version,
	}
	if m.HasSimilarity {
		c.TextClasses, c.Similarity = r.prompting.of(), r.similarity(ctx, model)
	}
	return c
}

// readClassifier reads what the run has learnt, or learnt in a round.
func (r *run) readClassifier(ctx context.Context, name string) (learn.Classifier, error) {
	c, err := learn.ReadClassifier(r.folder.Join(name))
	if err == nil && c.TextClasses != nil {
		c.Similarity = r.similarity(ctx, 0)
	}
	return c, err
}

// checkSimilarity finds what works on features that are compared by inner products, where
// a model compares its own.
func (p *plan) checkSimilarity() error {
	own := slices.IndexFunc(p.models, func(d *backbone.Description) bool { return d.HasSimilarity })
	if own < 0 {
		return nil
	}
	const why = "model %s compares pictures and texts by its own signature `similarity`"
	learns := p.config.Learn.Method
	if p.models[0].HasSimilarity && learns != config.MethodZeroShot && !learnsPrompts(p.config.Learn) {
		return &UsageError{Err: fmt.Errorf("learn.method: %s works on features that inner products compare, and "+why+": set it to %s, %s or %s, or put another model first",
			learns, p.models[0].Name, config.MethodPrompt, config.MethodCoOp, config.MethodZeroShot)}
	}
	for i, policy := range []*label.Policy{p.ensemble, p.selection} {
		if policy.SeesFeatures() {
			return &UsageError{Err: fmt.Errorf("%s: policy %s looks at features that inner products compare, and "+why+": choose a policy that does without, or leave that model out",
				[]string{"label.ensemble", "label.selection"}[i], policy.Name, p.models[own].Name)}
		}
	}
	return nil
}
