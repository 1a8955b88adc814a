package main

import (
	"bytes"
	"fmt"
	"go/types"
	"strings"
)

var assemblyScript = language{
	constant: func(_ *group, name string) string { return upper(name) },
	typ:      plain,
	scalar:   map[string]string{"float32": "f32", "float64": "f64"},
	code:     backticks,
}

var assemblyScriptTypes = map[types.BasicKind]string{
	types.Uint16: "u16", types.Int32: "i32", types.Uint32: "u32", types.Uint64: "u64",
	types.Float32: "f32", types.UntypedInt: "i32", types.String: "string", types.UntypedString: "string",
}

// writeAssemblyScript writes the records twice: as classes without a header, to
// lay over memory by changetype, and as offsets, to load and store at.
func writeAssemblyScript(c *contract) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "// %s\n", notice)
	for _, d := range c.declarations {
		b.WriteByte('\n')
		switch d := d.(type) {
		case *group:
			c.writeASGroup(&b, d)
		case *record:
			c.writeASRecord(&b, d)
		}
	}
	return b.Bytes()
}

func (c *contract) writeASGroup(b *bytes.Buffer, g *group) {
	if g.name == "" && g.about != "" {
		b.WriteString(wrap("// ", c.comment(assemblyScript, g.about)) + "\n")
	}
	if g.name != "" {
		c.asDoc(b, "", strings.TrimSpace(g.doc+"\n\n"+g.about))
		fmt.Fprintf(b, "export type %s = %s;\n\n", g.name, assemblyScriptTypes[g.kind])
	}
	for _, k := range g.consts {
		typ := assemblyScriptTypes[k.kind]
		value := k.integer
		if typ == "string" {
			value = func() string { return fmt.Sprintf("%q", k.text()) }
		}
		if g.name != "" {
			typ = g.name
		}
		if strings.HasPrefix(k.name, "Size") {
			typ = "usize"
		}
		c.asDoc(b, "", k.doc)
		fmt.Fprintf(b, "export const %s: %s = %s;\n", upper(k.name), typ, value())
	}
	if g.names != nil {
		c.writeASNames(b, g)
	}
}

func (c *contract) writeASNames(b *bytes.Buffer, g *group) {
	function := strings.ToLower(g.prefix()) + "Name"
	fmt.Fprintf(b, "\n/** The name, empty where the value has none. */\nexport function %s(value: %s): string {\n  switch (value) {\n", function, g.name)
	for _, k := range g.consts {
		fmt.Fprintf(b, "    case %s: return %q;\n", upper(k.name), g.nameOf(k))
	}
	b.WriteString("    default: return \"\";\n  }\n}\n")
}

func (c *contract) writeASRecord(b *bytes.Buffer, r *record) {
	var offsets bytes.Buffer
	c.asDoc(b, "", r.doc)
	fmt.Fprintf(b, "@unmanaged\nexport class %s {\n", r.name)
	for _, f := range r.fields {
		c.asDoc(b, "  ", f.doc)
		typ := assemblyScriptTypes[f.kind]
		if f.enum != "" {
			typ = f.enum
		}
		if f.length == 0 {
			fmt.Fprintf(b, "  %s: %s;\n", camel(f.name), typ)
		}
		for i := range f.length { // there are no arrays within
			fmt.Fprintf(b, "  %s%d: %s;\n", camel(f.name), i, typ)
		}
		fmt.Fprintf(&offsets, "export const OFFSET_%s_%s: usize = %d;\n", upper(r.name), upper(f.name), f.offset)
	}
	fmt.Fprintf(b, "}\n\n%s", offsets.Bytes())
}

func (c *contract) asDoc(b *bytes.Buffer, indent, doc string) {
	if doc == "" {
		return
	}
	lines := wrap(indent+" * ", c.comment(assemblyScript, doc))
	if strings.Count(lines, "\n") == 1 {
		b.WriteString(indent + "/**" + strings.TrimSuffix(strings.TrimPrefix(lines, indent+" *"), "\n") + " */\n")
		return
	}
	b.WriteString(indent + "/**\n" + lines + indent + " */\n")
}

// camel is name starting in lower case.
func camel(name string) string {
	first := words(name)[0]
	return strings.ToLower(first) + strings.TrimPrefix(name, first)
}
