// Package tokenizer turns texts into token ids: CLIP's byte-pair encoding, or
// ids that a model with another tokenizer brings in a file.
//
// CLIP's is that of open_clip's SimpleTokenizer, text cleaning included: ftfy,
// HTML entities, whitespace, lower case. The ids are the same for every text of
// the reference (testdata/reference.py); what may differ is a text with letters
// or case rules that Unicode gained between the versions that Go, golang.org/x/text
// and Python carry. A text that is not UTF-8, which Python could not hold, has
// each wrong byte read as U+FFFD.
//
// In prompts an id of -k stands for the k-th learnable context vector, k from 1.
package tokenizer

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Tokenizer turns texts into ids. It may be used from several goroutines.
type Tokenizer interface {
	// Encode returns the ids of a text from the start token to the end token,
	// unpadded. It fails with a *LengthError where they are more than the model's
	// context length, and with ErrUnknownText where a file has no ids for the text.
	Encode(text string) ([]int32, error)
	// Prompt returns the ids of [start, V, name, ".", end] for a class name and a
	// context V of contextLength vectors: -1 to -contextLength, once each and in
	// order. It fails as Encode does; a prompt is never truncated.
	Prompt(className string, contextLength int, position Position) ([]int32, error)
	// Words returns the ids of a text without start and end: of the words that a
	// context begins as. It fails with ErrNoWords where a model brings only ids.
	Words(text string) ([]int32, error)
}

// Position is the place of the class name in a prompt.
type Position string

// The places of CoOp (Zhou et al. 2022, section 3.1).
const (
	End    Position = "end"    // [V] name .
	Middle Position = "middle" // half of [V], rounded down, name, the other half, .
	Front  Position = "front"  // name [V] .
)

// Validate says which positions there are, if p is none.
func (p Position) Validate() error {
	switch p {
	case End, Middle, Front:
		return nil
	}
	return fmt.Errorf("position of the class name is %q, want %s, %s or %s", string(p), End, Middle, Front)
}

// The kinds of tokenizers that a model may name.
const (
	KindCLIP   = "clip"
	KindTokens = "tokens"
)

// DefaultContextLength is CLIP's, in tokens.
const DefaultContextLength = 77

var (
	// ErrUnknownText says that a model's file of ids lacks a text.
	ErrUnknownText = errors.New("the model brings no token ids for this text")
	// ErrNoWords says that a model's file of ids cannot be asked for words.
	ErrNoWords = errors.New("the model brings token ids of whole texts only: initialise the context at random")
	// ErrEmptyName says that a class name has nothing in it to encode.
	ErrEmptyName = errors.New("class name is empty")
)

// LengthError says that a text has more tokens than the model takes.
type LengthError struct {
	Text   string
	Length int // tokens, start and end included
	Limit  int // the model's context length
}

func (e *LengthError) Error() string {
	return fmt.Sprintf("text %s has %d tokens, start and end included, but the model takes at most %d: shorten it", quote(e.Text), e.Length, e.Limit)
}

// quote shortens what is too long to be read in a message.
func quote(text string) string {
	const limit = 80
	if utf8.RuneCountInString(text) > limit {
		text = string([]rune(text)[:limit]) + "…"
	}
	return fmt.Sprintf("%q", text)
}

// Config says which tokenizer a model has.
type Config struct {
	Dir  string // the folder that the files are in
	Kind string // KindCLIP (also where empty) or KindTokens
	// Vocabulary and Merges are CLIP's files as transformers names them,
	// vocab.json and merges.txt; both empty: OpenAI's vocabulary, built in.
	Vocabulary, Merges string
	Tokens             string // the file of ids, for KindTokens
	// ContextLength is how many tokens the model takes; 0: DefaultContextLength.
	ContextLength int
	// Truncate makes Encode cut long texts off as CLIP's truncate=True does, the
	// end token last, in place of an error. CLIP's tokenizer only.
	Truncate bool
}

// New opens a model's tokenizer. Files must lie within the folder.
func New(c Config) (Tokenizer, error) {
	if c.ContextLength == 0 {
		c.ContextLength = DefaultContextLength
	}
	if c.ContextLength < 2 {
		return nil, fmt.Errorf("context length is %d, want at least 2 tokens, start and end", c.ContextLength)
	}
	switch c.Kind {
	case "", KindCLIP:
		return newCLIP(c)
	case KindTokens:
		return newTokenFile(c)
	}
	return nil, fmt.Errorf("tokenizer's kind is %q, want %s or %s", c.Kind, KindCLIP, KindTokens)
}

// ForClass gives a prompt's ids the context of one class of many: where contexts
// of contextLength vectors are stacked, class c's k-th vector is -(c*contextLength+k),
// c from 0. The ids are not changed in place.
func ForClass(ids []int32, class, contextLength int) []int32 {
	out := make([]int32, len(ids))
	for i, id := range ids {
		if id < 0 {
			id -= int32(class * contextLength)
		}
		out[i] = id
	}
	return out
}

// checkPrompt checks what a caller asks of Prompt and returns the name as read.
func checkPrompt(className string, contextLength int, position Position) (string, error) {
	if err := position.Validate(); err != nil {
		return "", err
	}
	if contextLength < 1 {
		return "", fmt.Errorf("context of %d vectors: want at least 1", contextLength)
	}
	name := spaced(className)
	if name == "" {
		return "", fmt.Errorf("%w: %q", ErrEmptyName, className)
	}
	return name, nil
}
