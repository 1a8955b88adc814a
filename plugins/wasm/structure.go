package wasm

import (
	"fmt"

	"github.com/upl-host/upl-host/sdk/session"
)

// wazero's decoder makes room for as many entries as a module announces before it
// looks whether they are there: thirty bytes could ask for all memory that there is.
// So the announcements are read first, here. What is allowed is several times what
// the largest Go programs have.
const (
	maxEntries  = 1 << 17 // of a section
	maxNested   = 1 << 20 // of all vectors within sections' entries
	maxLocals   = 50_000  // of a function, as browsers have it
	maxDeclared = 1 << 22 // locals of all functions
)

// structure reads the sections of a module.
type structure struct {
	nested, locals uint64 // so far
	over           string // what there is too much of
}

// section reads a section's content to its end; r is bad where there is another.
func (s *structure) section(id byte, r *reader) error {
	switch id {
	case 0:
		s.custom(r)
	case 1:
		s.entries(r, s.types)
	case 3:
		s.entries(r, func(r *reader) { r.u32() })
	case 6:
		s.entries(r, func(r *reader) { r.bytes(2); r.constant() })
	case 7:
		s.entries(r, func(r *reader) { r.bytes(r.u32()); r.byte(); r.u32() })
	case 9:
		s.entries(r, s.elements)
	case 10:
		s.entries(r, s.code)
	case 11:
		s.entries(r, data)
	}
	if s.over != "" {
		return &session.LimitError{Limit: session.LimitSize, Detail: "it has more than " + s.over}
	}
	return nil
}

// entries reads a section that is a vector.
func (s *structure) entries(r *reader, entry func(*reader)) {
	n := r.u32()
	if n > maxEntries {
		s.over = fmt.Sprintf("%d entries in a section", maxEntries)
		return
	}
	for ; n > 0 && !r.bad && s.over == ""; n-- {
		entry(r)
	}
}

// vector reads the length of a vector within an entry.
func (s *structure) vector(r *reader) uint32 {
	n := r.u32()
	if s.nested += uint64(n); s.nested > maxNested {
		s.over = fmt.Sprintf("%d values in its types, elements and names", maxNested)
		return 0
	}
	return n
}

// types reads a function's type: parameters and results, a byte each.
func (s *structure) types(r *reader) {
	r.byte()
	r.bytes(s.vector(r))
	r.bytes(s.vector(r))
}

// elements reads a segment of a table.
func (s *structure) elements(r *reader) {
	flags := r.u32()
	passive, indexed, expressions := flags&1 != 0, flags&2 != 0, flags&4 != 0
	if !passive {
		if indexed {
			r.u32() // table
		}
		r.constant()
	}
	if passive || indexed {
		r.byte() // kind
	}
	for n := s.vector(r); n > 0 && !r.bad; n-- {
		if expressions {
			r.constant()
		} else {
			r.u32()
		}
	}
}

// code reads a function's locals; its instructions are the validator's matter.
func (s *structure) code(r *reader) {
	body := reader{rest: r.bytes(r.u32())}
	var locals uint64
	for n := body.u32(); n > 0 && !body.bad; n-- {
		locals += uint64(body.u32())
		body.byte() // type
	}
	r.bad = r.bad || body.bad
	s.locals += locals
	switch {
	case locals > maxLocals:
		s.over = fmt.Sprintf("%d local variables in a function", maxLocals)
	case s.locals > maxDeclared:
		s.over = fmt.Sprintf("%d local variables", maxDeclared)
	}
}

// data reads a segment of memory.
func data(r *reader) {
	flags := r.u32()
	if flags == 2 {
		r.u32() // memory
	}
	if flags != 1 {
		r.constant()
	}
	r.bytes(r.u32())
}

// custom reads a section of names, and of others the name alone.
func (s *structure) custom(r *reader) {
	if string(r.bytes(r.u32())) != "name" {
		r.rest = nil
		return
	}
	for len(r.rest) > 0 && !r.bad && s.over == "" {
		id := r.byte()
		names := reader{rest: r.bytes(r.u32())}
		switch id {
		case 0: // of the module
			names.bytes(names.u32())
		case 1: // of functions
			s.names(&names)
		case 2: // of locals
			for n := s.vector(&names); n > 0 && !names.bad; n-- {
				names.u32()
				s.names(&names)
			}
		default:
			names.rest = nil
		}
		// The decoder goes by the content and not by the size: they have to agree.
		r.bad = r.bad || names.bad || len(names.rest) > 0
	}
}

func (s *structure) names(r *reader) {
	for n := s.vector(r); n > 0 && !r.bad; n-- {
		r.u32()
		r.bytes(r.u32())
	}
}

// constant reads an expression of constants to its end.
func (r *reader) constant() {
	for !r.bad {
		switch r.byte() {
		case 0x0b: // end
			return
		case 0x41, 0x42: // i32.const, i64.const
			r.leb(10)
		case 0x43: // f32.const
			r.bytes(4)
		case 0x44: // f64.const
			r.bytes(8)
		case 0x23, 0xd0, 0xd2: // global.get, ref.null, ref.func
			r.leb(5)
		case 0xfd: // v128.const
			r.leb(5)
			r.bytes(16)
		default:
			r.bad = true
		}
	}
}

// leb passes over a number of n bytes at most.
func (r *reader) leb(n int) {
	for ; n > 0; n-- {
		if r.byte() < 0x80 {
			return
		}
	}
	r.bad = true
}
