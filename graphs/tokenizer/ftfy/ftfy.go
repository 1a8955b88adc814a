// Package ftfy repairs text whose characters were mangled on their way: UTF-8
// read as a single-byte encoding (mojibake), HTML entities, curly quotes,
// ligatures, full-width letters, control characters. CLIP's tokenizer cleans its
// input with it, so that it belongs to the token ids.
//
// It computes what fix_text of the Python library ftfy 6.3.1 computes with its
// default settings (https://ftfy.readthedocs.io; Robyn Speer, Apache License 2.0).
// The character classes (classes.go) and the rules (badness.go) are that
// library's. What differs: the tables of Unicode are those of Go and of
// golang.org/x/text, where Python brings its own version's; and a string that is
// not UTF-8 has each wrong byte read as U+FFFD.
package ftfy

import (
	"strings"
	"unicode/utf8"
)

// maxSegment is how many characters are repaired as one piece.
const maxSegment = 1_000_000

// Fix repairs text, line by line.
func Fix(text string) string {
	text = replaceInvalid(text)
	var out strings.Builder
	entities := true
	for len(text) > 0 {
		segment := text[:segmentEnd(text)]
		text = text[len(segment):]
		// A literal < says that this is HTML, whose entities are meant, from here on.
		entities = entities && !strings.Contains(segment, "<")
		out.WriteString(fixSegment(segment, entities))
	}
	return out.String()
}

// replaceInvalid puts U+FFFD in the place of every byte that is not part of UTF-8.
func replaceInvalid(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	return string([]rune(text))
}

// segmentEnd is where the first line of text ends, its newline included.
func segmentEnd(text string) int {
	end := strings.IndexByte(text, '\n') + 1
	if end == 0 {
		end = len(text)
	}
	if end <= maxSegment {
		return end
	}
	count := 0
	for at := range text[:end] {
		if count == maxSegment {
			return at
		}
		count++
	}
	return end
}

// fixSegment repairs until nothing changes any more.
func fixSegment(text string, entities bool) string {
	for {
		before := text
		if entities {
			text = unescapeHTML(text)
		}
		text = fixEncoding(text)
		text = fixC1Controls(text)
		text = fixCharacters(text)
		text = fixLineBreaks(text)
		text = removeTerminalEscapes(text)
		text = removeControls(text)
		text = nfc(text)
		if text == before {
			return text
		}
	}
}
