package tokenizer

import (
	"bytes"
	"compress/gzip"
	_ "embed" // the merges of CLIP's vocabulary
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// clipMerges are the merges that OpenAI's CLIP uses; see LICENCES.md.
//
//go:embed merges.txt.gz
var clipMerges []byte

// maxFile bounds the files that a model brings; CLIP's are 1 MB.
const maxFile = 64 << 20

// maxID bounds the ids of a vocabulary; CLIP's end at 49,407.
const maxID = 1 << 24

// specialNames are the texts of the start and end tokens: open_clip's, OpenAI's.
var specialNames = [][]string{
	{"<start_of_text>", "<end_of_text>"},
	{"<|startoftext|>", "<|endoftext|>"},
}

// builtin is OpenAI's vocabulary, numbered as open_clip numbers it; loaded once, on first use.
var builtin = sync.OnceValues(func() (*vocabulary, error) {
	merges, err := loadClipMerges()
	if err != nil {
		return nil, fmt.Errorf("reading the built-in merges: %w", err)
	}
	return newVocabulary(clipSymbols(merges), merges)
})

func loadClipMerges() ([][2]string, error) {
	reader, err := gzip.NewReader(bytes.NewReader(clipMerges))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		return nil, err
	}
	return parseMerges(string(text))
}

// clipSymbols numbers symbols as CLIP does: the bytes in the order of their
// characters, the same as ends of words, the merges, start and end.
func clipSymbols(merges [][2]string) map[string]int32 {
	symbols := make(map[string]int32, 2*256+len(merges)+2)
	add := func(symbol string) { symbols[symbol] = int32(len(symbols)) }
	chars := alphabet()
	var order []rune
	for _, printable := range []bool{true, false} {
		for b, char := range chars {
			if (char == rune(b)) == printable {
				order = append(order, char)
			}
		}
	}
	for _, end := range []string{"", endOfWord} {
		for _, char := range order {
			add(string(char) + end)
		}
	}
	for _, m := range merges {
		add(m[0] + m[1])
	}
	for _, special := range specialNames[0] {
		add(special)
	}
	return symbols
}

// readVocabulary reads a model's vocab.json and merges.txt.
func readVocabulary(dir, vocabularyFile, mergesFile string) (*vocabulary, error) {
	if vocabularyFile == "" || mergesFile == "" {
		return nil, errors.New("tokenizer's vocabulary and merges belong together: name both files, or none for the built-in ones")
	}
	text, err := readWithin(dir, vocabularyFile)
	if err != nil {
		return nil, fmt.Errorf("reading the tokenizer's vocabulary: %w", err)
	}
	var symbols map[string]int32
	if err := json.Unmarshal(text, &symbols); err != nil {
		return nil, fmt.Errorf("tokenizer's vocabulary %s: want a JSON object of symbols and ids: %w", vocabularyFile, err)
	}
	text, err = readWithin(dir, mergesFile)
	if err != nil {
		return nil, fmt.Errorf("reading the tokenizer's merges: %w", err)
	}
	merges, err := parseMerges(string(text))
	if err != nil {
		return nil, fmt.Errorf("tokenizer's merges %s: %w", mergesFile, err)
	}
	v, err := newVocabulary(symbols, merges)
	if err != nil {
		return nil, fmt.Errorf("tokenizer's vocabulary %s with merges %s: %w", vocabularyFile, mergesFile, err)
	}
	return v, nil
}

// readWithin reads a file of limited size that lies in a folder.
func readWithin(dir, name string) ([]byte, error) {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return nil, fmt.Errorf("file %q does not lie within the model's folder", name)
	}
	file, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d MiB", file.Name(), maxFile>>20)
	}
	return text, nil
}

// parseMerges reads a merges.txt: two symbols a line, best first; the first line
// may be a version.
func parseMerges(text string) ([][2]string, error) {
	merges := make([][2]string, 0, strings.Count(text, "\n"))
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if line == "" || number == 1 && strings.Contains(line, "#version") {
			continue
		}
		first, second, _ := strings.Cut(line, " ")
		if first == "" || second == "" || strings.Contains(second, " ") {
			return nil, fmt.Errorf("line %d: want two symbols and a space between them, have %s", number, quote(line))
		}
		merges = append(merges, [2]string{first, second})
	}
	return merges, nil
}

// newVocabulary checks that symbols and merges belong to each other.
func newVocabulary(symbols map[string]int32, merges [][2]string) (*vocabulary, error) {
	v := &vocabulary{merges: make(map[pair]merge, len(merges))}
	if err := v.setSpecials(symbols); err != nil {
		return nil, err
	}
	for b, char := range alphabet() {
		for symbol, ids := range map[string]*[256]int32{string(char): &v.inner, string(char) + endOfWord: &v.final} {
			id, ok := symbols[symbol]
			if !ok {
				return nil, fmt.Errorf("symbol %q (byte %d) is missing from the vocabulary", symbol, b)
			}
			ids[b] = id
		}
	}
	for rank, m := range merges {
		var ids [3]int32
		for i, symbol := range []string{m[0], m[1], m[0] + m[1]} {
			id, ok := symbols[symbol]
			if !ok {
				return nil, fmt.Errorf("merge %d (%q and %q): symbol %q is missing from the vocabulary", rank+1, m[0], m[1], symbol)
			}
			ids[i] = id
		}
		v.merges[pair{ids[0], ids[1]}] = merge{rank: rank, result: ids[2]}
	}
	v.pieces = sync.OnceValue(func() map[int32]string { return decoder(symbols) })
	return v, nil
}

// setSpecials finds start and end among the symbols, and checks all ids.
func (v *vocabulary) setSpecials(symbols map[string]int32) error {
	for _, names := range specialNames {
		start, ok1 := symbols[names[0]]
		end, ok2 := symbols[names[1]]
		if ok1 && ok2 {
			v.start, v.end, v.specials = start, end, names
			break
		}
	}
	if v.specials == nil {
		return fmt.Errorf("start and end tokens are missing from the vocabulary: want %q and %q, or %q and %q",
			specialNames[0][0], specialNames[0][1], specialNames[1][0], specialNames[1][1])
	}
	if v.end > maxID {
		return fmt.Errorf("the end token has the id %d: want at most %d", v.end, maxID)
	}
	taken := make([]bool, v.end+1)
	for symbol, id := range symbols {
		if id < 0 {
			return fmt.Errorf("symbol %q has the id %d: want none below 0", symbol, id)
		}
		if id > v.end {
			return fmt.Errorf("symbol %q has the id %d, above that of the end token, %d: CLIP's text encoder takes a row's largest id for its end", symbol, id, v.end)
		}
		if taken[id] {
			return fmt.Errorf("symbol %q has the id %d, as another symbol has", symbol, id)
		}
		taken[id] = true
	}
	return nil
}
