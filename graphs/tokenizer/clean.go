package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/upl-host/upl-host/graphs/tokenizer/charref"
	"github.com/upl-host/upl-host/graphs/tokenizer/ftfy"
)

// Clean returns a text as CLIP's tokenizer reads it: repaired by ftfy, HTML
// entities decoded twice, whitespace runs a space each, none at the ends, in
// lower case.
func Clean(text string) string {
	text = charref.Unescape(charref.Unescape(ftfy.Fix(text)))
	return lower(strings.Join(strings.FieldsFunc(text, isSpace), " "))
}

// isSpace is what Python's str.split takes for whitespace: with the information
// separators, which Go leaves out.
func isSpace(char rune) bool { return unicode.IsSpace(char) || 0x1C <= char && char <= 0x1F }

// lower maps with Unicode's full rules, as Python does: İ becomes two characters,
// and a sigma at the end of a word ς. (cases.Lower would do, but for the sigmas
// that its buffer happens to cut off from what follows.)
func lower(text string) string {
	if !strings.ContainsAny(text, "İΣ") {
		return strings.ToLower(text)
	}
	var out strings.Builder
	for at, char := range text {
		switch char {
		case 'İ':
			out.WriteString("i\u0307")
		case 'Σ':
			if endsWord(text, at) {
				out.WriteRune('ς')
			} else {
				out.WriteRune('σ')
			}
		default:
			out.WriteRune(unicode.ToLower(char))
		}
	}
	return out.String()
}

// endsWord is Unicode's condition Final_Sigma (section 3.13): a cased letter
// before, none after, what has no case of its own (marks, apostrophes) passed over.
func endsWord(text string, at int) bool {
	before := strings.TrimRightFunc(text[:at], ignoresCase)
	last, _ := utf8.DecodeLastRuneInString(before)
	after := strings.TrimLeftFunc(text[at+len("Σ"):], ignoresCase)
	next, _ := utf8.DecodeRuneInString(after)
	return isCased(last) && !isCased(next)
}

// isCased is Unicode's property Cased.
func isCased(char rune) bool {
	return unicode.In(char, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Uppercase, unicode.Other_Lowercase)
}

// ignoresCase is Unicode's property Case_Ignorable: marks, format characters,
// modifiers, and the punctuation that words have within them (Word_Break MidLetter,
// MidNumLet, Single_Quote).
func ignoresCase(char rune) bool {
	return unicode.In(char, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) ||
		strings.ContainsRune("'.:·\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a", char)
}

// contractions are split from the word before them.
var contractions = []string{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}

// split cuts a cleaned text as CLIP's regular expression does: special tokens,
// contractions, runs of letters, single digits, runs of anything else, spaces left out.
func split(text string, specials []string) []string {
	var words []string
	for len(text) > 0 {
		if end := wordEnd(text, specials); end > 0 {
			words = append(words, text[:end])
			text = text[end:]
			continue
		}
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
	}
	return words
}

// wordEnd is where the word at the start of text ends; 0 where none does.
func wordEnd(text string, specials []string) int {
	for _, literals := range [][]string{specials, contractions} {
		for _, literal := range literals {
			if end := foldedPrefix(text, literal); end > 0 {
				return end
			}
		}
	}
	first, size := utf8.DecodeRuneInString(text)
	switch {
	case separates(first):
		return 0
	case unicode.Is(unicode.N, first):
		return size
	}
	letters := unicode.Is(unicode.L, first)
	end := strings.IndexFunc(text, func(char rune) bool {
		if letters {
			return !unicode.Is(unicode.L, char)
		}
		return separates(char) || unicode.In(char, unicode.L, unicode.N)
	})
	if end < 0 {
		return len(text)
	}
	return end
}

// separates reports what no word has: spaces, and the one mark (U+0345, iota below)
// whose capital is a letter, so that the reference's expression, case aside, takes
// it for neither a letter nor anything else.
func separates(char rune) bool { return unicode.IsSpace(char) || char == '\u0345' }

// foldedPrefix is how many bytes of text equal literal, case aside, which also
// takes ſ for s as the reference's does; 0 where they do not.
func foldedPrefix(text, literal string) int {
	at := 0
	for _, want := range literal {
		char, size := utf8.DecodeRuneInString(text[at:])
		if size == 0 || !foldEqual(char, want) {
			return 0
		}
		at += size
	}
	return at
}

func foldEqual(a, b rune) bool {
	if a == b {
		return true
	}
	for r := unicode.SimpleFold(a); r != a; r = unicode.SimpleFold(r) {
		if r == b {
			return true
		}
	}
	return false
}
