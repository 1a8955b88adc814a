package tokenizer_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/tokenizer"
)

func openTokens(t *testing.T, text string) (tokenizer.Tokenizer, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tokens.jsonl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return tokenizer.New(tokenizer.Config{Dir: dir, Kind: tokenizer.KindTokens, Tokens: "tokens.jsonl", ContextLength: 8})
}

const tokens = `{"text": "a photo of a cat.", "ids": [1, 5, 6, 2]}
{"text": "sea_lion", "ids": [1, -1, -2, 7, 8, 2]}

{"text": "cat", "ids": [1, -1, 7, -2, 2]}
{"text": "cat", "ids": [1, 7, 2]}
{"text": "long", "ids": [1, 5, 5, 5, 5, 5, 5, 5, 2]}
`

func TestTokenFile(t *testing.T) {
	model, err := openTokens(t, tokens)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := model.Encode("cat")
	if diff := cmp.Diff([]int32{1, 7, 2}, ids); diff != "" || err != nil {
		t.Errorf("Encode: %v\n%s", err, diff)
	}
	ids, err = model.Prompt("sea lion", 2, tokenizer.End)
	if diff := cmp.Diff([]int32{1, -1, -2, 7, 8, 2}, ids); diff != "" || err != nil {
		t.Errorf("Prompt: %v\n%s", err, diff)
	}
	ids[0] = 99 // what is handed out is the caller's
	if again, _ := model.Prompt("sea_lion", 2, tokenizer.Front); again[0] != 1 {
		t.Errorf("Prompt again: %v", again)
	}
	if _, err := model.Prompt("cat", 2, tokenizer.Middle); err != nil {
		t.Errorf("name in the middle: %v", err)
	}

	for want, call := range map[string]func() error{
		`"a dog" is not in tokens.jsonl`:    func() error { _, err := model.Encode("a dog"); return err },
		`no prompt of class "dog"`:          func() error { _, err := model.Prompt("dog", 2, tokenizer.End); return err },
		"has 2 context vectors, but 16 are": func() error { _, err := model.Prompt("cat", 16, tokenizer.Middle); return err },
		"which is not the position end":     func() error { _, err := model.Prompt("cat", 2, tokenizer.End); return err },
		"which is not the position middle":  func() error { _, err := model.Prompt("sea lion", 2, tokenizer.Middle); return err },
		"tokens.jsonl:6: text \"long\" has": func() error { _, err := model.Encode("long"); return err },
		"initialise the context at random":  func() error { _, err := model.Words("a photo"); return err },
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := model.Encode("a dog"); !errors.Is(err, tokenizer.ErrUnknownText) {
		t.Errorf("unknown text: %v", err)
	}
}

func TestTokenFileErrors(t *testing.T) {
	for text, want := range map[string]string{
		`{"text": "a", "ids": []}`:                                     "at least one id",
		`{"ids": [1]}`:                                                 "want {",
		`{"text": "a", "ids": [1], "id": 2}`:                           `unknown field "id"`,
		`{"text": "a", "ids": [1]} {}`:                                 "one {",
		`{"text": "a", "ids": [1.5]}`:                                  "cannot unmarshal",
		`{"text": "a", "ids": [99999999999]}`:                          "cannot unmarshal",
		"\n" + `{"text": "a"`:                                          "tokens.jsonl:2: ",
		`{"text": "a", "ids": [1, -2, 2]}`:                             "context vector -2 where -1 is due",
		`{"text": "a", "ids": [1]}` + "\n" + `{"text":"a","ids": [2]}`: "tokens.jsonl:2: text \"a\" has other ids in line 1",
	} {
		if _, err := openTokens(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func FuzzTokenFile(f *testing.F) {
	f.Add(tokens, "cat")
	f.Add(`{"text":"x","ids":[-1]}`, "x")
	f.Fuzz(func(t *testing.T, text, name string) {
		model, err := openTokens(t, text)
		if err != nil {
			return
		}
		if ids, err := model.Encode(name); err == nil && (len(ids) > 8 || slices.Min(ids) < 0) {
			t.Errorf("Encode(%q) = %v", name, ids)
		}
		for _, position := range []tokenizer.Position{tokenizer.End, tokenizer.Middle} {
			if ids, err := model.Prompt(name, 2, position); err == nil && (len(ids) > 8 || slices.Min(ids) != -2) {
				t.Errorf("Prompt(%q) = %v", name, ids)
			}
		}
	})
}
