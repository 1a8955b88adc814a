package ftfy

import (
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// encoding is a single-byte encoding as ftfy knows it. Text in it is held as a
// string of code points below 256, one a byte, so that regular expressions and
// replacements work on bytes as they do on characters.
type encoding struct {
	name string
	// sloppy encodings stand for the decoders that gave a byte without a meaning
	// the code point of its number, and U+FFFD for byte 1A: what was lost.
	sloppy bool
	bytes  map[rune]byte // of the characters beyond ASCII, and of 1A
}

const (
	latin1   = "latin-1"
	macRoman = "macroman"
	// lost is the byte that sloppy encodings have for U+FFFD.
	lost = 0x1A
)

// encodings are tried in this order (ftfy.chardata.CHARMAP_ENCODINGS).
var encodings = sync.OnceValue(func() []encoding {
	return []encoding{
		newEncoding(latin1, charmap.ISO8859_1, false),
		newEncoding("windows-1252", charmap.Windows1252, true),
		newEncoding("windows-1251", charmap.Windows1251, true),
		newEncoding("windows-1250", charmap.Windows1250, true),
		newEncoding("windows-1253", charmap.Windows1253, true),
		newEncoding("windows-1254", charmap.Windows1254, true),
		newEncoding("windows-1257", charmap.Windows1257, true),
		newEncoding("iso-8859-2", charmap.ISO8859_2, false),
		newEncoding(macRoman, charmap.Macintosh, false),
		newEncoding("cp437", charmap.CodePage437, false),
	}
})

func newEncoding(name string, table *charmap.Charmap, sloppy bool) encoding {
	e := encoding{name: name, sloppy: sloppy, bytes: map[rune]byte{lost: lost}}
	if sloppy {
		e.bytes = map[rune]byte{utf8.RuneError: lost}
	}
	for b := 0x80; b < 0x100; b++ {
		char := table.DecodeByte(byte(b))
		if char == utf8.RuneError {
			char = rune(b)
		}
		e.bytes[char] = byte(b)
	}
	return e
}

// encode returns text's bytes in the encoding, as code points; false where it has
// a character that the encoding lacks.
func (e encoding) encode(text string) (string, bool) {
	out := make([]rune, 0, len(text))
	for _, char := range text {
		if char < utf8.RuneSelf && char != lost {
			out = append(out, char)
			continue
		}
		b, ok := e.bytes[char]
		if !ok {
			return "", false
		}
		out = append(out, rune(b))
	}
	return string(out), true
}

// rawBytes turns a string of code points below 256 into the bytes that they stand for.
func rawBytes(text string) []byte {
	raw := make([]byte, 0, len(text))
	for _, char := range text {
		raw = append(raw, byte(char))
	}
	return raw
}

// decodeUTF8 decodes bytes as UTF-8; where bytes occur that only its variants
// have, CESU-8 (surrogates encoded as characters) and Java's (NUL as C0 80) too.
func decodeUTF8(raw []byte) (string, bool) {
	variants := false
	for _, b := range raw {
		variants = variants || b == 0xED || b == 0xC0
	}
	if !variants {
		return string(raw), utf8.Valid(raw)
	}
	var out []byte
	for plain := 0; ; {
		at := plain
		for at < len(raw) && !startsVariant(raw[at:]) {
			at++
		}
		if !utf8.Valid(raw[plain:at]) {
			return "", false
		}
		out = append(out, raw[plain:at]...)
		if at == len(raw) {
			return string(out), true
		}
		char, size := decodeVariant(raw[at:])
		if size == 0 {
			return "", false
		}
		out = utf8.AppendRune(out, char)
		plain = at + size
	}
}

// atEnd is what `$` means in Python: the end, or a newline before it.
func atEnd(raw []byte) bool { return len(raw) == 0 || len(raw) == 1 && raw[0] == '\n' }

// startsVariant reports whether a sequence that UTF-8 lacks begins at raw.
func startsVariant(raw []byte) bool {
	switch raw[0] {
	case 0xC0:
		return atEnd(raw[1:]) || raw[1] == 0x80
	case 0xED:
		return atEnd(raw[1:]) || 0xA0 <= raw[1] && raw[1] <= 0xBF && (atEnd(raw[2:]) || continues(raw[2]))
	}
	return false
}

func continues(b byte) bool { return b&0xC0 == 0x80 }

// decodeVariant decodes the sequence at the start of raw; size 0 says that it is
// wrong. As in ftfy, a newline that ends the text may be taken for the last byte.
func decodeVariant(raw []byte) (char rune, size int) {
	if raw[0] == 0xC0 {
		if len(raw) == 1 {
			return 0, 0
		}
		return 0, 2
	}
	if len(raw) < 6 || raw[1] > 0xAF || !continues(raw[2]) || raw[3] != 0xED ||
		raw[4] < 0xB0 || raw[4] > 0xBF || !continues(raw[5]) && !atEnd(raw[5:]) {
		return 0, 0
	}
	return rune(raw[1]&0x0F)<<16 + rune(raw[2]&0x3F)<<10 + rune(raw[4]&0x0F)<<6 + rune(raw[5]&0x3F) + 0x10000, 6
}
