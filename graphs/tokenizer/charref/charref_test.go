package charref_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/upl-host/upl-host/graphs/tokenizer/charref"
)

// The wanted values are those of Python 3.11's html.unescape.
func TestUnescape(t *testing.T) {
	for text, want := range map[string]string{
		"&lt;b&gt; caf&eacute; &amp;amp;": "<b> café &amp;",
		"&ampx &notit; &notin; &not":      "&x ¬it; ∉ ¬",
		"&semi;&nosuch;&;&& & &#;&#x;":    ";&nosuch;&;&& & &#;&#x;",
		"&#65;&#65 &#x41;&#X41g":          "AA AAg",
		"&#0;&#1;&#x1F;&#127;&#13;|":      "\ufffd\r|",
		"&#128;&#x81;&#159;":              "€\u0081Ÿ",
		"&#xD800;&#1114112;&#99999999999": "\ufffd\ufffd\ufffd",
		"&#xFDD0;&#xFFFE;&#x10FFFF;|":     "|",
		"&fjlig;&NotEqualTilde;":          "fj≂̸",
		"&copyé; &regx":                   "©é; ®x",
		"&nLt;&nGt;&nGtv;":                "≪⃒≫⃒≫̸",
		"&AMP &Amp":                       "& &Amp",
		"&quot;&apos;&apos":               "\"'&apos",
	} {
		if got := charref.Unescape(text); got != want {
			t.Errorf("Unescape(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzUnescape(f *testing.F) {
	f.Add("&amp;&#65;&x")
	f.Add("&" + strings.Repeat("n", 40) + ";")
	f.Fuzz(func(t *testing.T, text string) {
		got := charref.Unescape(text)
		if utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Errorf("Unescape(%q) = %q is not UTF-8", text, got)
		}
		if !strings.Contains(text, "&") && got != text {
			t.Errorf("Unescape(%q) = %q", text, got)
		}
	})
}
