package config_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/host/config"
)

// The documentation lists the methods that the program knows; -update writes it.
func TestKnownMethodsAreDocumented(t *testing.T) {
	const file, begin, end = "../../docs/matrix.md", "|---|---|---|\n", "<!-- end -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "<!-- methods")
	_, section, _ = strings.Cut(section, begin)
	section, _, found := strings.Cut(section, end)
	if !found {
		t.Fatalf("%s has no table of methods", file)
	}
	var want strings.Builder
	for _, m := range config.KnownMethods() {
		fmt.Fprintf(&want, "| `%s` | %s | `%s` |\n", m[0], m[1], strings.ReplaceAll(m[2], "  ", "`<br>`"))
	}
	if section == want.String() {
		return
	}
	if !*update {
		t.Fatalf("%s has\n%s\nwant\n%s", file, section, want.String())
	}
	before, after, _ := strings.Cut(string(text), begin+section+end)
	if err := os.WriteFile(file, []byte(before+begin+want.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
