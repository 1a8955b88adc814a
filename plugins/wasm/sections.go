package wasm

import (
	"fmt"
	"slices"

	"github.com/upl-host/upl-host/sdk/session"
)

// MaxModule is the size of the largest module that is taken, in bytes. Compiling
// takes about half a second a MiB, and cannot be interrupted.
const MaxModule = 16 << 20

// maxTable bounds the entries of a declared table, whose memory wazero takes
// whatever the limit on linear memory; a Go program has some 6,000.
const maxTable = 1 << 16

// outline is what has to be known of a module before it is worth compiling.
type outline struct {
	memory uint64 // bytes that it declares
}

// inspect reads a module's sections, and refuses what no policy needs: other imports,
// large tables, more entries than there is reason for. That the rest is well formed,
// wazero's decoder checks.
func inspect(code []byte) (outline, error) {
	var o outline
	if len(code) > MaxModule {
		return o, &session.LimitError{Limit: session.LimitSize, Detail: fmt.Sprintf("a module of %d bytes, of %d allowed", len(code), MaxModule)}
	}
	if len(code) < 8 || string(code[:8]) != "\x00asm\x01\x00\x00\x00" {
		return o, refused("it is not a WASM module")
	}
	r := reader{rest: code[8:]}
	memories := 0
	var s structure
	for len(r.rest) > 0 && !r.bad {
		id := r.byte()
		section := reader{rest: r.bytes(r.u32())}
		if r.bad {
			break
		}
		var err error
		switch id {
		case 2:
			err = section.imports()
		case 4:
			err = section.tables()
		case 5:
			for n := section.u32(); n > 0 && !section.bad; n-- {
				shared, least := section.limits()
				if shared {
					return o, refused("it declares a shared memory")
				}
				o.memory = uint64(least) << 16
				memories++
			}
		default:
			err = s.section(id, &section)
		}
		if err != nil {
			return o, err
		}
		r.bad = r.bad || section.bad
	}
	if r.bad {
		return o, refused("it is truncated or malformed")
	}
	if memories != 1 {
		return o, refused("it declares %d memories, not 1", memories)
	}
	return o, nil
}

func refused(format string, args ...any) error {
	return &session.ProtocolError{Message: fmt.Sprintf(format, args...)}
}

// imports allows functions of the two modules, by name.
func (r *reader) imports() error {
	n := r.u32()
	if n > maxEntries {
		return &session.LimitError{Limit: session.LimitSize, Detail: fmt.Sprintf("it has %d imports", n)}
	}
	for ; n > 0 && !r.bad; n-- {
		module, name := string(r.bytes(r.u32())), string(r.bytes(r.u32()))
		if kind := r.byte(); kind != 0 {
			return refused("it imports %q from %q, which is no function", name, module)
		}
		r.u32() // its type, which is compared after compilation
		if !slices.ContainsFunc(hostFunctions, func(f hostFunction) bool { return f.module == module && f.name == name }) {
			return refused("it imports the function %q of %q, which policies may not use", name, module)
		}
	}
	return nil
}

func (r *reader) tables() error {
	n := r.u32()
	if n > 1 {
		return refused("it has %d tables", n) // reference types alone make use of more
	}
	for ; n > 0 && !r.bad; n-- {
		r.byte() // type of element
		if _, least := r.limits(); least > maxTable {
			return &session.LimitError{Limit: session.LimitMemory, Detail: fmt.Sprintf("a table of %d entries, of %d allowed", least, maxTable)}
		}
	}
	return nil
}

// reader reads WASM's binary format; bad is set at the first thing amiss.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) byte() byte {
	if len(r.rest) == 0 {
		r.bad = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *reader) bytes(n uint32) []byte {
	if r.bad || uint64(n) > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

// u32 reads LEB128.
func (r *reader) u32() uint32 {
	var x uint64
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		x |= uint64(b&0x7f) << shift
		if b < 0x80 {
			if x > 1<<32-1 {
				break
			}
			return uint32(x)
		}
	}
	r.bad = true
	return 0
}

func (r *reader) limits() (shared bool, least uint32) {
	flags := r.byte()
	least = r.u32()
	if flags&1 != 0 {
		r.u32()
	}
	return flags&2 != 0, least
}
