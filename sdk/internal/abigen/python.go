package main

import (
	"bytes"
	"fmt"
	"go/types"
	"strings"
)

var pythonLanguage = language{
	constant: pythonName,
	typ:      pythonType,
	scalar:   map[string]string{},
	code:     plain,
}

var pythonFormats = map[types.BasicKind]string{
	types.Uint16: "<u2", types.Int32: "<i4", types.Uint32: "<u4", types.Uint64: "<u8", types.Float32: "<f4",
}

const pythonHead = `# %s
"""Constants and records of the binary interface."""

from enum import Enum, IntEnum

import numpy as np


def _record(size: int, *fields: tuple[str, str, int]) -> np.dtype:
    """Give the dtype of fields (name, format, offset), of size bytes."""
    return np.dtype(
        {
            "names": [name for name, _, _ in fields],
            "formats": [form for _, form, _ in fields],
            "offsets": [offset for _, _, offset in fields],
            "itemsize": size,
        }
    )
`

// writePython writes types of constants as enumerations, and records as dtypes.
func writePython(c *contract) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, pythonHead, notice)
	enum := true // what was written last, which two empty lines follow
	for _, d := range c.declarations {
		g, isGroup := d.(*group)
		if now := isGroup && g.name != ""; enum || now {
			b.WriteString("\n")
			enum = now
		}
		b.WriteString("\n")
		if isGroup {
			c.writePythonGroup(&b, g)
		} else {
			c.writePythonRecord(&b, d.(*record))
		}
	}
	return b.Bytes()
}

func (c *contract) writePythonGroup(b *bytes.Buffer, g *group) {
	indent := ""
	if g.name != "" {
		indent = "    "
		base := "IntEnum"
		if g.kind == types.String {
			base = "str, Enum"
		}
		fmt.Fprintf(b, "class %s(%s):\n", g.name, base)
		c.pythonDocstring(b, g)
	} else if g.about != "" {
		b.WriteString(wrap("# ", c.comment(pythonLanguage, g.about)))
	}
	for _, k := range g.consts {
		name := upper(k.name)
		if g.name != "" {
			name = upper(strings.TrimPrefix(k.name, g.prefix()))
		}
		value := func() string { return strings.Replace(strings.ToUpper(k.integer()), "X", "x", 1) }
		if k.kind == types.String || k.kind == types.UntypedString {
			value = func() string { return fmt.Sprintf("%q", k.text()) }
		}
		c.pythonLine(b, indent, name+" = "+value(), k.doc)
	}
	if g.names == nil {
		return
	}
	fmt.Fprintf(b, "\n\n%s_NAMES = {\n", strings.ToUpper(g.prefix()))
	for _, k := range g.consts {
		fmt.Fprintf(b, "    %s: %q,\n", pythonName(g, k.name), g.nameOf(k))
	}
	b.WriteString("}\n")
}

func (c *contract) pythonDocstring(b *bytes.Buffer, g *group) {
	doc := wrap("    ", c.comment(pythonLanguage, strings.TrimSpace(g.doc+"\n\n"+g.about)))
	doc = strings.TrimSpace(doc)
	if strings.Contains(doc, "\n") {
		doc += "\n    "
	}
	fmt.Fprintf(b, "    \"\"\"%s\"\"\"\n\n", doc)
}

func (c *contract) writePythonRecord(b *bytes.Buffer, r *record) {
	b.WriteString(wrap("#: ", c.comment(pythonLanguage, r.doc)))
	fmt.Fprintf(b, "%s = _record(\n    %d,\n", pythonType(r.name), r.size)
	for _, f := range r.fields {
		format := pythonFormats[f.kind]
		if f.length > 0 {
			format = fmt.Sprintf("(%d,)%s", f.length, format)
		}
		c.pythonLine(b, "    ", fmt.Sprintf("(%q, %q, %d),", snake(f.name), format, f.offset), joined(f.doc, f.enum))
	}
	b.WriteString(")\n")
}

// pythonLine is a line of code with its comment behind it, where there is room.
func (c *contract) pythonLine(b *bytes.Buffer, indent, code, doc string) {
	comment := c.comment(pythonLanguage, doc)
	line := indent + code + "  # " + comment
	switch {
	case doc == "":
		b.WriteString(indent + code + "\n")
	case strings.Contains(doc, "\n") || len(line) > 88:
		b.WriteString(wrap(indent+"#: ", comment) + indent + code + "\n")
	default:
		b.WriteString(line + "\n")
	}
}

func pythonName(g *group, name string) string {
	if g.name == "" {
		return upper(name)
	}
	return g.name + "." + upper(strings.TrimPrefix(name, g.prefix()))
}

// pythonType is a record's dtype, a constant, or an enumeration.
func pythonType(name string) string { return name }
