package ftfy

import (
	"regexp"
	"strings"
	"sync"
)

// mojibakeRules are sequences of characters that are far more likely to be
// mojibake than meant (ftfy.badness.BADNESS_RE): alternatives of one regular
// expression, a name in braces standing for the characters of that category.
var mojibakeRules = []string{
	`[{c1}]`,
	`[{bad}{lower_accented}{upper_accented}{box}{start_punctuation}{end_punctuation}{currency}{numeric}{law}][{bad}]`,
	`[a-zA-Z][{lower_common}{upper_common}][{bad}]`,
	`[{bad}][{lower_accented}{upper_accented}{box}{start_punctuation}{end_punctuation}{currency}{numeric}{law}]`,
	`[{lower_accented}{lower_common}{box}{end_punctuation}{currency}{numeric}][{upper_accented}]`,
	`[{box}{end_punctuation}{currency}{numeric}][{lower_accented}]`,
	`[{lower_accented}{box}{end_punctuation}][{currency}]`,
	`{space}[{upper_accented}][{currency}]`,
	`[{upper_accented}{box}][{numeric}{law}]`,
	`[{lower_accented}{upper_accented}{box}{currency}{end_punctuation}][{start_punctuation}][{numeric}]`,
	`[{lower_accented}{upper_accented}{currency}{numeric}{box}{law}][{end_punctuation}][{start_punctuation}]`,
	`[{currency}{numeric}{box}][{start_punctuation}]`,
	`[a-z][{upper_accented}][{start_punctuation}{currency}]`,
	`[{box}][{kaomoji}]`,
	`[{lower_accented}{upper_accented}{currency}{numeric}{start_punctuation}{end_punctuation}{law}][{box}]`,
	`[{box}][{end_punctuation}]`,
	`[{lower_accented}{upper_accented}][{start_punctuation}{end_punctuation}][\p{L}\p{N}_]`,
	// The ligature œ before what is no unaccented Latin letter.
	`[Œœ][^A-Za-z]`,
	// Degree signs after capital letters.
	`[{upper_accented}]°`,
	// Windows-1252, two characters.
	`[ÂÃÎÐ][€œŠš¢£Ÿž\x{a0}\x{ad}®©°·»{start_punctuation}{end_punctuation}–—´]`,
	`×[²³]`,
	// Windows-1252 mojibake of Arabic.
	`[ØÙ][{common}{currency}{bad}{numeric}{start_punctuation}ŸŠ®°µ»][ØÙ][{common}{currency}{bad}{numeric}{start_punctuation}ŸŠ®°µ»]`,
	// Windows-1252, the beginning of South Asian letters.
	`à[²µ¹¼½¾]`,
	// MacRoman.
	`√[±∂†≠®™´≤≥¥µø]`,
	`≈[°¢]`,
	`‚Ä[ìîïòôúùû†°¢π]`,
	`‚[âó][àä°ê]`,
	// Windows-1251: punctuation; Latin-1 and Cyrillic; twice mangled.
	`вЂ`,
	`[ВГРС][{c1}{bad}{start_punctuation}{end_punctuation}{currency}°µ][ВГРС]`,
	`ГўВЂВ.[A-Za-z ]`,
	// Windows-1252: à, á and the no-break space.
	`Ã[\x{a0}¡]`,
	`[a-z]{space}?[ÃÂ][ ]`,
	`^[ÃÂ][ ]`,
	// Â before a character that it encodes as itself.
	`[a-z.,?!{end_punctuation}]Â[ {start_punctuation}{end_punctuation}]`,
	// Windows-1253: punctuation; Latin-1 and Greek.
	`β€[™\x{a0}Ά\x{ad}®°]`,
	`[ΒΓΞΟ][{c1}{bad}{start_punctuation}{end_punctuation}{currency}°][ΒΓΞΟ]`,
	// Windows-1257: punctuation.
	`ā€`,
}

// space is what Python calls a space, as a class: with the information
// separators, which Go's \s lacks, as it does all beyond ASCII.
const space = `[\t-\r\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]`

// mojibake compiles the rules on first use: most texts are ASCII and need none.
var mojibake = sync.OnceValue(func() *regexp.Regexp {
	pairs := make([]string, 0, 2+2*len(categories))
	pairs = append(pairs, "{space}", space)
	for name, class := range categories {
		pairs = append(pairs, "{"+name+"}", class)
	}
	return regexp.MustCompile(strings.NewReplacer(pairs...).Replace(strings.Join(mojibakeRules, "|")))
})

// isBad reports whether text looks as if it contained mojibake.
func isBad(text string) bool { return mojibake().MatchString(text) }
