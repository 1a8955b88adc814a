package tokenizer

import (
	"fmt"
	"strings"
)

// CLIP is CLIP's byte-pair tokenizer.
type CLIP struct {
	vocabulary    *vocabulary
	contextLength int
	truncate      bool
}

func newCLIP(c Config) (*CLIP, error) {
	load := builtin
	if c.Vocabulary != "" || c.Merges != "" {
		load = func() (*vocabulary, error) { return readVocabulary(c.Dir, c.Vocabulary, c.Merges) }
	}
	v, err := load()
	if err != nil {
		return nil, err
	}
	return &CLIP{vocabulary: v, contextLength: c.ContextLength, truncate: c.Truncate}, nil
}

// Encode implements Tokenizer.
func (t *CLIP) Encode(text string) ([]int32, error) {
	ids := append([]int32{t.vocabulary.start}, t.vocabulary.encode(Clean(text))...)
	ids = append(ids, t.vocabulary.end)
	if len(ids) <= t.contextLength {
		return ids, nil
	}
	if !t.truncate {
		return nil, &LengthError{Text: text, Length: len(ids), Limit: t.contextLength}
	}
	ids = ids[:t.contextLength]
	ids[t.contextLength-1] = t.vocabulary.end
	return ids, nil
}

// Words implements Tokenizer.
func (t *CLIP) Words(text string) ([]int32, error) {
	return t.vocabulary.encode(Clean(text)), nil
}

// Prompt implements Tokenizer. As in CoOp (trainers/coop.py, PromptLearner) the
// name is encoded together with the full stop and behind a placeholder, and
// counts as many tokens as it has alone: a name that ends in punctuation takes
// the full stop along.
func (t *CLIP) Prompt(className string, contextLength int, position Position) ([]int32, error) {
	name, err := checkPrompt(className, contextLength, position)
	if err != nil {
		return nil, err
	}
	nameLength := len(t.vocabulary.encode(Clean(name)))
	if nameLength == 0 {
		return nil, fmt.Errorf("%w once cleaned: %q", ErrEmptyName, className)
	}
	tokens := t.vocabulary.encode(Clean("X " + name + "."))[1:]
	nameLength = min(nameLength, len(tokens))
	before := contextLength // context vectors in front of the name
	switch position {
	case Middle:
		before = contextLength / 2
	case Front:
		before = 0
	}
	ids := make([]int32, 0, contextLength+len(tokens)+2)
	ids = append(ids, t.vocabulary.start)
	for k := range before {
		ids = append(ids, -int32(k+1))
	}
	ids = append(ids, tokens[:nameLength]...)
	for k := before; k < contextLength; k++ {
		ids = append(ids, -int32(k+1))
	}
	ids = append(ids, tokens[nameLength:]...)
	ids = append(ids, t.vocabulary.end)
	if len(ids) > t.contextLength {
		return nil, fmt.Errorf("prompt of %d context vectors: %w", contextLength, &LengthError{Text: className, Length: len(ids), Limit: t.contextLength})
	}
	return ids, nil
}

// Decode returns what ids stand for, words apart, unknown and context ids left out.
// It gives back a cleaned text up to its spaces.
func (t *CLIP) Decode(ids []int32) string {
	var out strings.Builder
	for _, id := range ids {
		out.WriteString(t.vocabulary.pieces()[id])
	}
	return strings.TrimSuffix(out.String(), " ")
}
