package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"strings"
)

// contract is abi.go, in its order.
type contract struct {
	declarations []any // *group, *record
	consts       map[string]*group
	records      map[string]*record
}

// group is a block of constants, and the type that they have if it is one of
// abi.go's: an enumeration.
type group struct {
	name   string // of the type; empty without one
	doc    string // of the type
	about  string // of the block
	kind   types.BasicKind
	consts []constantOf
	names  []string // by the constants' absolute values, from 1; nil without
}

type constantOf struct {
	name, doc string
	kind      types.BasicKind
	value     constant.Value
}

// record is a struct.
type record struct {
	name, doc string
	size      int64
	fields    []field
}

type field struct {
	name, doc string
	kind      types.BasicKind
	enum      string // the type's name, where it is one of abi.go's
	length    int64  // of an array; 0 without
	offset    int64
}

// load reads abi.go. It is an error where a record has padding, or another size
// than its constant says.
func load(path string) (*contract, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var config types.Config
	info := types.Info{Defs: map[*ast.Ident]types.Object{}}
	if _, err := config.Check("sdk", set, []*ast.File{file}, &info); err != nil {
		return nil, err
	}
	c := &contract{consts: map[string]*group{}, records: map[string]*record{}}
	for _, d := range file.Decls {
		d, ok := d.(*ast.GenDecl)
		if !ok {
			return nil, errors.New("abi.go holds declarations of types, constants and names alone")
		}
		switch d.Tok {
		case token.TYPE:
			err = c.addType(d, info.Defs)
		case token.CONST:
			c.addConsts(d, info.Defs)
		case token.VAR:
			err = c.addNames(d)
		}
		if err != nil {
			return nil, err
		}
	}
	return c, c.check()
}

func (c *contract) addType(d *ast.GenDecl, defs map[*ast.Ident]types.Object) error {
	spec := d.Specs[0].(*ast.TypeSpec)
	name := spec.Name.Name
	switch t := defs[spec.Name].Type().Underlying().(type) {
	case *types.Basic:
		c.declarations = append(c.declarations, &group{name: name, doc: text(d.Doc), kind: t.Kind()})
	case *types.Struct:
		r := &record{name: name, doc: text(d.Doc)}
		if err := r.layout(t, spec.Type.(*ast.StructType)); err != nil {
			return err
		}
		c.records[name] = r
		c.declarations = append(c.declarations, r)
	default:
		return fmt.Errorf("%s: there is no layout for %s", name, t)
	}
	return nil
}

// layout finds the fields' offsets. All languages align naturally, so that there
// is one layout as long as nothing is padded.
func (r *record) layout(t *types.Struct, source *ast.StructType) error {
	sizes := types.SizesFor("gc", "wasm")
	vars := make([]*types.Var, t.NumFields())
	for i := range vars {
		vars[i] = t.Field(i)
	}
	r.size = sizes.Sizeof(t)
	offsets := sizes.Offsetsof(vars)
	end := int64(0)
	for i, v := range vars {
		f := field{name: v.Name(), doc: docs(source.Fields.List[i].Doc, source.Fields.List[i].Comment), offset: offsets[i]}
		element := v.Type()
		if array, ok := element.(*types.Array); ok {
			f.length, element = array.Len(), array.Elem()
		}
		if named, ok := element.(*types.Named); ok {
			f.enum = named.Obj().Name()
		}
		f.kind = element.Underlying().(*types.Basic).Kind()
		if f.offset != end {
			return fmt.Errorf("%s.%s is padded from %d to %d", r.name, f.name, end, f.offset)
		}
		end += sizes.Sizeof(v.Type())
		r.fields = append(r.fields, f)
	}
	if end != r.size {
		return fmt.Errorf("%s is padded from %d to %d", r.name, end, r.size)
	}
	return nil
}

func (c *contract) addConsts(d *ast.GenDecl, defs map[*ast.Ident]types.Object) {
	g := &group{}
	single := !d.Lparen.IsValid()
	if !single {
		g.about = text(d.Doc)
	}
	for _, s := range d.Specs {
		spec := s.(*ast.ValueSpec)
		def := defs[spec.Names[0]].(*types.Const)
		k := constantOf{
			name: def.Name(), doc: docs(spec.Doc, spec.Comment), value: def.Val(),
			kind: def.Type().Underlying().(*types.Basic).Kind(),
		}
		if single {
			k.doc = text(d.Doc)
		}
		if named, ok := def.Type().(*types.Named); ok && len(g.consts) == 0 {
			_, about, _ := strings.Cut(g.about, ".") // the first sentence says what the type's does
			g = c.enum(named.Obj().Name())
			g.about = strings.TrimSpace(about)
		}
		g.consts = append(g.consts, k)
		c.consts[k.name] = g
	}
	if g.name == "" {
		c.declarations = append(c.declarations, g)
	}
}

// enum is the group of a type's constants.
func (c *contract) enum(name string) *group {
	for _, d := range c.declarations {
		if g, ok := d.(*group); ok && g.name == name {
			return g
		}
	}
	return nil
}

// addNames takes a table of names: viewNames for View….
func (c *contract) addNames(d *ast.GenDecl) error {
	spec := d.Specs[0].(*ast.ValueSpec)
	name := spec.Names[0].Name
	var names []string
	for _, e := range spec.Values[0].(*ast.CompositeLit).Elts {
		names = append(names, constant.StringVal(constant.MakeFromLiteral(e.(*ast.BasicLit).Value, token.STRING, 0)))
	}
	for _, d := range c.declarations {
		g, ok := d.(*group)
		if !ok || g.name == "" || !strings.EqualFold(g.prefix()+"Names", name) {
			continue
		}
		if g.names = names; len(names) != len(g.consts)+1 {
			return fmt.Errorf("%s has %d names for %d constants", name, len(names)-1, len(g.consts))
		}
		return nil
	}
	return fmt.Errorf("%s names no constants", name)
}

// check compares the constants of sizes with the layouts.
func (c *contract) check() error {
	for _, r := range c.records {
		name := "Size" + r.name
		g := c.consts[name]
		if g == nil {
			return fmt.Errorf("there is no constant %s", name)
		}
		for _, k := range g.consts {
			if size, _ := constant.Int64Val(k.value); k.name == name && size != r.size {
				return fmt.Errorf("%s is %d, and the record has %d bytes", name, size, r.size)
			}
		}
	}
	return nil
}

// prefix is what the names of an enumeration's constants start with: the first
// word of the type's, View of ViewKind.
func (g *group) prefix() string { return words(g.name)[0] }

// text is a constant of the type string.
func (k constantOf) text() string { return constant.StringVal(k.value) }

// integer is any other, as all the languages write it: in hexadecimal where it is
// large.
func (k constantOf) integer() string {
	if i, exact := constant.Int64Val(k.value); exact && i <= 1<<15 {
		return k.value.ExactString()
	}
	i, _ := constant.Uint64Val(k.value)
	return fmt.Sprintf("%#x", i)
}

// nameOf is a constant's name of g.names.
func (g *group) nameOf(k constantOf) string {
	i, _ := constant.Int64Val(k.value)
	return g.names[max(i, -i)]
}

func text(c *ast.CommentGroup) string { return strings.TrimSpace(c.Text()) }

// docs is the comment above, or else the one behind.
func docs(above, behind *ast.CommentGroup) string {
	if above != nil {
		return text(above)
	}
	return text(behind)
}
