package tokenizer_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/tokenizer"
)

type reference struct {
	Kind  string  `json:"kind"`
	Text  string  `json:"text"`
	Clean *string `json:"clean"`
	IDs   []int32 `json:"ids"`
}

func readReference(t *testing.T, path string) []reference {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var cases []reference
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c reference
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	if err := lines.Err(); err != nil || len(cases) == 0 {
		t.Fatalf("%s: %d cases, %v", path, len(cases), err)
	}
	return cases
}

func open(t testing.TB, c tokenizer.Config) tokenizer.Tokenizer {
	t.Helper()
	opened, err := tokenizer.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

// long is a context length that no test's text exceeds.
const long = 1 << 16

func TestReference(t *testing.T) {
	built := open(t, tokenizer.Config{ContextLength: long})
	for _, c := range readReference(t, "testdata/reference.jsonl") {
		if got := tokenizer.Clean(c.Text); got != *c.Clean {
			t.Errorf("%s: Clean(%+q)\n= %+q\nwant %+q", c.Kind, c.Text, got, *c.Clean)
			continue
		}
		ids, err := built.Words(c.Text)
		if err != nil {
			t.Fatal(err)
		}
		if len(ids)+len(c.IDs) > 0 && !cmp.Equal(ids, c.IDs) {
			t.Errorf("%s: Words(%+q)\n%s", c.Kind, c.Text, cmp.Diff(c.IDs, ids))
		}
	}
}

func TestGolden(t *testing.T) {
	check := func(file string, c tokenizer.Config) {
		c.Truncate = true
		model := open(t, c)
		for _, c := range readReference(t, file) {
			ids, err := model.Encode(c.Text)
			if err != nil {
				t.Errorf("Encode(%q): %v", c.Text, err)
			} else if !cmp.Equal(ids, c.IDs) {
				t.Errorf("Encode(%q)\n%s", c.Text, cmp.Diff(c.IDs, ids))
			}
		}
	}
	const small = "../testdata/golden-small"
	for _, model := range []string{"vit", "resnet", "vit-transformers"} {
		check(filepath.Join(small, "tokens.jsonl"), tokenizer.Config{
			Dir: filepath.Join(small, model), Vocabulary: "vocab.json", Merges: "merges.txt",
		})
	}
	if whole := os.Getenv("UPL_GOLDEN"); whole != "" {
		check(filepath.Join(whole, "tokens.jsonl"), tokenizer.Config{})
	}
}
