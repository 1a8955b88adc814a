package ftfy

import (
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// fixEncoding undoes decodings in the wrong encoding, as many as were stacked.
func fixEncoding(text string) string {
	for {
		fixed := fixEncodingOnce(text)
		if fixed == text {
			return text
		}
		text = fixed
	}
}

func fixEncodingOnce(text string) string {
	if isASCII(text) || !isBad(text) {
		return text
	}
	latin, isLatin := "", false
	for _, e := range encodings() {
		encoded, ok := e.encode(text)
		if !ok {
			continue
		}
		if e.name == latin1 {
			latin, isLatin = encoded, true
		}
		// In MacRoman the restored byte would match an en dash and a space.
		if e.name != macRoman {
			encoded = restoreNoBreakSpaces(encoded)
		}
		if e.sloppy {
			encoded = lossySequence().ReplaceAllString(encoded, "\u00ef\u00bf\u00bd")
		}
		if fixed, ok := decodeUTF8(rawBytes(encoded)); ok {
			return fixed
		}
	}
	if fixed := decodeEmbedded(text); fixed != text {
		return fixed
	}
	if isLatin {
		// C1 controls are nobody's intention: it was Windows-1252.
		if fixed, ok := decodeWindows1252(latin); ok && fixed != text {
			return fixed
		}
	}
	return fixC1Controls(text)
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// decodeWindows1252 decodes bytes, given as code points; false where one has no meaning.
func decodeWindows1252(encoded string) (string, bool) {
	if strings.ContainsAny(encoded, "\u0081\u008d\u008f\u0090\u009d") {
		return "", false
	}
	return fixC1Controls(encoded), true
}

// fixC1Controls reads C1 controls as the characters that Windows-1252 has there.
func fixC1Controls(text string) string {
	return strings.Map(func(char rune) rune {
		if 0x80 <= char && char <= 0x9F {
			if fixed := charmap.Windows1252.DecodeByte(byte(char)); fixed != utf8.RuneError {
				return fixed
			}
		}
		return char
	}, text)
}

// alteredSequence matches UTF-8 whose byte A0 became a space
// (ftfy.chardata.ALTERED_UTF8_RE; bytes as code points).
var alteredSequence = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(strings.Join([]string{
		`[\x{c2}\x{c3}\x{c5}\x{ce}\x{d0}\x{d9}] `,
		`[\x{e2}\x{e3}] [\x{80}-\x{84}\x{86}-\x{9f}\x{a1}-\x{bf}]`,
		`[\x{e0}-\x{e3}][\x{80}-\x{84}\x{86}-\x{9f}\x{a1}-\x{bf}] `,
		`\x{f0} [\x{80}-\x{bf}][\x{80}-\x{bf}]`,
		`\x{f0}[\x{80}-\x{bf}] [\x{80}-\x{bf}]`,
		`\x{f0}[\x{80}-\x{bf}][\x{80}-\x{bf}] `,
	}, "|"))
})

// lossySequence matches UTF-8 some of whose bytes were lost
// (ftfy.chardata.LOSSY_UTF8_RE; bytes as code points).
var lossySequence = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(strings.Join([]string{
		`[\x{c2}-\x{df}]\x1a`,
		`[\x{c2}-\x{c3}][?]`,
		`\x{ed}[\x{a0}-\x{af}][\x1a?]\x{ed}[\x{b0}-\x{bf}][\x1a?\x{80}-\x{bf}]`,
		`\x{ed}[\x{a0}-\x{af}][\x1a?\x{80}-\x{bf}]\x{ed}[\x{b0}-\x{bf}][\x1a?]`,
		`[\x{e0}-\x{ef}][\x1a?][\x1a\x{80}-\x{bf}]`,
		`[\x{e0}-\x{ef}][\x1a\x{80}-\x{bf}][\x1a?]`,
		`[\x{f0}-\x{f4}][\x1a?][\x1a\x{80}-\x{bf}][\x1a\x{80}-\x{bf}]`,
		`[\x{f0}-\x{f4}][\x1a\x{80}-\x{bf}][\x1a?][\x1a\x{80}-\x{bf}]`,
		`[\x{f0}-\x{f4}][\x1a\x{80}-\x{bf}][\x1a\x{80}-\x{bf}][\x1a?]`,
		`\x1a`,
	}, "|"))
})

// restoreNoBreakSpaces makes spaces in UTF-8 sequences the byte A0 that they were.
// The word à is set apart first: its space was one, and is to stay one.
func restoreNoBreakSpaces(encoded string) string {
	if !alteredSequence().MatchString(encoded) {
		return encoded
	}
	return alteredSequence().ReplaceAllStringFunc(restoreAGrave(encoded), func(sequence string) string {
		return strings.ReplaceAll(sequence, " ", "\u00a0")
	})
}

// restoreAGrave restores à before a space, except where Portuguese joins it to the next word.
func restoreAGrave(encoded string) string {
	const altered = "\u00c3 "
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(encoded, altered)
		out.WriteString(before)
		if !found {
			return out.String()
		}
		if hasAnyPrefix(rest, " ", "quele", "quela", "quilo", "s ") {
			out.WriteString(altered)
		} else {
			out.WriteString("\u00c3\u00a0 ")
		}
		encoded = rest
	}
}

func hasAnyPrefix(text string, prefixes ...string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}

// decodeEmbedded repairs sequences that look like UTF-8 in any of the encodings,
// in text that as a whole is in none (ftfy.chardata.UTF8_DETECTOR_RE).
func decodeEmbedded(text string) string {
	chars := []rune(text)
	var out strings.Builder
	for at := 0; at < len(chars); {
		end := embeddedEnd(chars, at)
		if end == at {
			out.WriteRune(chars[at])
			at++
			continue
		}
		sequence := string(chars[at:end])
		if len(sequence) < len(text) && isBad(sequence) {
			sequence = fixEncoding(sequence)
		}
		out.WriteString(sequence)
		at = end
	}
	return out.String()
}

// roles say which bytes of a UTF-8 sequence a character may stand for.
type roles struct {
	length       int // of the sequence that it begins; 0: it begins none
	continuation bool
	strict       bool // a continuation that is hardly ever meant
}

var roleOf = sync.OnceValue(func() map[rune]roles {
	table := map[rune]roles{}
	mark := func(class string, set func(*roles)) {
		pattern := regexp.MustCompile("[" + clues[class] + "]")
		for char := rune(0); char < 0x3000; char++ {
			if pattern.MatchString(string(char)) {
				r := table[char]
				set(&r)
				table[char] = r
			}
		}
	}
	mark("utf8_first_of_2", func(r *roles) { r.length = 2 })
	mark("utf8_first_of_3", func(r *roles) { r.length = 3 })
	mark("utf8_first_of_4", func(r *roles) { r.length = 4 })
	mark("utf8_continuation", func(r *roles) { r.continuation = true })
	mark("utf8_continuation_strict", func(r *roles) { r.strict = true })
	return table
})

// embeddedEnd is where the sequences that begin at a character end; at itself
// where none begins, or where it would begin within a larger garble.
func embeddedEnd(chars []rune, at int) int {
	role := roleOf()
	if at > 0 && role[chars[at-1]].strict {
		return at
	}
	for {
		length := role[chars[at]].length
		if length == 0 || at+length > len(chars) {
			return at
		}
		for _, char := range chars[at+1 : at+length] {
			if !role[char].continuation {
				return at
			}
		}
		if at += length; at == len(chars) {
			return at
		}
	}
}
