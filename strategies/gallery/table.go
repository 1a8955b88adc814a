package main

import (
	"fmt"
	"strings"
)

// table is one of Markdown's.
type table struct{ lines strings.Builder }

func newTable(columns ...string) *table {
	t := &table{}
	t.add(columns...)
	t.lines.WriteString(strings.Repeat("|---", len(columns)) + "|\n")
	return t
}

func (t *table) add(cells ...string) {
	for i, cell := range cells {
		cells[i] = strings.ReplaceAll(cell, "|", `\|`)
	}
	fmt.Fprintf(&t.lines, "| %s |\n", strings.Join(cells, " | "))
}

func (t *table) String() string { return t.lines.String() }

// called is a policy's name with a link to its page, and its parameters.
func called(policy, params string) string {
	link := fmt.Sprintf("[`%s`](strategies/%s.md)", policy, policy)
	if params == "{}" {
		return link
	}
	return link + " `" + params + "`"
}

// percent is a share with one decimal.
func percent(share float64) string { return fmt.Sprintf("%.1f\u202f%%", 100*share) }
