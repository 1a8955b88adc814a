package main

import (
	"bytes"
	"fmt"
	"go/types"
	"strings"
)

var cLanguage = language{
	constant: func(_ *group, name string) string { return "UPL_" + upper(name) },
	typ:      func(name string) string { return "upl_" + snake(name) },
	scalar:   map[string]string{"float32": "float", "float64": "double"},
	code:     plain,
}

var cTypes = map[types.BasicKind]string{
	types.Uint16: "uint16_t", types.Int32: "int32_t", types.Uint32: "uint32_t",
	types.Uint64: "uint64_t", types.Float32: "float",
}

// writeC writes the part of the header between the marks.
func writeC(c *contract) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "/* %s */\n", notice)
	for _, d := range c.declarations {
		b.WriteByte('\n')
		switch d := d.(type) {
		case *group:
			c.writeCGroup(&b, d)
		case *record:
			c.writeCRecord(&b, d)
		}
	}
	return b.Bytes()
}

func (c *contract) writeCGroup(b *bytes.Buffer, g *group) {
	c.cComment(b, "", joined(g.doc, g.about))
	if g.name == "" && (len(g.consts) == 1 || !g.small()) || g.kind == types.String {
		for _, k := range g.consts {
			value := cValue(k)
			if value[0] == '-' {
				value = "(" + value + ")"
			}
			c.cLine(b, "", "#define "+cLanguage.constant(g, k.name)+" "+value, k.doc)
		}
		return
	}
	name := ""
	if g.name != "" {
		name = cLanguage.typ(g.name) + " "
	}
	fmt.Fprintf(b, "enum %s{\n", name)
	for _, k := range g.consts {
		c.cLine(b, "    ", cLanguage.constant(g, k.name)+" = "+cValue(k)+",", k.doc)
	}
	b.WriteString("};\n")
	if g.names != nil {
		c.writeCNames(b, g)
	}
}

// writeCNames is a function: a table in a header would be there in each file.
func (c *contract) writeCNames(b *bytes.Buffer, g *group) {
	function := strings.ToLower(g.prefix()) + "_name"
	fmt.Fprintf(b, "\nstatic inline const char *upl_%s(int32_t %s) {\n    switch (%[2]s) {\n", function, strings.ToLower(g.prefix()))
	for _, k := range g.consts {
		fmt.Fprintf(b, "    case %s: return %q;\n", cLanguage.constant(g, k.name), g.nameOf(k))
	}
	b.WriteString("    default: return \"\";\n    }\n}\n")
}

func (c *contract) writeCRecord(b *bytes.Buffer, r *record) {
	name := cLanguage.typ(r.name)
	c.cComment(b, "", r.doc)
	fmt.Fprintf(b, "typedef struct %s {\n", name)
	for _, f := range r.fields {
		declared := cTypes[f.kind] + " " + snake(f.name)
		if f.length > 0 {
			declared += fmt.Sprintf("[%d]", f.length)
		}
		c.cLine(b, "    ", declared+";", joined(f.doc, f.enum))
	}
	fmt.Fprintf(b, "} %s;\n\n_Static_assert(sizeof(%[1]s) == %d, \"size of %[1]s\");\n", name, r.size)
	for _, f := range r.fields {
		fmt.Fprintf(b, "_Static_assert(offsetof(%s, %s) == %d, \"%[1]s.%[2]s\");\n", name, snake(f.name), f.offset)
	}
}

// cLine is a line of code with its comment behind it, where there is room.
func (c *contract) cLine(b *bytes.Buffer, indent, code, doc string) {
	comment := c.comment(cLanguage, doc)
	line := indent + code + " /* " + comment + " */"
	switch {
	case doc == "":
		b.WriteString(indent + code + "\n")
	case strings.Contains(doc, "\n") || len(line) > 100:
		c.cComment(b, indent, doc)
		b.WriteString(indent + code + "\n")
	default:
		b.WriteString(line + "\n")
	}
}

func (c *contract) cComment(b *bytes.Buffer, indent, doc string) {
	if doc == "" {
		return
	}
	lines := strings.TrimSuffix(wrap(indent+" * ", c.comment(cLanguage, doc)), "\n")
	b.WriteString(indent + "/*" + strings.TrimPrefix(lines, indent+" *") + " */\n")
}

func cValue(k constantOf) string {
	switch k.kind {
	case types.String, types.UntypedString:
		return fmt.Sprintf("%q", k.text())
	case types.Uint64:
		return "UINT64_C(" + k.integer() + ")"
	case types.Uint32:
		if strings.HasPrefix(k.integer(), "0x") {
			return "UINT32_C(" + k.integer() + ")"
		}
	}
	return k.integer()
}

// small says that all constants are integers of 31 bits, as C's enumerations have.
func (g *group) small() bool {
	for _, k := range g.consts {
		if v := cValue(k); strings.HasPrefix(v, "UINT") || strings.HasPrefix(v, `"`) {
			return false
		}
	}
	return true
}

// joined are two texts as two sentences of a comment.
func joined(a, b string) string {
	return strings.TrimSpace(a + " " + b)
}
