package main

import (
	"bytes"
	"fmt"
	"go/types"
	"strings"
)

var rustLanguage = language{
	constant: func(_ *group, name string) string { return upper(name) },
	typ:      plain,
	scalar:   map[string]string{"float32": "f32", "float64": "f64"},
	code:     backticks,
}

var rustTypes = map[types.BasicKind]string{
	types.Uint16: "u16", types.Int32: "i32", types.Uint32: "u32", types.Uint64: "u64",
	types.Float32: "f32", types.UntypedInt: "i32", types.String: "&str", types.UntypedString: "&str",
}

func writeRust(c *contract) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "// %s\n\n//! Constants and records of the binary interface.\n\n#![allow(missing_docs)] // where the name says it all\n", notice)
	for _, d := range c.declarations {
		b.WriteByte('\n')
		switch d := d.(type) {
		case *group:
			c.writeRustGroup(&b, d)
		case *record:
			c.writeRustRecord(&b, d)
		}
	}
	return b.Bytes()
}

func (c *contract) writeRustGroup(b *bytes.Buffer, g *group) {
	newtype := g.name != "" && g.kind != types.String
	switch {
	case newtype:
		b.WriteString(c.rustDoc("", strings.TrimSpace(g.doc+"\n\n"+g.about)))
		b.WriteString("#[repr(transparent)]\n#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]\n")
		fmt.Fprintf(b, "pub struct %s(pub %s);\n\n", g.name, rustTypes[g.kind])
	case joined(g.doc, g.about) != "":
		b.WriteString(wrap("// ", c.comment(rustLanguage, joined(g.doc, g.about))) + "\n")
	}
	for _, k := range g.consts {
		typ, value := rustTypes[k.kind], k.integer
		if strings.HasPrefix(k.name, "Size") {
			typ = "usize"
		}
		var literal string
		switch {
		case typ == "&str":
			literal = fmt.Sprintf("%q", k.text())
		case newtype:
			typ, literal = g.name, fmt.Sprintf("%s(%s)", g.name, value())
		default:
			literal = value()
		}
		b.WriteString(c.rustDoc("", k.doc))
		fmt.Fprintf(b, "pub const %s: %s = %s;\n", upper(k.name), typ, literal)
	}
	if g.names != nil {
		writeRustNames(b, g)
	}
}

func writeRustNames(b *bytes.Buffer, g *group) {
	fmt.Fprintf(b, "\nimpl %s {\n    /// The name, empty where the value has none.\n", g.name)
	b.WriteString("    pub const fn name(self) -> &'static str {\n        match self {\n")
	for _, k := range g.consts {
		fmt.Fprintf(b, "            %s => %q,\n", upper(k.name), g.nameOf(k))
	}
	b.WriteString("            _ => \"\",\n        }\n    }\n}\n")
}

func (c *contract) writeRustRecord(b *bytes.Buffer, r *record) {
	b.WriteString(c.rustDoc("", r.doc))
	b.WriteString("#[repr(C)]\n#[derive(Clone, Copy, Debug, Default, PartialEq)]\n")
	fmt.Fprintf(b, "pub struct %s {\n", r.name)
	for _, f := range r.fields {
		b.WriteString(c.rustDoc("    ", f.doc))
		typ := rustTypes[f.kind]
		if f.enum != "" {
			typ = f.enum
		}
		if f.length > 0 {
			typ = fmt.Sprintf("[%s; %d]", typ, f.length)
		}
		fmt.Fprintf(b, "    pub %s: %s,\n", snake(f.name), typ)
	}
	fmt.Fprintf(b, "}\n\nconst _: () = assert!(core::mem::size_of::<%s>() == SIZE_%s);\n", r.name, upper(r.name))
}

func (c *contract) rustDoc(indent, doc string) string {
	if doc == "" {
		return ""
	}
	return wrap(indent+"/// ", c.comment(rustLanguage, doc))
}
