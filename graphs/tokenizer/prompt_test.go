package tokenizer_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/tokenizer"
)

const golden = "../testdata/golden-small"

func small(t testing.TB) tokenizer.Tokenizer {
	return open(t, tokenizer.Config{Dir: filepath.Join(golden, "vit"), Vocabulary: "vocab.json", Merges: "merges.txt"})
}

// The reference writes "X X … name." and lets the context take the Xs' places.
func TestPromptGolden(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(golden, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases struct {
		Names  []string `json:"class_names"`
		Length int      `json:"context_length"`
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	arrays, err := array.ReadArchive(filepath.Join(golden, "vit", "expected.npz"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := arrays["prompt_tokens"].Int()
	if err != nil {
		t.Fatal(err)
	}
	model := small(t)
	placeholder, err := model.Words("X")
	if err != nil {
		t.Fatal(err)
	}
	const row = 77
	for i, name := range cases.Names {
		ids, err := model.Prompt(name, cases.Length, tokenizer.End)
		if err != nil {
			t.Fatal(err)
		}
		for k := range cases.Length {
			if got, want := ids[1+k], -int32(k+1); got != want {
				t.Errorf("%s: id %d is %d, want %d", name, 1+k, got, want)
			}
			ids[1+k] = placeholder[0]
		}
		padded := make([]int, row)
		for k, id := range ids {
			padded[k] = int(id)
		}
		if diff := cmp.Diff(want[i*row:(i+1)*row], padded); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestPromptPositions(t *testing.T) {
	model := open(t, tokenizer.Config{})
	const start, end, stop, golden, retriever = 49406, 49407, 269, 3878, 28394
	for position, want := range map[tokenizer.Position][]int32{
		tokenizer.End:    {start, -1, -2, -3, -4, -5, golden, retriever, stop, end},
		tokenizer.Middle: {start, -1, -2, golden, retriever, -3, -4, -5, stop, end},
		tokenizer.Front:  {start, golden, retriever, -1, -2, -3, -4, -5, stop, end},
	} {
		for _, name := range []string{"golden retriever", "Golden_Retriever", " golden  retriever "} {
			ids, err := model.Prompt(name, 5, position)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, ids); diff != "" {
				t.Errorf("%s of %q:\n%s", position, name, diff)
			}
		}
	}
}

// A name's own full stop joins the prompt's, as it does in CoOp's code.
func TestPromptTakesPunctuationAlong(t *testing.T) {
	model := open(t, tokenizer.Config{})
	ids, err := model.Prompt("Acme Corp.", 2, tokenizer.Middle)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := model.Words("acme corp..")
	if err != nil {
		t.Fatal(err)
	}
	want := append(append([]int32{49406, -1}, whole...), -2, 49407)
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Error(diff)
	}
}

func TestPromptErrors(t *testing.T) {
	model := open(t, tokenizer.Config{ContextLength: 20, Truncate: true})
	for _, test := range []struct {
		name     string
		length   int
		position tokenizer.Position
		want     string
	}{
		{"cat", 16, "behind", `position of the class name is "behind", want end, middle or front`},
		{"cat", 0, tokenizer.End, "want at least 1"},
		{"_ _", 16, tokenizer.End, "class name is empty"},
		{"\x00\ufeff", 16, tokenizer.End, "class name is empty"},
		{"golden retriever", 16, tokenizer.End, `prompt of 16 context vectors: text "golden retriever" has 21 tokens`},
	} {
		_, err := model.Prompt(test.name, test.length, test.position)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Prompt(%q, %d, %s): %v, want %q", test.name, test.length, test.position, err, test.want)
		}
	}
	if _, err := model.Prompt("", 16, tokenizer.End); !errors.Is(err, tokenizer.ErrEmptyName) {
		t.Errorf("empty name: %v", err)
	}
	if _, err := model.Prompt("cat", 16, tokenizer.End); err != nil {
		t.Errorf("a prompt as long as the model takes: %v", err)
	}
}

func TestEncodeLength(t *testing.T) {
	text := strings.Repeat("word ", 90)
	_, err := open(t, tokenizer.Config{}).Encode(text)
	var tooLong *tokenizer.LengthError
	if !errors.As(err, &tooLong) || tooLong.Length != 92 || tooLong.Limit != 77 || tooLong.Text != text {
		t.Errorf("Encode of 90 words: %v", err)
	}
	if message := err.Error(); !strings.Contains(message, "92 tokens") || !strings.Contains(message, "at most 77") || len(message) > 250 {
		t.Errorf("message: %s", message)
	}
	ids, err := open(t, tokenizer.Config{Truncate: true}).Encode(text)
	if err != nil || len(ids) != 77 || ids[76] != 49407 || ids[75] != 2653 {
		t.Errorf("truncated: %d ids, %v", len(ids), err)
	}
}

func TestForClass(t *testing.T) {
	ids := []int32{49406, -1, -2, 320, 49407}
	if diff := cmp.Diff([]int32{49406, -7, -8, 320, 49407}, tokenizer.ForClass(ids, 3, 2)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(ids, tokenizer.ForClass(ids, 0, 2)); diff != "" {
		t.Error(diff)
	}
}
