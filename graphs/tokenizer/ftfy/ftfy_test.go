package ftfy

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The examples of ftfy's documentation, with what ftfy 6.3.1 makes of them.
// testdata/reference.jsonl, one folder up, has many more.
func TestFix(t *testing.T) {
	for text, want := range map[string]string{
		"âœ” No problems":                            "✔ No problems",
		"&macr;\\_(ã\u0083\u0084)_/&macr;":           "¯\\_(ツ)_/¯",
		"Broken text&hellip; it&#x2019;s ﬂubberiﬁc!": "Broken text… it's flubberific!",
		"ＬＯＵＤ　ＮＯＩＳＥＳ":                                "LOUD NOISES",
		"P&EACUTE;REZ BUNDESSTRA&SZLIG;E &nTILDE;":   "PÉREZ BUNDESSTRASSE &nTILDE;",
		"voilÃ le travail":                           "voilà le travail",
		"â€œ like this â€\ufffd":                     "\" like this \ufffd",
		"<b> &eacute;\n&eacute;":                     "<b> &eacute;\n&eacute;",
		"&eacute;\n<b> &eacute;":                     "é\n<b> &eacute;",
		"\x1b[36;44mI'm blue\x1b[0m":                 "I'm blue",
		"\xff and \xed\xa0\x80":                      "\ufffd and \ufffd\ufffd\ufffd",
	} {
		if got := Fix(text); got != want {
			t.Errorf("Fix(%+q) = %+q, want %+q", text, got, want)
		}
	}
}

// Longer lines are repaired in pieces, cut between characters.
func TestSegments(t *testing.T) {
	text := strings.Repeat("é", maxSegment+1)
	if end := segmentEnd(text); end != 2*maxSegment {
		t.Errorf("segment ends at %d, want %d", end, 2*maxSegment)
	}
	if end := segmentEnd("ab\ncd"); end != 3 {
		t.Errorf("line ends at %d, want 3", end)
	}
	if got := Fix(text); got != text {
		t.Error("a long line was changed")
	}
}

// Both ways of composing agree where x/text's limit is not reached.
func FuzzCompose(f *testing.F) {
	for _, text := range []string{"e\u0301\u0323", "a\u0323\u0302\u0301", "\u1100\u1161\u11a8", "\u0b47\u0300\u0b3e", "\u0958\u0344\u2126"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) || utf8.RuneCountInString(norm.NFD.String(text)) > 25 {
			return
		}
		if got, want := composeAll(text), norm.NFC.String(text); got != want {
			t.Errorf("composeAll(%+q) = %+q, want %+q", text, got, want)
		}
	})
}

func FuzzFix(f *testing.F) {
	for _, text := range []string{"Ã©tÃ© Ã la mode", "í\u00a0½í¸\u0080", "À\n", "ГўВЂВ™s", "\x1b[0m&#59;&AMP;"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := Fix(text); !utf8.ValidString(got) {
			t.Errorf("Fix(%+q) = %+q is not UTF-8", text, got)
		}
	})
}
