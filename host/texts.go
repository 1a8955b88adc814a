package host

import (
	"context"
	"encoding/binary"
	"path/filepath"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/encode"
)

// classFeatures are a model's zero-shot class features, or those of each prompt: see
// prompting. What no run before had to
// encode, with this model and these classes, opens the model.
func (r *run) classFeatures(ctx context.Context, i int) (array.Matrix, error) {
	m := r.models[i]
	device, err := r.deviceKind()
	if err != nil {
		return array.Matrix{}, err
	}
	cache, err := encode.OpenTexts(filepath.Join(r.config.Cache.Dir, "texts"), r.log)
	if err != nil {
		return array.Matrix{}, err
	}
	encoded, cached, width := 0, 0, m.Config.EmbeddingWidth
	if m.HasSimilarity {
		width = 0 // of its texts is known when there are some
	}
	features, err := r.prompting.features(m, func(tokens graphs.Tokens) (array.Matrix, error) {
		key := textsKey(m.Hash, device, tokens)
		if features, there := cache.Get(key, tokens.Rows, width); there {
			cached++
			return features, nil
		}
		b, err := r.model(i)
		if err != nil {
			return array.Matrix{}, err
		}
		features, err := b.Texts(ctx, tokens)
		if err != nil {
			return array.Matrix{}, err
		}
		encoded++
		return features, cache.Put(key, features)
	})
	r.log.Info("prompts encoded", "model", m.Name, "lists", encoded, "cached", cached, "prompts", r.prompting.String())
	return features, err
}

// textsKey names all that decides the features of a list of texts.
func textsKey(model, device string, tokens graphs.Tokens) string {
	ids := make([]byte, 0, 4*len(tokens.IDs))
	for _, id := range tokens.IDs {
		ids = binary.LittleEndian.AppendUint32(ids, uint32(id))
	}
	// The first word changes whenever the arithmetic of packed texts does.
	const version, letters = "texts/1", 32
	return digest(version, model, device, string(binary.AppendUvarint(nil, uint64(tokens.Length))), string(ids))[:letters]
}
