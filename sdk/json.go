package sdk

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// value is a decoded JSON value: nil, bool, number, string, []value or object.
type value any

type number string

type object []member

type member struct {
	name  string
	value value
}

func (o object) get(name string) (value, bool) {
	for _, m := range o {
		if m.name == name {
			return m.value, true
		}
	}
	return nil, false
}

// maxDepth bounds the reader's recursion.
const maxDepth = 64

// parseJSON reads one JSON text. It accepts what encoding/json does, whose size
// a guest cannot afford.
func parseJSON(text []byte) (value, error) {
	r := jsonReader{text: text}
	v, ok := r.value(0)
	if r.space(); !ok || r.at != len(text) {
		return nil, &Error{CodeInvalid, "malformed JSON at byte " + strconv.Itoa(r.at)}
	}
	return v, nil
}

type jsonReader struct {
	text []byte
	at   int
}

func (r *jsonReader) space() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return
		}
	}
}

// next skips space and takes c if it comes.
func (r *jsonReader) next(c byte) bool {
	r.space()
	if r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

func (r *jsonReader) value(depth int) (value, bool) {
	if r.space(); r.at == len(r.text) || depth > maxDepth {
		return nil, false
	}
	switch r.text[r.at] {
	case '{':
		r.at++
		return r.object(depth)
	case '[':
		r.at++
		return r.array(depth)
	case '"':
		return r.string()
	case 't':
		return true, r.word("true")
	case 'f':
		return false, r.word("false")
	case 'n':
		return nil, r.word("null")
	}
	return r.number()
}

func (r *jsonReader) word(word string) bool {
	if len(r.text)-r.at < len(word) || string(r.text[r.at:r.at+len(word)]) != word {
		return false
	}
	r.at += len(word)
	return true
}

func (r *jsonReader) object(depth int) (value, bool) {
	o := object{}
	if r.next('}') {
		return o, true
	}
	for {
		r.space()
		name, ok := r.string()
		if !ok || !r.next(':') {
			return nil, false
		}
		v, ok := r.value(depth + 1)
		if !ok {
			return nil, false
		}
		o = append(o, member{name.(string), v})
		if r.next('}') {
			return o, true
		}
		if !r.next(',') {
			return nil, false
		}
	}
}

func (r *jsonReader) array(depth int) (value, bool) {
	a := []value{}
	if r.next(']') {
		return a, true
	}
	for {
		v, ok := r.value(depth + 1)
		if !ok {
			return nil, false
		}
		a = append(a, v)
		if r.next(']') {
			return a, true
		}
		if !r.next(',') {
			return nil, false
		}
	}
}

// number takes JSON's grammar of numbers.
func (r *jsonReader) number() (value, bool) {
	start := r.at
	r.take("-")
	if r.take("0") == 0 && r.digits() == 0 {
		return nil, false
	}
	if r.take(".") == 1 && r.digits() == 0 {
		return nil, false
	}
	if r.take("eE") == 1 {
		r.take("+-")
		if r.digits() == 0 {
			return nil, false
		}
	}
	return number(r.text[start:r.at]), true
}

func (r *jsonReader) take(set string) int {
	if r.at < len(r.text) {
		for i := range len(set) {
			if r.text[r.at] == set[i] {
				r.at++
				return 1
			}
		}
	}
	return 0
}

func (r *jsonReader) digits() int {
	start := r.at
	for r.at < len(r.text) && r.text[r.at] >= '0' && r.text[r.at] <= '9' {
		r.at++
	}
	return r.at - start
}

func (r *jsonReader) string() (value, bool) {
	if r.at == len(r.text) || r.text[r.at] != '"' {
		return nil, false
	}
	r.at++
	var s []byte
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return string(s), true
		case c < ' ':
			return nil, false
		case c == '\\':
			r.at++
			char, ok := r.escape()
			if !ok {
				return nil, false
			}
			s = utf8.AppendRune(s, char)
		default: // invalid UTF-8 becomes U+FFFD
			char, size := utf8.DecodeRune(r.text[r.at:])
			s = utf8.AppendRune(s, char)
			r.at += size
		}
	}
	return nil, false
}

func (r *jsonReader) escape() (rune, bool) {
	if r.at == len(r.text) {
		return 0, false
	}
	c := r.text[r.at]
	r.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		high, ok := r.hex()
		if !ok || !utf16.IsSurrogate(high) {
			return high, ok
		}
		before := r.at
		if r.word(`\u`) {
			if low, ok := r.hex(); ok {
				if pair := utf16.DecodeRune(high, low); pair != utf8.RuneError {
					return pair, true
				}
			}
		}
		r.at = before // a lone surrogate; what follows is read for itself
		return utf8.RuneError, true
	}
	return 0, false
}

func (r *jsonReader) hex() (rune, bool) {
	if len(r.text)-r.at < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(r.text[r.at:r.at+4]), 16, 16)
	if err != nil {
		return 0, false
	}
	r.at += 4
	return rune(n), true
}

// appendJSONString appends s as a JSON string.
func appendJSONString(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	for _, char := range s {
		switch {
		case char == '"' || char == '\\':
			b = append(b, '\\', byte(char))
		case char < ' ':
			b = append(b, '\\', 'u', '0', '0', digits[char>>4], digits[char&15])
		default:
			b = utf8.AppendRune(b, char)
		}
	}
	return append(b, '"')
}
