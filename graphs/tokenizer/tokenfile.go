package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// tokenFile has the ids of the texts that a model with another tokenizer brings:
// lines {"text": …, "ids": […]}, unpadded; a line with ids below zero is the
// prompt of the class that its text names. Where the name stands is the file's affair.
type tokenFile struct {
	name           string
	contextLength  int
	texts, prompts map[string]tokenLine
}

type tokenLine struct {
	number int
	ids    []int32
}

func newTokenFile(c Config) (*tokenFile, error) {
	if c.Tokens == "" {
		return nil, fmt.Errorf("tokenizer of kind %s: name its file of ids (tokens)", KindTokens)
	}
	text, err := readWithin(c.Dir, c.Tokens)
	if err != nil {
		return nil, fmt.Errorf("reading the model's token ids: %w", err)
	}
	t := &tokenFile{name: c.Tokens, contextLength: c.ContextLength, texts: map[string]tokenLine{}, prompts: map[string]tokenLine{}}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if err := t.add(number, line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", c.Tokens, number, err)
		}
	}
	return t, nil
}

// add takes in a line of the file.
func (t *tokenFile) add(number int, line []byte) error {
	var entry struct {
		Text *string `json:"text"`
		IDs  []int32 `json:"ids"`
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&entry); err != nil {
		return fmt.Errorf(`want {"text": …, "ids": […]}: %w`, err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return fmt.Errorf(`want one {"text": …, "ids": […]} a line`)
	}
	if entry.Text == nil || len(entry.IDs) == 0 {
		return fmt.Errorf(`want {"text": …, "ids": […]} with at least one id`)
	}
	texts, key := t.texts, *entry.Text
	if slices.Min(entry.IDs) < 0 {
		texts, key = t.prompts, spaced(key)
		if err := checkContextIDs(entry.IDs); err != nil {
			return fmt.Errorf("prompt of class %s: %w", quote(key), err)
		}
	}
	if other, ok := texts[key]; ok && !slices.Equal(other.ids, entry.IDs) {
		return fmt.Errorf("text %s has other ids in line %d", quote(key), other.number)
	}
	texts[key] = tokenLine{number, entry.IDs}
	return nil
}

// checkContextIDs checks that ids below zero count up: -1, -2, …
func checkContextIDs(ids []int32) error {
	want := int32(-1)
	for _, id := range ids {
		if id >= 0 {
			continue
		}
		if id != want {
			return fmt.Errorf("context vector %d where %d is due: want -1, -2, … in order", id, want)
		}
		want--
	}
	return nil
}

// Encode implements Tokenizer.
func (t *tokenFile) Encode(text string) ([]int32, error) {
	line, ok := t.texts[text]
	if !ok {
		return nil, fmt.Errorf("%w: %s is not in %s; add a line {\"text\": …, \"ids\": […]} for it", ErrUnknownText, quote(text), t.name)
	}
	return t.within(text, line)
}

// Prompt implements Tokenizer.
func (t *tokenFile) Prompt(className string, contextLength int, position Position) ([]int32, error) {
	name, err := checkPrompt(className, contextLength, position)
	if err != nil {
		return nil, err
	}
	line, ok := t.prompts[name]
	if !ok {
		return nil, fmt.Errorf("%w: %s has no prompt of class %s; add a line with its name as text, and ids of -1 to -%d for the context", ErrUnknownText, t.name, quote(className), contextLength)
	}
	if have := -int(slices.Min(line.ids)); have != contextLength {
		return nil, fmt.Errorf("%s:%d: the prompt of class %s has %d context vectors, but %d are asked for", t.name, line.number, quote(className), have, contextLength)
	}
	if err := checkPosition(line.ids, position); err != nil {
		return nil, fmt.Errorf("%s:%d: prompt of class %s: %w", t.name, line.number, quote(className), err)
	}
	return t.within(className, line)
}

// checkPosition checks what can be told of an unknown tokenizer's prompt: whether
// the name parts the context, and where.
func checkPosition(ids []int32, position Position) error {
	first := slices.IndexFunc(ids, func(id int32) bool { return id < 0 })
	run := 0 // context vectors in front of the name
	for first+run < len(ids) && ids[first+run] < 0 {
		run++
	}
	length := -int(slices.Min(ids))
	want := length
	if position == Middle && length > 1 {
		want = length / 2
	}
	if run != want {
		return fmt.Errorf("%d of %d context vectors stand together, which is not the position %s", run, length, position)
	}
	return nil
}

func (t *tokenFile) within(text string, line tokenLine) ([]int32, error) {
	if len(line.ids) > t.contextLength {
		return nil, fmt.Errorf("%s:%d: %w", t.name, line.number, &LengthError{Text: text, Length: len(line.ids), Limit: t.contextLength})
	}
	return slices.Clone(line.ids), nil
}

// Words implements Tokenizer.
func (t *tokenFile) Words(string) ([]int32, error) {
	return nil, fmt.Errorf("%s: %w", t.name, ErrNoWords)
}

// spaced reads a class name as prompts do: _ as a space.
func spaced(className string) string {
	return strings.TrimSpace(strings.ReplaceAll(className, "_", " "))
}
