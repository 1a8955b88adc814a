// Package charref decodes HTML character references as Python's html.unescape
// does, which departs from Go's html.UnescapeString: references to control
// characters and noncharacters vanish, a bare carriage return is kept, and any
// name, however long, is matched by its longest known prefix.
//
// The table of names is that of Go's html package; both languages took it from
// the HTML standard (html.spec.whatwg.org, "Named character references").
package charref

import (
	"html"
	"strings"
	"unicode/utf8"
)

// maxName is how many characters of a name Python looks at, the semicolon not counted.
const maxName = 32

// Unescape replaces the character references in s, once.
func Unescape(s string) string {
	at := strings.IndexByte(s, '&')
	if at < 0 {
		return s
	}
	var out strings.Builder
	for at >= 0 {
		out.WriteString(s[:at])
		s = s[at:]
		decoded, length := reference(s)
		out.WriteString(decoded)
		s = s[length:]
		at = strings.IndexByte(s, '&')
	}
	out.WriteString(s)
	return out.String()
}

// Name returns what the name of a character reference stands for. The name is
// without its ampersand and with its semicolon, which only some may lack.
func Name(name string) (string, bool) {
	switch name { // the two that are wider than their names, which Go's table lacks
	case "nLt;":
		return "≪⃒", true
	case "nGt;":
		return "≫⃒", true
	}
	decoded := html.UnescapeString("&" + name)
	if strings.HasSuffix(name, ";") {
		// Where only a prefix was known, the semicolon is still there.
		return decoded, name == "semi;" || !strings.HasSuffix(decoded, ";")
	}
	// The names that may lack their semicolon stand for one character each.
	return decoded, len(name) > 0 && utf8.RuneCountInString(decoded) == 1
}

// reference decodes what the ampersand at the start of s begins, and says how
// many bytes of s that took.
func reference(s string) (decoded string, length int) {
	if strings.HasPrefix(s, "&#") {
		return number(s)
	}
	end, count := 1, 0
	for end < len(s) && count < maxName && !strings.ContainsRune("\t\n\f <&#;", rune(s[end])) {
		_, size := utf8.DecodeRuneInString(s[end:])
		end += size
		count++
	}
	if count == 0 {
		return "&", 1
	}
	if end < len(s) && s[end] == ';' {
		end++
	}
	name := s[1:end]
	if char, ok := Name(name); ok {
		return char, end
	}
	for prefix := len(name) - 1; prefix > 1; prefix-- {
		if char, ok := Name(name[:prefix]); ok {
			return char + name[prefix:], end
		}
	}
	return s[:end], end
}

// number decodes a reference by code point; s begins with "&#".
func number(s string) (decoded string, length int) {
	at, base := 2, rune(10)
	if len(s) > 2 && s[2]|0x20 == 'x' {
		at, base = 3, 16
	}
	code, end := rune(0), at
	for ; end < len(s); end++ {
		digit := digit(s[end])
		if digit >= base {
			break
		}
		code = min(code*base+digit, utf8.MaxRune+1)
	}
	if end == at {
		return "&", 1
	}
	if end < len(s) && s[end] == ';' {
		end++
	}
	return character(code), end
}

func digit(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10
	}
	return 16
}

// windows1252 are the characters of references to the C1 controls.
const windows1252 = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ"

// character is what a code point of a reference stands for; the empty string for
// those that the standard calls invalid.
func character(code rune) string {
	switch {
	case code == 0, 0xD800 <= code && code <= 0xDFFF, code > utf8.MaxRune:
		return "\ufffd"
	case 0x80 <= code && code <= 0x9F:
		return string([]rune(windows1252)[code-0x80])
	case code < 0x20 && !strings.ContainsRune("\t\n\f\r", code), code == 0x7F,
		0xFDD0 <= code && code <= 0xFDEF, code&0xFFFE == 0xFFFE:
		return ""
	}
	return string(code)
}
