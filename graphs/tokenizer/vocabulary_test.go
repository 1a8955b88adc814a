package tokenizer_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/graphs/tokenizer"
)

func TestVocabularyErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(golden, "vit", "vocab.json"))
	if err != nil {
		t.Fatal(err)
	}
	change := func(name string, edit func(map[string]int32)) {
		var symbols map[string]int32
		if err := json.Unmarshal(text, &symbols); err != nil {
			t.Fatal(err)
		}
		edit(symbols)
		changed, err := json.Marshal(symbols)
		if err != nil {
			t.Fatal(err)
		}
		write(name, string(changed))
	}
	write("vocab.json", string(text))
	write("merges.txt", "#version: 0.2\ni n\nt h\n")
	write("three.txt", "i n\nt h e\n")
	write("unknown.txt", "i n\n\nz qqq\n")
	write("list.json", "[1, 2]")
	write("fraction.json", `{"a": 1.5}`)
	change("nobyte.json", func(s map[string]int32) { delete(s, "Ġ</w>") })
	change("noend.json", func(s map[string]int32) { delete(s, "<end_of_text>") })
	change("negative.json", func(s map[string]int32) { s["a"] = -1 })
	change("twice.json", func(s map[string]int32) { s["a"] = s["b"] })
	change("above.json", func(s map[string]int32) { s["a"] = 5000 })
	change("openai.json", func(s map[string]int32) {
		s["<|startoftext|>"], s["<|endoftext|>"] = s["<start_of_text>"], s["<end_of_text>"]
		delete(s, "<start_of_text>")
		delete(s, "<end_of_text>")
	})

	for _, test := range []struct{ vocabulary, merges, want string }{
		{"vocab.json", "", "belong together"},
		{"", "merges.txt", "belong together"},
		{"missing.json", "merges.txt", "missing.json"},
		{"vocab.json", "../merges.txt", "does not lie within"},
		{"/vocab.json", "merges.txt", "does not lie within"},
		{"list.json", "merges.txt", "want a JSON object"},
		{"fraction.json", "merges.txt", "want a JSON object"},
		{"vocab.json", "three.txt", "line 2: want two symbols"},
		{"vocab.json", "unknown.txt", `merge 2 ("z" and "qqq"): symbol "qqq" is missing`},
		{"nobyte.json", "merges.txt", `symbol "Ġ</w>" (byte 32) is missing`},
		{"noend.json", "merges.txt", "start and end tokens are missing"},
		{"negative.json", "merges.txt", `symbol "a" has the id -1`},
		{"twice.json", "merges.txt", "as another symbol has"},
		{"above.json", "merges.txt", "above that of the end token"},
	} {
		_, err := tokenizer.New(tokenizer.Config{Dir: dir, Vocabulary: test.vocabulary, Merges: test.merges})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s, %s: %v, want %q", test.vocabulary, test.merges, err, test.want)
		}
	}

	// OpenAI's names of the special tokens, and of merges only two.
	shortened := open(t, tokenizer.Config{Dir: dir, Vocabulary: "openai.json", Merges: "merges.txt"})
	ids, err := shortened.Encode("thin<|endoftext|>")
	if err != nil || !slices.Equal(ids, []int32{2012, 513, 72, 333, 2013, 2013}) {
		t.Errorf("shortened: %v, %v", ids, err)
	}
}

func TestConfigErrors(t *testing.T) {
	for want, c := range map[string]tokenizer.Config{
		`kind is "wordpiece", want clip or tokens`: {Kind: "wordpiece"},
		"at least 2 tokens":                        {ContextLength: 1},
		"name its file of ids":                     {Kind: tokenizer.KindTokens},
	} {
		if _, err := tokenizer.New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New(%+v): %v, want %q", c, err, want)
		}
	}
}
