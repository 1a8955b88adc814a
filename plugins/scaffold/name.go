package scaffold

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const maxName = 64

var kebab = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// reserved are names that one of the languages or their tools keep for themselves.
var reserved = strings.Fields(`
	abstract alignas alloc and any as assert async auto await become bool boolean box break build byte
	case catch char class const constexpr constructor continue core crate debugger default def del delete
	deps do double dyn elif else enum examples except export extends extern false final finally float fn
	for from func function gen get global goto if impl implements import in incremental inline instanceof
	int interface is lambda let long loop macro main match mod module move mut namespace new none nonlocal
	not null number numpy of or override package pass plugin priv private proc-macro protected pub public
	raise ref register restrict return self set short signed sizeof static std string struct super switch
	symbol template test this throw trait true try type typedef typeof undefined union unsafe unsigned
	unsized upl-plugin use var virtual void volatile where while with yield`)

// NameError says why a plugin cannot have that name.
type NameError struct{ Name, Reason string }

func (e *NameError) Error() string {
	return fmt.Sprintf("a plugin cannot have the name %q: %s", e.Name, e.Reason)
}

func checkName(name string) error {
	switch {
	case !kebab.MatchString(name):
		return &NameError{name, "a name is of lower case letters, digits and single hyphens between them, and begins with a letter: top-k"}
	case len(name) > maxName:
		return &NameError{name, fmt.Sprintf("it is longer than %d letters", maxName)}
	case slices.Contains(reserved, name):
		return &NameError{name, "languages or their tools keep it for themselves"}
	}
	return nil
}

// names fills the placeholders of contents and of files' names.
func names(name string) (contents, files *strings.Replacer) {
	ident := strings.ReplaceAll(name, "-", "_")
	var typ strings.Builder
	for word := range strings.SplitSeq(name, "-") {
		typ.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return strings.NewReplacer("{{name}}", name, "{{ident}}", ident, "{{Type}}", typ.String()),
		strings.NewReplacer("__name__", name, "__ident__", ident)
}
