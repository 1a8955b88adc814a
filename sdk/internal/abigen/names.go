package main

import (
	"regexp"
	"strings"
	"unicode"
)

// words splits a Go name: ABIVersion is ABI, Version; ViewTopM is View, Top, M.
func words(name string) []string {
	var out []string
	runes := []rune(name)
	start := 0
	for i := 1; i < len(runes); i++ {
		lowerAfter := i+1 < len(runes) && unicode.IsLower(runes[i+1])
		if unicode.IsUpper(runes[i]) && (unicode.IsLower(runes[i-1]) || lowerAfter) {
			out = append(out, string(runes[start:i]))
			start = i
		}
	}
	return append(out, string(runes[start:]))
}

// snake is name in lower case, its words joined by underscores.
func snake(name string) string { return strings.ToLower(strings.Join(words(name), "_")) }

// upper is snake in upper case.
func upper(name string) string { return strings.ToUpper(snake(name)) }

// language is how a language writes the names that comments mention.
type language struct {
	constant func(g *group, name string) string
	typ      func(name string) string
	scalar   map[string]string // of Go's, which comments use
	// code marks a name, or a record's form, within a comment.
	code func(string) string
}

func plain(s string) string { return s }

func backticks(s string) string { return "`" + s + "`" }

// mention is a name of abi.go, perhaps as a link, or a form such as float32[C].
var mention = regexp.MustCompile(`\{[^}]*\}( \+ \w+\[[^\]]*\])?|\[?[A-Za-z_]\w*(\.[A-Z]\w*)?\]?(\[[^\]]*\])*`)

// comment is a comment of abi.go in the language's names.
func (c *contract) comment(l language, doc string) string {
	return mention.ReplaceAllStringFunc(doc, func(m string) string {
		if strings.HasPrefix(m, "{") {
			return l.code(m)
		}
		name, form := strings.Trim(m, "[]"), ""
		if i := strings.IndexByte(m[1:], '['); i >= 0 && !strings.HasPrefix(m, "[") {
			name, form = m[:i+1], m[i+1:]
		}
		name, qualifier := cut(name)
		if g := c.consts[name]; g != nil {
			name = l.constant(g, name)
		} else if c.records[name] != nil || c.enum(name) != nil {
			name = l.typ(name)
		} else if scalar := l.scalar[name]; scalar != "" {
			name = scalar
		} else if form == "" {
			return m
		}
		if qualifier != "" {
			name += "." + snake(qualifier)
		}
		return l.code(name + form)
	})
}

func cut(name string) (before, after string) {
	before, after, _ = strings.Cut(name, ".")
	return before, after
}

// wrap fills lines of a comment, each behind the prefix, to at most 88 columns.
// Paragraphs stay apart.
func wrap(prefix, doc string) string {
	const columns = 88
	var b strings.Builder
	for i, paragraph := range strings.Split(doc, "\n\n") {
		if i > 0 {
			b.WriteString(strings.TrimRight(prefix, " ") + "\n")
		}
		line := ""
		for _, word := range strings.Fields(paragraph) {
			if line != "" && len(prefix)+len(line)+1+len(word) > columns {
				b.WriteString(prefix + line + "\n")
				line = ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		b.WriteString(prefix + line + "\n")
	}
	return b.String()
}
