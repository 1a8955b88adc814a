package checkpoint

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/upl-host/upl-host/graphs/safetensors"
)

const (
	logitScale     = "logit_scale"
	tokenEmbedding = "token_embedding.weight"
	// transformersAnchor is a name that every CLIP of transformers has.
	transformersAnchor = "text_model.embeddings." + tokenEmbedding
)

// recipe makes a tensor of one or several of the source's.
type recipe struct {
	parts     []string // joined along the first axis
	shape     []int    // of the result
	transpose bool     // a matrix of one part
}

func (r recipe) read(s source) (shape []int, data []float32, err error) {
	for _, part := range r.parts {
		_, values, err := s.Float32(part)
		if err != nil {
			return nil, nil, err
		}
		if len(r.parts) == 1 {
			data = values
			break
		}
		if data == nil {
			data = make([]float32, 0, len(r.parts)*len(values))
		}
		data = append(data, values...)
	}
	if r.transpose {
		data = transposed(data, r.shape[0], r.shape[1])
	}
	return slices.Clone(r.shape), data, nil
}

// transposed gives the rows x columns matrix of which data is the transpose.
func transposed(data []float32, rows, columns int) []float32 {
	out := make([]float32, len(data))
	for c := range columns {
		for r := range rows {
			out[r*columns+c] = data[c*rows+r]
		}
	}
	return out
}

// isFloat reports whether weights may have this type; counters and masks have others.
func isFloat(t safetensors.Type) bool {
	switch t {
	case safetensors.F64, safetensors.F32, safetensors.F16, safetensors.BF16:
		return true
	}
	return false
}

// nameAsStored maps names that are open_clip's already, but for the prefix of the
// text tower's names: "module." of a parallel run, "state_dict." of a training
// checkpoint, and the "text." that open_clip's CustomTextCLIP puts there alone.
func (c *Checkpoint) nameAsStored(textPrefix string) {
	prefix := strings.TrimSuffix(textPrefix, "text.")
	c.tensors = map[string]recipe{}
	for _, stored := range c.source.Names() {
		name, ok := strings.CutPrefix(stored, textPrefix)
		if !ok {
			name, ok = strings.CutPrefix(stored, prefix)
		}
		kind, shape, _ := c.source.Info(stored)
		if ok && isFloat(kind) {
			c.tensors[name] = recipe{parts: []string{stored}, shape: shape}
		}
	}
}

// textPrefixes finds what stands before a text tower's names.
func (c *Checkpoint) textPrefixes() []string {
	var prefixes []string
	for _, name := range c.source.Names() {
		if prefix, ok := strings.CutSuffix(name, tokenEmbedding); ok {
			prefixes = append(prefixes, prefix)
		}
	}
	return prefixes
}

// some lists the first few names, and how many more there are.
func some(names []string) string {
	const shown = 12
	if len(names) == 0 {
		return "none"
	}
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

// transformersNames are pairs of transformers' names and open_clip's, for what
// is neither a block's nor to be transposed.
var transformersNames = map[string]string{
	"text_model.embeddings.token_embedding.weight":      "token_embedding.weight",
	"text_model.embeddings.position_embedding.weight":   "positional_embedding",
	"text_model.final_layer_norm.weight":                "ln_final.weight",
	"text_model.final_layer_norm.bias":                  "ln_final.bias",
	"vision_model.embeddings.class_embedding":           "visual.class_embedding",
	"vision_model.embeddings.patch_embedding.weight":    "visual.conv1.weight",
	"vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
	"vision_model.pre_layrnorm.weight":                  "visual.ln_pre.weight", // so spelt by transformers
	"vision_model.pre_layrnorm.bias":                    "visual.ln_pre.bias",
	"vision_model.post_layernorm.weight":                "visual.ln_post.weight",
	"vision_model.post_layernorm.bias":                  "visual.ln_post.bias",
	logitScale:                                          logitScale,
}

// transformersProjections are stored as [out, in] there, as [in, out] by open_clip.
var transformersProjections = map[string]string{
	"text_projection.weight":   "text_projection",
	"visual_projection.weight": "visual.proj",
}

var transformersTowerPrefixes = [][2]string{
	{"text_model.encoder.layers.", "transformer.resblocks."},
	{"vision_model.encoder.layers.", "visual.transformer.resblocks."},
}

var transformersBlock = strings.NewReplacer(
	"layer_norm1.", "ln_1.", "layer_norm2.", "ln_2.",
	"mlp.fc1.", "mlp.c_fc.", "mlp.fc2.", "mlp.c_proj.",
	"self_attn.out_proj.", "attn.out_proj.",
)

// nameFromTransformers maps transformers' names; the projections of queries,
// keys and values, in this order, become one.
func (c *Checkpoint) nameFromTransformers() {
	c.tensors = map[string]recipe{}
	for _, stored := range c.source.Names() {
		kind, shape, _ := c.source.Info(stored)
		if !isFloat(kind) {
			continue
		}
		r := recipe{parts: []string{stored}, shape: shape}
		if name, ok := transformersProjections[stored]; ok && len(shape) == 2 {
			c.tensors[name] = recipe{parts: r.parts, shape: []int{shape[1], shape[0]}, transpose: true}
			continue
		}
		if name, ok := transformersNames[stored]; ok {
			c.tensors[name] = r
			continue
		}
		name := stored // one that the check will not know
		for _, tower := range transformersTowerPrefixes {
			if rest, ok := strings.CutPrefix(stored, tower[0]); ok {
				name = tower[1] + transformersBlock.Replace(rest)
			}
		}
		c.tensors[name] = r
	}
	c.mergeAttention()
}

// mergeAttention joins self_attn.{q,k,v}_proj where all three are there in one shape.
func (c *Checkpoint) mergeAttention() {
	for _, name := range c.Names() {
		block, kind, ok := strings.Cut(name, "self_attn.q_proj.")
		if !ok {
			continue
		}
		merged := recipe{shape: slices.Clone(c.tensors[name].shape)}
		var separate []string
		for _, letter := range []string{"q", "k", "v"} {
			part := block + "self_attn." + letter + "_proj." + kind
			r, ok := c.tensors[part]
			if !ok || !slices.Equal(r.shape, merged.shape) || len(r.shape) == 0 {
				break
			}
			merged.parts = append(merged.parts, r.parts...)
			separate = append(separate, part)
		}
		if len(separate) != 3 {
			continue // the check reports in_proj as missing, these as left over
		}
		merged.shape[0] *= len(separate)
		c.tensors[block+"attn.in_proj_"+kind] = merged
		for _, part := range separate {
			delete(c.tensors, part)
		}
	}
}

// describe finds the architecture and the names, from a configuration in the
// folder or, for files of torch.save, from the weights.
func (c *Checkpoint) describe(folder string) error {
	config := filepath.Join(folder, openCLIPConfig)
	other := filepath.Join(folder, transformersConfig)
	if _, _, ok := c.source.Info(transformersAnchor); ok {
		if !exists(other) {
			return missingConfig(transformersConfig)
		}
		c.nameFromTransformers()
		return c.readTransformers(folder)
	}
	configured := exists(config)
	if configured {
		if err := c.readOpenCLIP(config); err != nil { // says more than names would
			return err
		}
	}
	prefixes := c.textPrefixes()
	switch {
	case len(prefixes) > 1:
		return fmt.Errorf("%w: it holds several text towers: %s", ErrUnsupported, some(prefixes))
	case len(prefixes) == 1:
		c.nameAsStored(prefixes[0])
	case configured:
		c.nameAsStored("") // the check says what is missing
	default:
		if exists(other) { // of another kind of model, which it names
			if err := c.readTransformers(folder); err != nil {
				return err
			}
		}
		return fmt.Errorf("%w: it is no CLIP: no tensor is named %s; it has %s", ErrUnsupported, tokenEmbedding, some(c.source.Names()))
	}
	if configured {
		return nil
	}
	return c.infer()
}
