package tokenizer

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"
)

// vocabulary is a byte-pair encoding: which pairs of symbols merge, the rank of
// each merge, and the ids of all symbols.
type vocabulary struct {
	start, end int32
	specials   []string // the texts of start and end, found in texts as such
	inner      [256]int32
	final      [256]int32 // a byte that ends a word
	merges     map[pair]merge
	pieces     func() map[int32]string // what each id stands for; a space ends a word
}

type pair struct{ first, second int32 }

type merge struct {
	rank   int
	result int32
}

// endOfWord marks symbols that end a word.
const endOfWord = "</w>"

// alphabet gives each byte the visible character that vocabularies write for it
// (bytes_to_unicode in CLIP's simple_tokenizer.py): itself where it is printable
// Latin-1, else the next one from U+0100.
func alphabet() [256]rune {
	var chars [256]rune
	next := rune(0x100)
	for b := range chars {
		switch {
		case '!' <= b && b <= '~', 0xA1 <= b && b <= 0xAC, 0xAE <= b:
			chars[b] = rune(b)
		default:
			chars[b] = next
			next++
		}
	}
	return chars
}

// encode returns the ids of a cleaned text.
func (v *vocabulary) encode(text string) []int32 {
	var ids []int32
	for _, word := range split(text, v.specials) {
		switch word {
		case v.specials[0]:
			ids = append(ids, v.start)
		case v.specials[1]:
			ids = append(ids, v.end)
		default:
			ids = append(ids, v.encodeWord(word)...)
		}
	}
	return ids
}

// candidate is a pair of neighbours that might merge.
type candidate struct{ rank, at int }

// candidates are a heap: the lowest rank first, from left to right.
type candidates []candidate

func (c candidates) Len() int      { return len(c) }
func (c candidates) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c candidates) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(c[i].rank, c[j].rank), cmp.Compare(c[i].at, c[j].at)) < 0
}
func (c *candidates) Push(x any) { *c = append(*c, x.(candidate)) }
func (c *candidates) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}

// encodeWord merges the bytes of a word, best rank first, every occurrence of a
// pair before the next pair is chosen: in n log n, where the reference rescans
// the word after each merge.
func (v *vocabulary) encodeWord(word string) []int32 {
	w := newChain(v, word)
	for len(w.queue) > 0 {
		rank := w.queue[0].rank
		var merged []int
		for len(w.queue) > 0 && w.queue[0].rank == rank {
			at := heap.Pop(&w.queue).(candidate).at
			if m, ok := w.mergeAt(at); ok && m.rank == rank {
				w.join(at, m.result)
				merged = append(merged, at)
			}
		}
		for _, at := range merged {
			w.consider(w.previous[at])
			w.consider(at)
		}
	}
	return w.symbols()
}

// chain is a word's symbols as a linked list over its bytes' positions.
type chain struct {
	v              *vocabulary
	ids            []int32 // at each position; -1 where a merge took it in
	previous, next []int   // -1 and len(ids) at the ends
	queue          candidates
}

func newChain(v *vocabulary, word string) *chain {
	n := len(word)
	w := &chain{v: v, ids: make([]int32, n), previous: make([]int, n), next: make([]int, n)}
	for i := range n {
		w.ids[i] = v.inner[word[i]]
		w.previous[i], w.next[i] = i-1, i+1
	}
	w.ids[n-1] = v.final[word[n-1]]
	for i := range n - 1 {
		w.consider(i)
	}
	return w
}

// mergeAt is the merge of the symbol at a position with the one after it.
func (w *chain) mergeAt(at int) (merge, bool) {
	if at < 0 || w.ids[at] < 0 || w.next[at] == len(w.ids) {
		return merge{}, false
	}
	m, ok := w.v.merges[pair{w.ids[at], w.ids[w.next[at]]}]
	return m, ok
}

func (w *chain) consider(at int) {
	if m, ok := w.mergeAt(at); ok {
		heap.Push(&w.queue, candidate{m.rank, at})
	}
}

// join takes the symbol after a position into the one at it.
func (w *chain) join(at int, result int32) {
	taken := w.next[at]
	w.ids[at], w.ids[taken] = result, -1
	w.next[at] = w.next[taken]
	if w.next[at] < len(w.ids) {
		w.previous[w.next[at]] = at
	}
}

func (w *chain) symbols() []int32 {
	return slices.DeleteFunc(w.ids, func(id int32) bool { return id < 0 })
}

// decoder returns what each symbol stands for, as text.
func decoder(symbols map[string]int32) map[int32]string {
	bytes := map[rune]byte{}
	for b, char := range alphabet() {
		bytes[char] = byte(b)
	}
	pieces := make(map[int32]string, len(symbols))
	for symbol, id := range symbols {
		text, ends := strings.CutSuffix(symbol, endOfWord)
		raw := make([]byte, 0, len(text)+1)
		for _, char := range text {
			raw = append(raw, bytes[char])
		}
		if ends {
			raw = append(raw, ' ')
		}
		pieces[id] = string(raw)
	}
	return pieces
}
