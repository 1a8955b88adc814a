package tokenizer

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// mergeByRescanning is the reference's algorithm (bpe in SimpleTokenizer): look
// for the best pair in the whole word, merge all its occurrences, begin again.
func mergeByRescanning(v *vocabulary, word string) []int32 {
	ids := make([]int32, len(word))
	for i := range len(word) {
		ids[i] = v.inner[word[i]]
	}
	ids[len(ids)-1] = v.final[word[len(word)-1]]
	for {
		best, chosen := merge{rank: 1 << 30}, pair{}
		for i := range len(ids) - 1 {
			p := pair{ids[i], ids[i+1]}
			if m, ok := v.merges[p]; ok && m.rank < best.rank {
				best, chosen = m, p
			}
		}
		if best.rank == 1<<30 {
			return ids
		}
		var merged []int32
		for i := 0; i < len(ids); i++ {
			if i+1 < len(ids) && (pair{ids[i], ids[i+1]}) == chosen {
				merged = append(merged, best.result)
				i++
			} else {
				merged = append(merged, ids[i])
			}
		}
		ids = merged
	}
}

// Merges come in an order that no training would give, so that merged symbols may
// outrank those that they were made from.
func TestEncodeWordEqualsRescanning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		symbols := []string{"a", "b", "c", "a</w>", "b</w>", "c</w>"}
		var merges [][2]string
		for range rapid.IntRange(1, 12).Draw(t, "merges") {
			first := rapid.SampledFrom(symbols).Draw(t, "first")
			second := rapid.SampledFrom(symbols).Draw(t, "second")
			if strings.HasSuffix(first, endOfWord) || slices.Contains(symbols, first+second) {
				continue
			}
			symbols = append(symbols, first+second)
			merges = append(merges, [2]string{first, second})
		}
		merges = rapid.Permutation(merges).Draw(t, "order")
		v, err := newVocabulary(clipSymbols(merges), merges)
		if err != nil {
			t.Fatal(err)
		}
		word := rapid.StringMatching("[abc]{1,30}").Draw(t, "word")
		if got, want := v.encodeWord(word), mergeByRescanning(v, word); !slices.Equal(got, want) {
			t.Fatalf("encodeWord(%s) = %v, want %v", word, got, want)
		}
	})
}

func FuzzEncode(f *testing.F) {
	v, err := builtin()
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{"a photo of a cat.", "Ã©tÃ© &amp;nGt;", "\xff\xc0\n", "<end_of_text>", "ΣΑΣ İ \u0345", strings.Repeat("ab", 2000)} {
		f.Add(text)
	}
	clip := &CLIP{vocabulary: v, contextLength: 1 << 30}
	f.Fuzz(func(t *testing.T, text string) {
		ids, err := clip.Encode(text)
		if err != nil {
			t.Fatal(err)
		}
		if ids[0] != v.start || ids[len(ids)-1] != v.end {
			t.Fatalf("%q: %v does not run from start to end", text, ids)
		}
		for _, id := range ids {
			if id < 0 || id > v.end {
				t.Fatalf("%q: id %d is not in the vocabulary", text, id)
			}
		}
		unspaced := func(s string) string {
			return strings.Map(func(r rune) rune {
				if separates(r) {
					return -1
				}
				return r
			}, s)
		}
		if got, want := unspaced(clip.Decode(ids[1:len(ids)-1])), unspaced(Clean(text)); got != want {
			t.Fatalf("%q decodes to %q, want %q", text, got, want)
		}
		truncated, err := (&CLIP{vocabulary: v, contextLength: 8, truncate: true}).Encode(text)
		if err != nil || len(truncated) > 8 || truncated[len(truncated)-1] != v.end {
			t.Fatalf("%q truncated: %v, %v", text, truncated, err)
		}
	})
}

func BenchmarkBuiltin(b *testing.B) {
	for b.Loop() {
		merges, err := loadClipMerges()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := newVocabulary(clipSymbols(merges), merges); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	t, err := newCLIP(Config{ContextLength: DefaultContextLength})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := t.Encode("a photo of a golden retriever, a type of pet."); err != nil {
			b.Fatal(err)
		}
	}
}
