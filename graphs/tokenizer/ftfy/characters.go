package ftfy

import (
	"regexp"
	"sort"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"github.com/upl-host/upl-host/graphs/tokenizer/charref"
)

var entity = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`&#?[0-9A-Za-z]{1,24};`) })

// unescapeHTML decodes character references that end in a semicolon, and names
// in capitals for lower-case ones (&EACUTE;).
func unescapeHTML(text string) string {
	if !strings.Contains(text, "&") {
		return text
	}
	return entity().ReplaceAllStringFunc(text, func(reference string) string {
		if strings.HasPrefix(reference, "&#") {
			if char := charref.Unescape(reference); !strings.Contains(char, ";") {
				return char
			}
			return reference
		}
		name := reference[1:]
		if char, ok := charref.Name(name); ok {
			return char
		}
		// In capitals only a name that means nothing as it stands, not even in part.
		if strings.ToUpper(name) == name && charref.Unescape(reference) == reference {
			if char, ok := charref.Name(strings.ToLower(name)); ok {
				return cases.Upper(language.Und).String(char)
			}
		}
		return reference
	})
}

// replacements are what single characters become: ligatures and digraphs of
// Latin letters their letters, curly quotes straight ones.
var replacements = sync.OnceValue(func() map[rune]string {
	table := map[rune]string{
		'Ĳ': "IJ", 'ĳ': "ij", 'ŉ': "ʼn",
		'Ǳ': "DZ", 'ǲ': "Dz", 'ǳ': "dz", 'Ǆ': "DŽ", 'ǅ': "Dž", 'ǆ': "dž",
		'Ǉ': "LJ", 'ǈ': "Lj", 'ǉ': "lj", 'Ǌ': "NJ", 'ǋ': "Nj", 'ǌ': "nj",
		'ﬀ': "ff", 'ﬁ': "fi", 'ﬂ': "fl", 'ﬃ': "ffi", 'ﬄ': "ffl", 'ﬅ': "ſt", 'ﬆ': "st",
		'\u3000': " ",
	}
	for char := rune(0xFF01); char < 0xFFF0; char++ {
		if narrow := norm.NFKC.String(string(char)); narrow != string(char) {
			table[char] = narrow
		}
	}
	return table
})

// uncurl is applied after the ligatures, of which one (ŉ) holds a curly quote.
var uncurl = strings.NewReplacer(
	"\u201c", `"`, "\u201d", `"`, "\u201e", `"`, "\u201f", `"`,
	"\u02bc", "'", "\u2018", "'", "\u2019", "'", "\u201a", "'", "\u201b", "'",
)

// fixCharacters takes ligatures apart, gives full-width and half-width
// characters their usual width, and straightens quotes.
func fixCharacters(text string) string {
	if isASCII(text) {
		return text
	}
	table := replacements()
	var out strings.Builder
	for _, char := range text {
		if replacement, ok := table[char]; ok {
			out.WriteString(replacement)
		} else {
			out.WriteRune(char)
		}
	}
	return uncurl.Replace(out.String())
}

var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n", "\u0085", "\n")

func fixLineBreaks(text string) string { return lineBreaks.Replace(text) }

var terminalEscape = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\x1b\[[\p{Nd};]*[a-zA-Z]`)
})

func removeTerminalEscapes(text string) string {
	if !strings.Contains(text, "\x1b[") {
		return text
	}
	return terminalEscape().ReplaceAllString(text, "")
}

// controls have no displayed effect; whitespace, joiners, direction marks and tags stay.
var controls = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x00, Hi: 0x08, Stride: 1},
		{Lo: 0x0B, Hi: 0x0B, Stride: 1},
		{Lo: 0x0E, Hi: 0x1F, Stride: 1},
		{Lo: 0x7F, Hi: 0x7F, Stride: 1},
		{Lo: 0x206A, Hi: 0x206F, Stride: 1},
		{Lo: 0xFEFF, Hi: 0xFEFF, Stride: 1},
		{Lo: 0xFFF9, Hi: 0xFFFC, Stride: 1},
	},
	LatinOffset: 4,
}

func removeControls(text string) string {
	return strings.Map(func(char rune) rune {
		if unicode.Is(controls, char) {
			return -1
		}
		return char
	}, text)
}

// nfc composes characters with the marks that follow them (Unicode's normal form
// C). The x/text package would break off after thirty marks, which Python does
// not; so this composes pair by pair, with that package's tables.
func nfc(text string) string {
	if norm.NFC.IsNormalString(text) {
		return text
	}
	marks := 0
	for _, char := range text {
		if class(char) == 0 {
			marks = 0
		} else if marks++; marks > maxMarks {
			return composeAll(text)
		}
	}
	return norm.NFC.String(text)
}

// maxMarks keeps below x/text's limit, which counts decomposed characters.
const maxMarks = 8

func class(char rune) uint8 { return norm.NFC.PropertiesString(string(char)).CCC() }

// composeAll is the canonical composition algorithm of Unicode, section 3.11.
func composeAll(text string) string {
	chars := make([]rune, 0, len(text))
	for _, char := range text {
		chars = append(chars, []rune(norm.NFD.String(string(char)))...)
	}
	classes := make([]uint8, len(chars))
	for i, char := range chars {
		classes[i] = class(char)
	}
	sortMarks(chars, classes)

	out := make([]rune, 0, len(chars))
	starter, last := -1, uint8(0) // where a mark may go, and the class of what is between
	for i, char := range chars {
		if starter >= 0 && (len(out)-1 == starter || last < classes[i]) {
			if composed := []rune(norm.NFC.String(string([]rune{out[starter], char}))); len(composed) == 1 {
				out[starter] = composed[0]
				continue
			}
		}
		if classes[i] == 0 {
			starter = len(out)
		}
		last = classes[i]
		out = append(out, char)
	}
	return string(out)
}

// sortMarks orders each run of marks by combining class, stably.
func sortMarks(chars []rune, classes []uint8) {
	for start := 0; start < len(chars); {
		if classes[start] == 0 {
			start++
			continue
		}
		end := start
		for end < len(chars) && classes[end] != 0 {
			end++
		}
		sort.Stable(byClass{chars[start:end], classes[start:end]})
		start = end
	}
}

type byClass struct {
	chars   []rune
	classes []uint8
}

func (m byClass) Len() int           { return len(m.chars) }
func (m byClass) Less(i, j int) bool { return m.classes[i] < m.classes[j] }
func (m byClass) Swap(i, j int) {
	m.chars[i], m.chars[j] = m.chars[j], m.chars[i]
	m.classes[i], m.classes[j] = m.classes[j], m.classes[i]
}
